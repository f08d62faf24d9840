"""The quick reader of analyses: same fields as the documented model, same result as the long way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from comix.core.errors import FileFormatError
from comix.io import analysis, readings
from comix.io.earlier import upgraded

PANEL: dict[str, Any] = {
    "panel_number": 1, "caption": "CAP", "description": "DESC", "key_elements": ["lamp"], "actions": ["runs"],
    "speakers": [
        {"character": "Ann", "dialogue": "  Hi\nthere ", "speech_type": "dialogue"},
        {"character": "Bob", "dialogue": "Hm.", "speech_type": "Thought"},
        {"character": "Ann", "dialogue": "Later.", "speech_type": "narration"},
        {"character": "", "dialogue": "", "speech_type": "dialogue"},
    ],
}  # fmt: skip
PAGE: dict[str, Any] = {"overall_summary": "They talk.", "panels": [PANEL], "summary": {"dialogue": ["Hi there"]}}


def read(tmp_path: Path, document: object, size: tuple[int, int] = (0, 0)) -> readings.Reading:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return readings.read_reading(path, size)


@pytest.mark.parametrize(
    ("model", "struct"),
    [
        (analysis.Analysis, readings.Reading), (analysis.PanelReading, readings.PanelRead), (analysis.TextItem, readings.Text),
        (analysis.UnassignedText, readings.LooseText), (analysis.ReaderInfo, readings.Reader),
        (analysis.PageReading, readings.PageRead), (analysis.ArtStyle, readings.Style),
        (analysis.Disagreement, readings.Differs),
    ],
)  # fmt: skip
def test_the_quick_structs_mirror_the_models(model: Any, struct: Any) -> None:
    fields = msgspec.structs.fields(struct)
    assert {one.name for one in fields} == set(model.model_fields)
    required = {one.name for one in fields if one.required}
    assert required == {name for name, one in model.model_fields.items() if one.is_required()}


def test_the_earlier_shape_keeps_words_apart_from_descriptions(tmp_path: Path) -> None:
    page = read(tmp_path, PAGE)
    panel = page.panels[0]
    assert [(kind, [item.text for item in getattr(panel, kind)]) for kind in ("dialogue", "thought", "narration", "sfx")] == [
        ("dialogue", ["Hi there"]), ("thought", ["Hm."]), ("narration", ["Later."]), ("sfx", []),
    ]  # fmt: skip
    assert panel.dialogue[0].speaker == "Ann"
    assert panel.characters == ["Ann", "Bob"]
    assert panel.description == "CAP\nDESC\nlamp\nruns"
    long_way = upgraded(PAGE, (0, 0), "x")
    assert long_way is not None
    assert msgspec.convert(long_way, readings.Reading) == page


@pytest.mark.parametrize(
    ("panel", "kind", "words"),
    [
        ({"dialogue": ["a", {"text": "b", "speaker": "Z"}]}, "dialogue", ["a", "b"]),
        ({"text": {"sfx": ["BOOM"]}}, "sfx", ["BOOM"]), ({"text": "plain"}, "dialogue", ["plain"]),
        ({"narration": "Then"}, "narration", ["Then"]), ({"caption": "no", "description": "no"}, "dialogue", []),
    ],
)  # fmt: skip
def test_other_spellings(panel: dict[str, Any], kind: str, words: list[str], tmp_path: Path) -> None:
    page = read(tmp_path, [{"panels": [panel, {"panel_number": "7"}]}])
    assert [item.text for item in getattr(page.panels[0], kind)] == words
    assert [one.panel_number for one in page.panels] == [1, 2]


def test_boxes_in_thousandths_become_pixels_of_the_page(tmp_path: Path) -> None:
    page = read(tmp_path, {"panels": [{"panel_number": 1, "box_2d": [100, 200, 300, 600]}]}, (1000, 2000))
    assert page.panels[0].box == pytest.approx((200, 200, 400, 400))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"panels": "x"}, "panels"), ({"a": 1}, "unknown field `a`"), ([1, 2], "Expected"),
        ({"page_id": "a", "reader": {"name": "r"}, "panel_source": "reader", "panels": [], "extra": 1}, "extra"),
        ({"page_id": "a", "reader": {"name": "r"}, "panel_source": "reader", "version": 9}, "newer"),
        ({"page_id": "a", "reader": {"name": "r"}, "panel_source": "reader", "panels": [{"panel_number": 0}]}, "panel_number"),
        ({"panels": [{"dialogue": 5}]}, "dialogue"), ({"panels": [{"box": [1, 2]}]}, "box"),
    ],
)  # fmt: skip
def test_what_is_no_analysis_is_refused(document: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path, document)
