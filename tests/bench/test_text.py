"""``comix evaluate target=text``: figures worked by hand, transcripts of both forms, joins that never guess."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def analysis(page_id: str, panels: list[dict[str, Any]], outside: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    readings = [{"panel_number": number, **panel} for number, panel in enumerate(panels, 1)]
    return {
        "page_id": page_id, "reader": {"name": "by hand"}, "panel_source": "reader", "panels": readings,
        "unassigned": outside or [],
    }  # fmt: skip


def figures(out: Path) -> dict[tuple[str, str], Any]:
    document = json.loads(max((out / "runs/evaluate").glob("*/metrics.json")).read_text())
    return {(row["name"], row["group"]): row for row in document["rows"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two English pages listed per panel, a Japanese and an English one in COCO; analyses of three of the four."""
    pages = [
        {
            "file_name": "a/1.png", "lang": "en",
            "panels": [
                {"order": 0, "texts": [{"type": "speech", "text": "WHO'S THERE?"}]},
                {"order": 1, "texts": [{"type": "caption", "text": "NOBODY ANSWERED."}, {"type": "sfx", "text": "CRASH"}]},
            ],
            "outside_panels": [{"text": "THE END"}],
        },
        {"file_name": "a/2.png", "lang": "en", "panels": [{"order": 0, "texts": [{"text": "SILENCE"}]}], "outside_panels": []},
    ]  # fmt: skip
    (tmp_path / "listed.json").write_text(json.dumps({"pages": pages}))
    image = {"id": 1, "file_name": "m/1.png", "width": 100, "height": 100, "book": "M"}
    text = {"image_id": 1, "bbox": [10, 10, 30, 60], "text_ja": "だからっ逃げろ", "text_en": "So run"}
    coco = {
        "images": [image], "texts": [text], "categories": [{"id": 1, "name": "panel"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "order": 0, "bbox": [0, 0, 100, 100]}],
    }  # fmt: skip
    (tmp_path / "boxed.json").write_text(json.dumps(coco))
    said = [
        analysis("a/1.png", [
            {"dialogue": [{"text": "who's there"}, {"text": "NOBODY ANSWERED"}]},
            {"sfx": [{"text": "CLASH"}]},
        ], [{"text": "THE ENO", "kind": "narration"}]),
        analysis("m/1.png", [{"box": [0, 0, 99, 99], "dialogue": [
            {"text": "逃げろ", "bbox": [10, 10, 10, 60]}, {"text": "だからっ", "bbox": [25, 10, 10, 60]},
        ]}]),
        analysis("elsewhere/1.png", [{"dialogue": [{"text": "SILENCE"}]}]),
    ]  # fmt: skip
    (tmp_path / "said").mkdir()
    for number, one in enumerate(said):
        (tmp_path / "said" / f"{number}.json").write_text(json.dumps(one))
    return tmp_path


def test_words_texts_panels_and_kinds_per_language(folder: Path, comix: Callable[..., Any]) -> None:
    """Seven English words of eight texts are asked for; one caption is in the wrong panel and of the wrong kind."""
    ran = comix(
        "evaluate", "target=text", f"truth=[{folder / 'listed.json'},{folder / 'boxed.json'}]", f"analyses={folder / 'said'}",
        f"workspace={folder / 'ws'}", "n_resamples=50",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "said: 1 transcribed pages have no analysis, first: 'a/2.png'" in ran.out
    assert "said: 1 analyses are of pages that are not transcribed" in ran.out
    rows = figures(folder / "ws")
    english = rows["said", "language:en"]["figures"]
    assert (english["words_recall"], english["words_precision"]) == (5 / 8, 5 / 7)
    assert (english["n_long_pages"], english["page_words_recall"]) == (0, None)
    assert english["cer"] == pytest.approx((0 + 0 + 1 + 1 + 7) / (10 + 15 + 5 + 7 + 7))
    assert english["whole"] == 4 / 5  # CLASH and THE ENO differ in a letter; the page without analysis counts
    assert (english["panel"], english["kind"]) == (3 / 4, 2 / 3)
    japanese = rows["said", "language:ja"]["figures"]
    assert (japanese["words_recall"], japanese["chars_recall"]) == (None, 1.0)
    assert japanese["cer_in_box"] == pytest.approx(6 / 7)  # both columns, the left one first
    assert rows["said", "all"]["intervals"]["whole"][0] < rows["said", "all"]["figures"]["whole"]
    ran = comix(
        "evaluate", "target=text", f"truth={folder / 'boxed.json'}", "language=en", f"analyses={folder / 'said'}",
        f"workspace={folder / 'en'}",
    )  # fmt: skip
    assert figures(folder / "en")["said", "all"]["figures"]["words_recall"] == 0


def test_what_cannot_be_measured_is_one_line(folder: Path, comix: Callable[..., Any]) -> None:
    """Other pages, other languages, no transcript, no analyses."""
    (folder / "other").mkdir()
    (folder / "other" / "x.json").write_text(json.dumps(analysis("b/1.png", [])))
    (folder / "odd.json").write_text("{}")
    for words, message in (
        (
            [f"truth={folder / 'listed.json'}", f"analyses={folder / 'other'}"],
            "the transcript has 'a/1.png', the analyses 'b/1.png'",
        ),
        ([f"truth={folder / 'boxed.json'}", "language=fr", f"analyses={folder / 'said'}"], "no texts with language=fr"),
        ([f"truth={folder / 'odd.json'}", f"analyses={folder / 'said'}"], "not a transcript"),
        ([f"truth={folder / 'listed.json'}"], "nothing read by ocr yet"),
    ):
        ran = comix("evaluate", "target=text", *words, f"workspace={folder / 'ws'}")
        assert ran.code == 2, words
        assert message in ran.err
