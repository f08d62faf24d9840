"""120 malformed DataSpec, COCO and XML documents, each with the reason it must be refused for.

    uv run python benchmarks/malformed_documents.py [--list]

Every document is made from a valid one by one change, and given to the reader that a stage would give it to. Right is: a
`FileFormatError` (one line, a failed row or exit code 2) whose message has the expected words. Anything else, another
exception, a message without them, or no error at all, is counted as wrong. Exits 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError
from comix.io.dataspec import read_dataspec
from comix.io.formats import acbf, cocoexchange, foreign, formatxml, guided, huggingface, manga109xml

DATASPEC: dict[str, Any] = {
    "page_image_path": "pages/b/0001.png", "panels": [{
        "panel_coords": [0, 0, 10, 10], "text": {"dialogue": ["Hi"], "narration": [], "sfx": [], "thought": []}, "order": 0,
        "confidence": 1.0, "texts": [{"kind": "dialogue", "text": "Hi", "bbox": [1, 1, 3, 3]}],
    }],
    "version": "0.3", "page_id": "b/0001", "page_size": [100, 100], "reading_direction": "ltr",
    "provenance": {"detector": "d", "reader": "r", "panel_source": "given", "assignment": "number", "container": "c",
                   "member": "m", "sha256": "0"},
    "quality": {"score": 4, "panel_count_ratio": None, "text_coverage": 1.0, "order_margin": 1.0, "assigned_text_share": 1.0},
}  # fmt: skip
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 100, "page_id": "b/0001"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "order": 0, "score": 0.5, "segmentation": []},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [20, 0, 10, 10], "order": 1, "score": 0.5, "segmentation": []},
    ],
    "texts": [{"image_id": 1, "text": "Hi", "bbox": [1, 1, 3, 3], "panel_id": 1}],
    "categories": [{"id": 1, "name": "panel"}, {"id": 4, "name": "text"}],
}  # fmt: skip
BENCHMARK_XML = (
    '<annotations><book title="B"><characters><character id="c1" name="A"/></characters><pages><page id="1" width="100" '
    'height="100"><panel id="p1" points="0,0 9,0 9,9 0,9" order="0"/><panel id="p2" points="20,0 29,0 29,9 20,9" order="1"/>'
    '<text id="t1" points="1,1 3,1 3,3 1,3" panel_id="p1" confidence="0.5">Hi</text></page></pages></book></annotations>'
)
MANGA109_XML = (
    '<book title="B"><characters><character id="00000001" name="A"/></characters><pages><page index="0" width="100" '
    'height="100"><frame id="00000002" xmin="0" ymin="0" xmax="9" ymax="9"/><text id="00000003" xmin="1" ymin="1" xmax="3" '
    'ymax="3" frame="00000002">Hi</text></page></pages></book>'
)
ACBF_XML = (
    '<ACBF xmlns="http://www.acbf.info/xml/acbf/1.1"><meta-data/><body><page><image href="1.jpg"/><text-layer lang="en">'
    '<text-area points="1,1 3,1 3,3 1,3"><p>Hi</p></text-area></text-layer><frame points="0,0 9,0 9,9 0,9"/></page>'
    "</body></ACBF>"
)
GUIDED: dict[str, Any] = {
    "format": "comix-guided-view", "version": 1, "book_id": "b",
    "pages": [{"page_id": "b/0001", "page": 1, "image": "1.png", "width": 9, "height": 9, "panels": [{"box": [0, 0, 9, 9]}]}],
}  # fmt: skip
KUMIKO = [{"filename": "a.png", "size": [9, 9], "panels": [[0, 0, 9, 9]]}]


@dataclass(frozen=True)
class Case:
    """A document, the reader it is for, and words that the error must have."""

    name: str
    reader: str
    content: bytes
    wanted: str


def _coco(path: Path) -> None:
    list(cocoexchange.read_pages(path))


def _kumiko(path: Path) -> None:
    list(foreign.read_kumiko(path))


def _dcm(path: Path) -> None:
    list(foreign.read_dcm(path, path.parent))


def _svg(path: Path) -> None:
    list(foreign.read_ebdtheque(path, path.parent))


def _rows(path: Path) -> None:
    list(huggingface.read_metadata(path))


READERS: dict[str, Callable[[Path], Any]] = {
    "dataspec": read_dataspec, "coco": _coco, "comix_xml": formatxml.read_document, "manga109": manga109xml.read_book,
    "acbf": acbf.read_book, "json_sidecar": guided.read_book, "kumiko": _kumiko, "dcm772": _dcm, "ebdtheque": _svg,
    "imagefolder": _rows,
}  # fmt: skip


def changed(document: Any, path: str, value: Any) -> bytes:
    """The document with one value changed (or, with ``...``, removed), as JSON; NaN and Infinity as Python writes them."""
    made = copy.deepcopy(document)
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    holder = made
    for part in way:
        holder = holder[part]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(made).encode()


def dataspec_cases() -> Iterable[Case]:
    changes: list[tuple[str, Any, str]] = [
        ("panels", "none", "panels"), ("panels", {"a": 1}, "panels"), ("panels.0", 5, "panels"), ("panels.0", "x", "panels"),
        ("panels.0.panel_coords", [0, 0, 10], "panel_coords"), ("panels.0.panel_coords", "0 0 9 9", "panel_coords"),
        ("panels.0.panel_coords", [0, 0, "wide", 1], "panel_coords"), ("panels.0.panel_coords", None, "panel_coords"),
        ("panels.0.panel_coords", [1, 2, 3, 4, 5], "panel_coords"), ("panels.0.panel_coords", ..., "panel_coords"),
        ("panels.0.order", -1, "order"), ("panels.0.order", "first", "order"), ("panels.0.confidence", "sure", "confidence"),
        ("panels.0.text", 7, "text"), ("panels.0.text.dialogue", [[1]], "dialogue"),
        ("panels.0.text.narration", {"a": "b"}, "narration"), ("panels.0.text.shouts", [], "shouts"),
        ("panels.0.texts", "Hi", "texts"), ("panels.0.texts.0.kind", "song", "kind"), ("panels.0.texts.0.text", None, "text"),
        ("panels.0.texts.0.bbox", [1, 2], "bbox"), ("panels.0.texts.0.smell", "x", "smell"),
        ("panels.0.colour", "red", "colour"),
        ("panels.0.polygon", [["a", "b"]], "polygon"), ("panels.0.characters", "Anda", "characters"),
        ("version", "9.9", "version"), ("version", 3, "version"), ("page_id", 7, "page_id"), ("page_size", [100], "page_size"),
        ("page_size", ["a", "b"], "page_size"), ("reading_direction", "up", "reading_direction"),
        ("provenance", "me", "provenance"), ("provenance.panel_source", "dream", "panel_source"), ("quality", 4, "quality"),
        ("quality.score", 9, "score"), ("quality.score", "good", "score"), ("unassigned_text", 5, "unassigned_text"),
        ("extra", 1, "extra"),
    ]  # fmt: skip
    for path, value, wanted in changes:
        shown = "absent" if value is ... else value
        yield Case(f"dataspec: {path} = {shown!r}", "dataspec", changed(DATASPEC, path, value), wanted)
    yield Case("dataspec: a list", "dataspec", b"[]", "wanted")
    yield Case("dataspec: cut off", "dataspec", json.dumps(DATASPEC).encode()[:90], "not valid JSON")


def coco_cases() -> Iterable[Case]:
    changes: list[tuple[str, Any, str]] = [
        ("images", ..., "no list 'images'"), ("images", {}, "no list 'images'"), ("annotations", ..., "no list 'annotations'"),
        ("annotations", 3, "no list 'annotations'"), ("images.0", 7, "images[0]"), ("images.0.id", ..., "has no id"),
        ("images.0.id", [1], "has no id"), ("images.0.width", "wide", "width"), ("images.0.width", 0, "width"),
        ("images.0.height", -5, "height"), ("images.0", {"id": 1}, "neither file_name nor page_id"),
        ("annotations.0", "x", "annotations[0]"), ("annotations.0.image_id", 99, "image_id 99"),
        ("annotations.0.image_id", ..., "image_id None"), ("annotations.0.bbox", ..., "annotations[0]"),
        ("annotations.0.bbox", [1, 2, 3], "annotations[0]"), ("annotations.0.bbox", [0, 0, -1, 5], "negative"),
        ("annotations.0.bbox", [0, 0, float("nan"), 5], "NaN"), ("annotations.0.bbox", [0, 0, float("inf"), 5], "infinite"),
        ("annotations.0.bbox", ["a", 0, 1, 1], "annotations[0]"), ("annotations.0.bbox", None, "annotations[0]"),
        ("annotations.0.score", "high", "score"), ("annotations.0.order", "first", "order"),
        ("annotations.0.order", 1, "order must differ"), ("annotations.0.order", -3, "order"),
        ("annotations.0.segmentation", [[1, 2, 3]], "segmentation"),
        ("annotations.0.segmentation", [["a", "b"]], "segmentation"),
        ("annotations.0.segmentation", ["ab"], "segmentation"), ("categories", 5, "categories"),
        ("categories.0", "panel", "categories[0]"), ("categories.0.name", "kitchen", "no category is a panel"),
        ("texts", "Hi", "texts must be a list"), ("texts.0", 5, "texts[0]"), ("texts.0.panel_id", 77, "panel_id 77"),
        ("texts.0.bbox", [1, 2], "bbox"), ("texts.0.polygon", [[1], [2]], "polygon"),
    ]  # fmt: skip
    for path, value, wanted in changes:
        shown = "absent" if value is ... else value
        yield Case(f"coco: {path} = {shown!r}", "coco", changed(COCO, path, value), wanted)
    yield Case("coco: a list", "coco", b"[1, 2]", "not a COCO file")
    yield Case("coco: not UTF-8", "coco", b'{"images": ["\xff\xfe"]}', "not valid JSON")
    yield Case("coco: empty", "coco", b"", "not valid JSON")
    yield Case("coco: nested too deep", "coco", b"[" * 100_000, "not valid JSON")


def xml_cases() -> Iterable[Case]:
    changes: list[tuple[str, str, str, str, str]] = [
        ("comix_xml", BENCHMARK_XML, "annotations", "albums", "wanted <annotations>"),
        ("comix_xml", BENCHMARK_XML, 'points="0,0 9,0 9,9 0,9"', "", "has no points="),
        ("comix_xml", BENCHMARK_XML, '"0,0 9,0 9,9 0,9"', '"0,0 9"', "points"),
        ("comix_xml", BENCHMARK_XML, '"0,0 9,0 9,9 0,9"', '"0,0 9,a"', "points"),
        ("comix_xml", BENCHMARK_XML, '"0,0 9,0 9,9 0,9"', '"0,0 nan,1"', "points"),
        ("comix_xml", BENCHMARK_XML, '"0,0 9,0 9,9 0,9"', '""', "points"),
        ("comix_xml", BENCHMARK_XML, 'order="1"', 'order="0"', "order= must be"),
        ("comix_xml", BENCHMARK_XML, 'order="1"', "", "order= must be"),
        ("comix_xml", BENCHMARK_XML, 'order="1"', 'order="last"', "order"),
        ("comix_xml", BENCHMARK_XML, 'width="100"', 'width="-1"', "width"),
        ("comix_xml", BENCHMARK_XML, 'width="100"', 'width="broad"', "width"),
        ("comix_xml", BENCHMARK_XML, 'panel_id="p1"', 'panel_id="p9"', "panel_id='p9'"),
        ("comix_xml", BENCHMARK_XML, 'confidence="0.5"', 'confidence="very"', "confidence"),
        ("comix_xml", BENCHMARK_XML, '<character id="c1"', "<character", "has no id="),
        ("comix_xml", BENCHMARK_XML, "</pages>", "", "not well-formed"),
        ("comix_xml", BENCHMARK_XML, 'id="p1"', 'id="p1" id="p2"', "not well-formed"),
        ("comix_xml", BENCHMARK_XML, "Hi", "&unknown;", "not well-formed"),
        ("manga109", MANGA109_XML, 'title="B"', "", "has no title="),
        ("manga109", MANGA109_XML, 'index="0"', "", "has no index="),
        ("manga109", MANGA109_XML, 'xmax="9"', 'xmax="-9"', "ends before it begins"),
        ("manga109", MANGA109_XML, 'xmax="9"', 'xmax="inf"', "not a number"),
        ("manga109", MANGA109_XML, 'xmin="0" ', "", "has no xmin="),
        ("manga109", MANGA109_XML, ' id="00000002"', "", "has no id="),
        ("manga109", MANGA109_XML, 'frame="00000002"', 'frame="0000000f"', "no frame of the page"),
        ("manga109", MANGA109_XML, "<book", "<annotations", "not well-formed"),
        ("acbf", ACBF_XML, ' points="0,0 9,0 9,9 0,9"', "", "has no points="),
        ("acbf", ACBF_XML, ' href="1.jpg"', "", "has no href="),
        ("acbf", ACBF_XML, "<page>", "<sheet/><page>", "wanted pages only"),
        ("acbf", ACBF_XML, "body", "torso", "has no <body>"),
    ]  # fmt: skip
    for reader, document, old, new, wanted in changes:
        assert old in document, old
        made = document.replace(old, new) if old in ("annotations", "body") else document.replace(old, new, 1)
        yield Case(f"{reader}: {old} -> {new or 'nothing'}", reader, made.encode(), wanted)
    bomb = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    yield Case(
        "comix_xml: entities that multiply", "comix_xml", (bomb + BENCHMARK_XML.replace("Hi", "&b;")).encode(), "entities"
    )
    yield Case("acbf: an entity from a file", "acbf", (outside + ACBF_XML.replace("Hi", "&x;")).encode(), "entities")
    yield Case("manga109: not XML at all", "manga109", b"\x89PNG\r\n\x1a\n", "not well-formed")
    yield Case("comix_xml: empty", "comix_xml", b"", "not well-formed")


def other_cases() -> Iterable[Case]:
    yield Case("json_sidecar: a box of three", "json_sidecar", changed(GUIDED, "pages.0.panels.0.box", [1, 2, 3]), "box")
    yield Case("json_sidecar: of the future", "json_sidecar", changed(GUIDED, "version", 99), "newer")
    yield Case("kumiko: no size", "kumiko", changed(KUMIKO, "0.size", ...), "size must be")
    yield Case("kumiko: a negative box", "kumiko", changed(KUMIKO, "0.panels.0", [0, 0, -5, 5]), "negative")
    yield Case("dcm772: a class nobody has", "dcm772", b"3 0 0 9 9\n", "class 3 is none of")
    yield Case("ebdtheque: no layers", "ebdtheque", b"<svg/>", "no layer of class")
    yield Case("imagefolder: a broken line", "imagefolder", b'{"regions": []}\n{"regions": [}\n', "line 2")


def cases() -> list[Case]:
    """All of them."""
    return [*dataspec_cases(), *coco_cases(), *xml_cases(), *other_cases()]


def verdict(case: Case, folder: Path) -> str:
    """ "" when the document is refused as it shall be, else what happened instead."""
    path = folder / "document"
    path.write_bytes(case.content)
    try:
        READERS[case.reader](path)
    except FileFormatError as error:
        return "" if case.wanted in str(error) else f"message without {case.wanted!r}: {error}"
    except Exception as error:  # noqa: BLE001  (any other exception is what this looks for)
        return f"{type(error).__name__}: {error}"
    return "accepted"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print every case")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            wrong = verdict(case, Path(folder))
            counts["wrong" if wrong else "refused as expected"] += 1
            if wrong or arguments.list:
                print(f"{'WRONG' if wrong else 'ok':5} {case.name}: {wrong or case.wanted}")
    print(f"{sum(counts.values())} documents: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
