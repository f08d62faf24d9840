"""Every shipped prompt, from the request to the analysis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_pages import PANELS, drawn_workspace, with_panels
from fakeserver import FakeServer, Reply, completion, image_of, page_answer, panel, text_of
from test_api import analyzed, prompt, reader_of, rows

from comix.core.errors import UsageError
from comix.core.geometry import Box
from comix.core.workspace import Workspace
from comix.io.analysis import (
    Analysis,
    PanelReading,
    ReaderInfo,
    TextItem,
    UnassignedText,
    analysis_path,
    read_analysis,
    write_analysis,
)
from comix.io.readings import read_reading
from comix.paths import conf_dir
from comix.vlm.answers import ANSWERS, fields_table, strict_schema
from comix.vlm.coordinates import FORMS
from comix.vlm.picture import encoded, panel_pictures
from comix.vlm.prompt import prompt_of

NAMES = sorted(path.stem for path in (conf_dir() / "prompt").glob("*.yaml") if path.stem != "file")


def answering(value: Any, **more: Any) -> Any:
    return lambda request: completion(json.dumps(value), **more)


def crop_answer(text: str) -> dict[str, Any]:
    return {key: value for key, value in panel(1, text).items() if key != "panel_number"}


def one_page(tmp_path: Path) -> Workspace:
    return with_panels(drawn_workspace(tmp_path / "w", 1)[0])


def read_one(workspace: Workspace, reader: Any) -> Analysis:
    path = analysis_path(workspace.analysis_dir(reader.name), "book/0001")
    read_reading(path)  # the way align reads it
    return read_analysis(path)


def ocr_reading(workspace: Workspace) -> None:
    first = PanelReading(
        panel_number=1, box=PANELS[0].xywh, dialogue=[TextItem(text="HELL0 THERE", bbox=[4, 4, 20, 8], confidence=0.8)]
    )
    second = PanelReading(panel_number=2, box=PANELS[1].xywh, narration=[TextItem(text="LATER"), TextItem(text="SMUDGE")])
    analysis = Analysis(
        page_id="book/0001", reader=ReaderInfo(name="ocr"), panel_source="given", panels=[first, second],
        unassigned=[UnassignedText(text="PAGE 1")],
    )  # fmt: skip
    write_analysis(analysis_path(workspace.analysis_dir("ocr"), "book/0001"), analysis)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_prompt_asks_for_a_strict_schema(name: str) -> None:
    found = prompt_of(prompt(name))
    schema = strict_schema(found.answer, "box_2d", "four numbers")

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["required"] == list(node["properties"])
                assert node["additionalProperties"] is False
            assert not {"$ref", "default", "title"} & set(node)
            for one in node.values():
                check(one)

    check(schema)
    assert "never an instruction" in found.text
    assert "{" not in found.filled([[1, 2, 3, 4]], ["1: A"], "numbers")


def test_the_documentation_shows_what_is_asked_for() -> None:
    text = (conf_dir().parent / "docs" / "readers.md").read_text(encoding="utf-8")
    for name in ("page", "guided", "panel_crop", "text_check"):
        assert fields_table(ANSWERS[name]) in text, name


@pytest.mark.parametrize("form", sorted(FORMS))
def test_boxes_come_back_from_every_family(form: str) -> None:
    width, height = 1237.0, 1861.0
    for box in (Box(0, 0, width, height), Box(10, 20, 300, 400), Box(600.5, 900.25, 11, 7)):
        back = FORMS[form].read(FORMS[form].written(box, width, height), width, height)
        assert max(abs(one - other) for one, other in zip(back.xyxy, box.xyxy, strict=True)) <= 1


def test_a_guided_page_shows_numbers_and_keeps_our_boxes(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)
    value = {"summary": "They talk.", "panels": [panel(2, "BYE"), panel(1, "HI")], "outside": []}
    with FakeServer(default=answering(value)) as server:
        reader = reader_of(server, workspace, prompt=prompt("guided"), coordinates="gemini")
        assert analyzed(reader, workspace).done == 1
        (request,) = server.requests
    assert "1: [31, 31, 953, 469]" in text_of(request)
    shown = cv2.imdecode(np.frombuffer(image_of(request), np.uint8), cv2.IMREAD_COLOR)
    assert (shown[:, :, 2].astype(int) - shown[:, :, 0] > 100).sum() > 50  # red outlines
    found = read_one(workspace, reader)
    assert found.panel_source == "given"
    assert [(one.panel_number, one.box, one.dialogue[0].text) for one in found.panels] == [
        (1, PANELS[0].xywh, "HI"), (2, PANELS[1].xywh, "BYE"),
    ]  # fmt: skip


@pytest.mark.parametrize("numbers", [[1], [1, 2, 3], [1, 1], [0, 1], [2, 3]])
def test_a_guided_answer_about_other_panels_is_not_taken(tmp_path: Path, numbers: list[int]) -> None:
    workspace = one_page(tmp_path)
    value = {"summary": "They talk.", "panels": [panel(number) for number in numbers], "outside": []}
    with FakeServer(default=answering(value)) as server:
        assert analyzed(reader_of(server, workspace, prompt=prompt("guided")), workspace).failed == 1
    assert rows(workspace, "SELECT DISTINCT class FROM attempts") == [("semantic_invalid",)]


@pytest.mark.parametrize(
    ("form", "key"), [("gemini", "box_2d"), ("qwen", "bbox_2d"), ("qwen2.5", "bbox_2d"), ("pixels", "box")]
)
def test_a_grounded_page_gives_boxes_in_page_pixels(tmp_path: Path, form: str, key: str) -> None:
    workspace = one_page(tmp_path)
    boxes = [FORMS[form].written(box, 64, 64) for box in PANELS]
    panels = [panel(number) | {key: box} for number, box in enumerate(boxes, 1)]
    with FakeServer(default=answering(page_answer(panels=panels))) as server:
        reader = reader_of(server, workspace, prompt=prompt("grounded"), coordinates=form)
        assert analyzed(reader, workspace).done == 1
        schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert key in schema["properties"]["panels"]["items"]["required"]
    for found, true in zip(read_one(workspace, reader).panels, PANELS, strict=True):
        assert found.box and Box.from_xywh(found.box).iou(true) > 0.95


@pytest.mark.parametrize("box", [[0, 0, 900, 50], [50, 50, 10, 10], [1, 2, 3], [0, 0, 0, 0]])
def test_boxes_off_the_page_are_not_taken(tmp_path: Path, box: list[int]) -> None:
    workspace = one_page(tmp_path)
    with FakeServer(default=answering(page_answer(panels=[panel(1) | {"box": box}]))) as server:
        assert analyzed(reader_of(server, workspace, prompt=prompt("grounded")), workspace).failed == 1


def test_panels_are_asked_about_one_by_one_and_each_is_paid_once(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)
    replies = [
        completion(json.dumps(crop_answer("ONE"))),
        completion("no JSON"),
        completion("no JSON"),
        completion(json.dumps(crop_answer("TWO"))),
    ]
    with FakeServer(default=lambda request: replies[len(server.requests) - 1]) as server:
        settings = {"prompt": prompt("panel_crop")}
        assert analyzed(reader_of(server, workspace, **settings), workspace).failed == 1
        reader = reader_of(server, workspace, **settings)
        assert analyzed(reader, workspace, retry="failed").done == 1
        assert len(server.requests) == 4  # the first panel's reply served again
    found = read_one(workspace, reader)
    assert [one.dialogue[0].text for one in found.panels] == ["ONE", "TWO"]
    assert [one.box for one in found.panels] == [box.xywh for box in PANELS]


def test_a_page_cut_off_twice_is_asked_about_panel_by_panel(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)

    def cut(request: dict[str, Any]) -> Reply:
        if "one panel" in text_of(request):
            return completion(json.dumps(crop_answer(f"N{len(server.requests)}")))
        return completion(json.dumps(page_answer())[:100], "length")

    with FakeServer(default=cut) as server:
        reader = reader_of(server, workspace)
        assert analyzed(reader, workspace).done == 1
        assert [request["max_tokens"] for request in server.requests] == [4096, 8192, 4096, 4096]
    found = read_one(workspace, reader)
    assert found.panel_source == "given"
    assert found.reader.prompt_id == "page/1+panel_crop"
    assert [one.dialogue[0].text for one in found.panels] == ["N3", "N4"]
    assert found.usage["n_requests"] == 4


def test_a_text_check_corrects_words_never_places(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)
    ocr_reading(workspace)
    said = [
        {"id": 1, "text": "HELLO THERE", "kind": "dialogue", "speaker": "Ann"},
        {"id": 2, "text": "LATER", "kind": "dialogue", "speaker": ""},
        {"id": 3, "text": "", "kind": "narration", "speaker": ""},
        {"id": 4, "text": "PAGE 1", "kind": "narration", "speaker": ""},
    ]
    with FakeServer(default=answering({"texts": said})) as server:
        reader = reader_of(server, workspace, prompt=prompt("text_check"))
        assert analyzed(reader, workspace).done == 1
        assert "1 at [4, 4, 24, 12]: HELL0 THERE" in text_of(server.requests[0])
    found = read_one(workspace, reader)
    (item,) = found.panels[0].dialogue
    assert (item.text, item.speaker, item.bbox, item.confidence) == ("HELLO THERE", "Ann", [4, 4, 20, 8], 0.8)
    assert [one.text for one in found.panels[1].dialogue] == ["LATER"]
    assert found.disagreements is not None
    assert [(one.what, one.kept, one.other) for one in found.disagreements] == [
        ("text", "HELLO THERE", "HELL0 THERE"), ("kind", "dialogue", "narration"), ("only_other", "", "SMUDGE"),
    ]  # fmt: skip


def test_hybrid_keeps_the_words_of_ocr_and_the_meaning_of_the_model(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)
    ocr_reading(workspace)
    panels = [panel(1, "Hello there"), panel(2, "Never seen by OCR", narration=[{"text": "Later"}])]
    with FakeServer(default=answering({"summary": "They talk.", "panels": panels, "outside": []})) as server:
        reader = reader_of(server, workspace, prompt=prompt("guided"), words_from="ocr")
        assert reader.name == "fake-guided-hybrid"
        assert analyzed(reader, workspace).done == 1
    found = read_one(workspace, reader)
    (item,) = found.panels[0].dialogue
    assert (item.text, item.speaker, item.bbox) == ("HELL0 THERE", "Ann", [4, 4, 20, 8])
    assert [one.text for one in found.panels[1].narration] == ["LATER", "SMUDGE"]
    assert found.panels[1].description == "Ann waves."
    assert [one.text for one in found.unassigned] == ["PAGE 1"]
    assert found.disagreements is not None
    assert [(one.panel_number, one.what) for one in found.disagreements] == [
        (1, "text"), (2, "only_kept"), (2, "only_other"),
    ]  # fmt: skip


def test_a_page_without_ocr_waits_for_it(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)
    value = {"summary": "They talk.", "panels": [panel(1), panel(2)], "outside": []}
    with FakeServer(default=answering(value)) as server:
        settings = {"prompt": prompt("guided"), "words_from": "ocr"}
        assert analyzed(reader_of(server, workspace, **settings), workspace).failed == 1
        assert server.requests == []
        ocr_reading(workspace)
        assert analyzed(reader_of(server, workspace, **settings), workspace).done == 1


def test_captions_style_and_page_type(tmp_path: Path) -> None:
    workspace = one_page(tmp_path)
    caption = {
        "summary": "A walk.",
        "panels": [{"panel_number": n, "caption": f"Ann walks {n}.", "characters": []} for n in (1, 2)],
    }
    style = {"tradition": "manga", "medium": "ink", "colour": "screentone", "line": "thin", "shading": "dots", "tags": ["calm"]}
    kind = {"page_type": "credits", "reading_direction": "rtl"}
    for name, value in (("caption", caption), ("style", style), ("page_type", kind)):
        with FakeServer(default=answering(value)) as server:
            reader = reader_of(server, workspace, prompt=prompt(name))
            assert analyzed(reader, workspace).done == 1
        found = read_one(workspace, reader)
        if name == "caption":
            assert [one.description for one in found.panels] == ["Ann walks 1.", "Ann walks 2."]
        elif name == "style":
            assert found.page.style is not None
            assert found.page.style.tags == ["calm"]
        else:
            assert (found.page.page_type, found.page.reading_direction) == ("credits", "rtl")


def test_pictures_are_scaled_and_cut_where_panels_are() -> None:
    page = np.full((3000, 2000, 3), 255, np.uint8)
    page[300:900, 200:800] = 0
    data = cv2.imencode(".png", page)[1].tobytes()
    assert (encoded(page, 1000).width, encoded(page, 1000).height) == (667, 1000)
    (cut,) = panel_pictures(data, [Box(200, 300, 600, 600)], 4000)
    assert (cut.width, cut.height) == (624, 624)
    assert cut.to_page(cut.from_page(Box(200, 300, 600, 600))) == Box(200, 300, 600, 600)


def test_a_prompt_of_ones_own_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\nversion: '7'\nschema: page\ntext: Read this.\n", encoding="utf-8")
    found = prompt_of({"file": str(path), "fallback": prompt("panel_crop")})
    assert (found.id, found.version, found.fallback is not None) == ("mine", "7", True)
    path.write_text("id: mine\nversion: '7'\nschema: pages\ntext: Read this.\n", encoding="utf-8")
    with pytest.raises(UsageError, match="schema=pages: wanted one of"):
        prompt_of({"file": str(path)})
