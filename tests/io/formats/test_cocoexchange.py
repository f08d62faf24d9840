"""COCO of others: names of categories, parallel texts, masks, and what is not ours."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from comix.io.formats.cocoexchange import read_pages, write_coco
from comix.io.formats.exchange import PageEntry, Region, Words


def page(tmp_path: Path, document: dict[str, Any], **options: str) -> PageEntry:
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    (found,) = read_pages(tmp_path / "a.json", **options)
    return found


def document(**more: Any) -> dict[str, Any]:
    found = [
        {"id": "x", "image_id": 5, "category_id": 3, "bbox": [0, 0, 4, 4], "segmentation": {"counts": "abc", "size": [4, 4]}},
        {"id": "y", "image_id": 5, "category_id": 8, "bbox": [0, 0, 4, 4]},
    ]
    names = [{"id": 3, "name": "Frame"}, {"id": 8, "name": "cat"}]
    return {"images": [{"id": 5, "file_name": "a.png"}], "annotations": found, "categories": names, **more}


def test_categories_go_by_name_and_a_mask_has_no_polygon(tmp_path: Path) -> None:
    found = page(tmp_path, document())
    assert [(one.category, one.polygon, one.id) for one in found.regions] == [("panel", [], "x")]
    assert (found.attributes, found.width, found.is_ordered) == ({"n_dropped": "1"}, None, False)
    bare = document()
    del bare["categories"]
    assert [one.category for one in page(tmp_path, bare).regions] == ["balloon"]
    assert [one.category for one in page(tmp_path, bare, id_map="training").regions] == ["text"]


def test_one_language_of_parallel_texts(tmp_path: Path) -> None:
    rows = [{"image_id": 5, "lang": "en", "text": "Hi", "type": "commentary"}, {"image_id": 5, "lang": "sk", "text": "Ahoj"}]
    columns = [{"image_id": 5, "text_ja": "やあ", "text_en": "Hi"}]
    assert [(one.text, one.kind) for one in page(tmp_path, document(texts=rows)).words] == [("Hi", "narration")]
    assert [one.text for one in page(tmp_path, document(texts=rows), language="sk").words] == ["Ahoj"]
    assert [one.text for one in page(tmp_path, document(texts=columns)).words] == ["やあ"]
    assert [one.text for one in page(tmp_path, document(texts=columns), language="en").words] == ["Hi"]
    assert page(tmp_path, document(texts=columns), language="fr").words == []


def test_what_is_written_is_read_the_same(tmp_path: Path) -> None:
    given = PageEntry(
        label="b/0001",
        page_id="b/0001",
        file_name="a.png",
        width=10,
        height=10,
        is_ordered=True,
        margin=0.5,
        regions=[
            Region(
                category="panel", bbox=(0, 0, 4.25, 4), order=0, id="1", characters=["A"], polygon=[(0, 0), (4.25, 0), (1, 4)]
            ),
            Region(category="text", bbox=(1, 1, 2, 2), id="2", score=0.25),
        ],
        words=[Words(text="Hi", bbox=(1, 1, 2, 2), panel=0, region=1, speaker="A", confidence=0.5)],
    )
    stream = io.BytesIO()
    counts = write_coco(stream, [given], {"a": 1})
    (tmp_path / "a.json").write_bytes(stream.getvalue())
    assert list(read_pages(tmp_path / "a.json")) == [given]
    assert counts == {"images": 1, "annotations": 2, "texts": 1, "left_out": 0}
