"""Every older DataSpec shape, the published schema, and hash names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comix.core.errors import FileFormatError
from comix.io.dataspec import DataSpec, dataspec_path, dataspec_schema, read_dataspec

DOCS = Path(__file__).parents[2] / "docs"
TEXT = {"dialogue": ["What?"], "narration": ["Meanwhile..."], "sfx": ["BOOM!"]}
SHAPES: dict[str, dict[str, Any]] = {
    "contract": {
        "page_id": "a/1", "page_image_path": "a/1.jpg", "page_size": {"width": 100, "height": 200},
        "panels": [
            {"panel_id": "p2", "panel_coords": [0, 100, 90, 90], "order_index": 1, "text": {},
             "ocr_tokens": [{"text": "HEY", "bbox": [1, 1, 2, 2], "conf": 0.5}, {"text": "YOU"}]},
            {"panel_id": "p1", "panel_coords": [0, 0, 90, 90], "order_index": 0, "text": TEXT, "polygon": [0, 0, 90, 0, 90, 90],
             "character_coords": [[5, 5, 20, 20]]},
        ],
    },
    "converter": {
        "page_id": "a/1", "page_image_path": "a/1.jpg", "page_size": {"width": 100, "height": 200},
        "panels": [
            {"panel_coords": [0, 0, 90, 90], "text": TEXT, "neighbors": {"left": None}, "face_coords": [[5, 5, 9, 9]],
             "balloon_coords": [], "raw_text_regions": [[1, 2, 3, 4]]},
        ],
    },
    "later": {
        "page_id": "a/1", "page_image_path": "a/1.jpg", "source_book": "a", "page_size": [100, 200], "reading_order": ["0→1"],
        "panels": [{"panel_coords": [0, 0, 90, 90], "confidence": 0.7, "text": TEXT}],
        "characters": [{"bbox": [1, 2, 3, 4], "confidence": 0.5}], "faces": [[1, 2, 3, 4]], "texts": ["no place"],
    },
    "bare": {"page_image_path": "E:\\Comics\\a\\1.jpg", "panels": [{"panel_coords": [0, 0, 90, 90], "text": TEXT}]},
}  # fmt: skip


def read(tmp_path: Path, document: object) -> DataSpec:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_dataspec(path)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_older_shape_is_read(shape: str, tmp_path: Path) -> None:
    spec = read(tmp_path, SHAPES[shape])
    first = spec.panels[0]
    assert (first.panel_coords, first.order) == ([0, 0, 90, 90], 0)
    assert (first.text.dialogue, first.text.narration, first.text.sfx) == (["What?"], ["Meanwhile..."], ["BOOM!"])
    assert [item.text for item in first.texts] == ["What?", "Meanwhile...", "BOOM!"]
    assert spec.version == "0.3"
    assert spec.page_size == ([0, 0] if shape == "bare" else [100, 200])
    assert spec.page_id == ("mnt/e/Comics/a/1" if shape == "bare" else "a/1")


def test_what_only_older_shapes_hold_is_kept(tmp_path: Path) -> None:
    contract = read(tmp_path, SHAPES["contract"])
    assert contract.panels[1].text.narration == ["HEY YOU"]
    assert contract.panels[0].polygon == [[0, 0], [90, 0], [90, 90]]
    assert [(one.category, one.panel) for one in contract.objects] == [("character", 0)]
    assert [one.category for one in read(tmp_path, SHAPES["converter"]).objects] == ["face", "text"]
    later = read(tmp_path, [SHAPES["later"]])
    assert [(one.category, one.score) for one in later.objects] == [("character", 0.5), ("face", None)]
    assert (later.panels[0].confidence, later.provenance.container) == (0.7, "a")


@pytest.mark.parametrize("document", [[], {"panels": 3}, {"panels": [{"text": {}}], "page_image_path": "a"}, "x"])
def test_what_is_none_is_refused(document: object, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"one\.json"):
        read(tmp_path, document)


def test_the_published_schema_is_current_and_fits_what_is_written(finished: Path) -> None:
    import jsonschema

    published = json.loads((DOCS / "dataspec.schema.json").read_text(encoding="utf-8"))
    assert published == dataspec_schema()
    written = sorted((finished / "dataspec").rglob("*.json"))
    assert written
    for path in written:
        jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), published)


def test_hash_names_differ_by_page() -> None:
    paths = {dataspec_path(Path("d"), page_id, "hash") for page_id in ("a/1", "A/1", "b/1")}
    assert len(paths) == 3
    assert all(len(path.stem) == 32 for path in paths)
