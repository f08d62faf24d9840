"""ACBF 1.1: frames are panels in reading order, text layers hold the words, a file beside the pages of one book.

Reading takes the frames and one text layer (a language); everything else, other layers, meta-data, styles, jumps and mark-up
inside a text, is kept and written again as it stood. Points are whole pixels. What has no place in ACBF (scores, regions that
are no panels, words without a box) is not written; `lost` counts it.

Source: ACBF specification 1.1 (elements and attributes as its schema has them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from lxml import etree

from comix.core.errors import FileFormatError
from comix.io.formats.exchange import BookEntry, PageEntry, Raw, Region, Words, checked_page, corners, outline
from comix.io.formats.xmltree import (
    add_in_place,
    attributes_beyond,
    clean,
    from_raw,
    local,
    namespaces_of,
    new_root,
    parse_xml,
    points_of,
    points_text,
    preamble_of,
    raw_of,
    required,
    set_attributes,
    xml_bytes,
)

NAMESPACE = "http://www.acbf.info/xml/acbf/1.1"
_ID_PREFIX = "urn:comix:book:"
_LINE_END = re.compile(r"[ \t]*[\r\n]+[ \t]*")
_KINDS = {"speech": "dialogue", "thought": "thought", "audio": "sfx"}
_TYPES = {"dialogue": "speech", "thought": "thought", "narration": "commentary", "sfx": "audio"}


def read_book(path: Path, language: str = "") -> BookEntry:
    """One book.

    Args:
        path: the ``.acbf`` file.
        language: whose text layer to read; "" for the first that the file lists.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not ACBF, or no layer in this language; says where and which there are.
    """
    root = parse_xml(path)
    where = str(path)
    if local(root) != "ACBF":
        raise FileFormatError(f"{where}: the root element is <{local(root)}>; wanted <ACBF>")
    languages = list(dict.fromkeys(one.get("lang", "") for one in root.iter("{*}text-layer")))
    if language and languages and language not in languages:
        raise FileFormatError(f"{where}: no text layer in language={language}; it has {', '.join(languages)}")
    chosen = language or (languages[0] if languages else "")
    body = next((one for one in root if local(one) == "body"), None)
    if body is None:
        raise FileFormatError(f"{where}: has no <body>; wanted ACBF with pages")
    pages = [_page(where, one, number, chosen) for number, one in enumerate(body) if local(one) == "page"]
    raw = [raw_of(one, position) for position, one in enumerate(root) if one is not body]
    odd = [raw_of(one, position) for position, one in enumerate(body) if local(one) != "page"]
    if odd:
        raise FileFormatError(f"{where}: <body> holds {odd[0].xml[:40]!r}; wanted pages only")
    direction = _text(root, ".//{*}reading-direction").lower()
    return BookEntry(
        title=_text(root, ".//{*}book-title"), book_id=_own_id(root), language=chosen, pages=pages, raw=raw,
        reading_direction=direction if direction in ("ltr", "rtl") else "", pages_position=list(root).index(body),
        attributes=attributes_beyond(body, ()), namespaces=namespaces_of(root), preamble=preamble_of(root),
    )  # fmt: skip


def _text(root: Any, path: str) -> str:
    found = root.find(path)
    return "" if found is None else (found.text or "").strip()


def _own_id(root: Any) -> str:
    """The book id in a file that CoMix wrote, else ""."""
    name = _text(root, ".//{*}document-info/{*}id")
    return unquote(name.removeprefix(_ID_PREFIX)) if name.startswith(_ID_PREFIX) else ""


def _page(where: str, element: Any, number: int, language: str) -> PageEntry:
    regions: list[dict[str, Any]] = []
    raw: list[Raw] = []
    words: list[dict[str, Any]] = []
    href = ""
    for position, child in enumerate(element):
        tag = local(child)
        if tag == "frame" and not len(child):
            box, polygon = outline(points_of(where, child))
            attributes = attributes_beyond(child, ("points",))
            regions.append({"category": "panel", "bbox": box, "polygon": polygon, "order": len(regions), "position": position,
                            "attributes": attributes})  # fmt: skip
            continue
        if tag == "image" and not href:
            href = required(where, child, "href")
        if tag == "text-layer" and child.get("lang", "") == language and not words:
            words = _words(where, child)
        raw.append(raw_of(child, position))
    label = href or f"page {number + 1}"
    fields = {
        "label": label, "file_name": href, "index": str(number), "is_ordered": True, "regions": regions, "words": words,
        "attributes": attributes_beyond(element, ()), "raw": raw,
    }  # fmt: skip
    return checked_page(f"{where}: page {label!r}", fields)


def _words(where: str, layer: Any) -> list[dict[str, Any]]:
    """The texts of a layer; ACBF calls narration commentary, and has types of lettering that are narration to us."""
    found = []
    for area in layer:
        if local(area) != "text-area":
            continue
        box, polygon = outline(points_of(where, area))
        text = " ".join(_LINE_END.sub(" ", "".join(one.itertext())).strip() for one in area if local(one) == "p").strip()
        if text:
            kind = area.get("type", "speech")
            found.append({"text": text, "kind": _KINDS.get(kind, "narration"), "bbox": box, "polygon": polygon})
    return found


def book_bytes(book: BookEntry, facts: Mapping[str, str] | None = None) -> bytes:
    """The file of one book.

    Args:
        book: pages with ``file_name``; a book that was read from ACBF is written as it was.
        facts: for a new file: ``writer``, ``series``, ``issue``, ``publisher``, ``year``, ``licence``, any may be absent.
    """
    namespaces = book.namespaces or {"": NAMESPACE}
    uri = namespaces.get("", "")
    root = new_root(f"{{{uri}}}ACBF" if uri else "ACBF", {}, namespaces, book.preamble)
    nodes = [(one.position, from_raw(one.xml)) for one in book.raw]
    if not nodes:
        nodes = [(0, _meta_data(uri, book, facts or {}))]
    body = etree.Element(_name(uri, "body"))
    set_attributes(body, book.attributes)
    for page in book.pages:
        body.append(_page_element(uri, book, page))
    add_in_place(root, [*nodes, (book.pages_position, body)])
    etree.cleanup_namespaces(root, keep_ns_prefixes=[prefix for prefix in namespaces if prefix])
    return xml_bytes(root)


def _name(uri: str, tag: str) -> str:
    return f"{{{uri}}}{tag}" if uri else tag


def _add(parent: Any, uri: str, tag: str, text: str = "", **attributes: str) -> Any:
    child = etree.SubElement(parent, _name(uri, tag))
    set_attributes(child, attributes)
    if text:
        child.text = clean(text)
    return child


def _meta_data(uri: str, book: BookEntry, facts: Mapping[str, str]) -> Any:
    """Meta-data of a new file, no more than is known; author, genre and cover must be there by the schema."""
    meta = etree.Element(_name(uri, "meta-data"))
    info = _add(meta, uri, "book-info")
    for name in facts.get("writer", "").split(",") if facts.get("writer") else [""]:
        author = _add(info, uri, "author", **({"activity": "Writer"} if name else {}))
        _add(author, uri, "nickname", name.strip() or "unknown")
    _add(info, uri, "book-title", book.title)
    _add(info, uri, "genre", "manga" if book.reading_direction == "rtl" else "other")
    cover = _add(info, uri, "coverpage")
    _add(cover, uri, "image", href=book.pages[0].file_name if book.pages else "")
    if any(page.words for page in book.pages):
        _add(_add(info, uri, "languages"), uri, "text-layer", lang=book.language or "und", show="false")
    if facts.get("series"):
        _add(info, uri, "sequence", facts.get("issue", ""), title=facts["series"])
    if any(facts.get(name) for name in ("publisher", "year", "licence")):
        published = _add(meta, uri, "publish-info")
        for name, tag in (("publisher", "publisher"), ("year", "publish-date"), ("licence", "license")):
            if facts.get(name):
                _add(published, uri, tag, facts[name])
    document = _add(meta, uri, "document-info")
    _add(_add(document, uri, "author"), uri, "nickname", "CoMix")
    _add(document, uri, "id", _ID_PREFIX + quote(book.book_id))
    return meta


def _page_element(uri: str, book: BookEntry, page: PageEntry) -> Any:
    element = etree.Element(_name(uri, "page"))
    set_attributes(element, page.attributes)
    nodes = [(one.position, from_raw(one.xml)) for one in page.raw]
    if not any(local(node) == "image" for _, node in nodes):
        image = etree.Element(_name(uri, "image"))
        image.set("href", clean(page.file_name))
        nodes.insert(0, (0, image))
    written = [one for one in page.words if one.bbox is not None and one.text.strip()]
    kept = next((node for _, node in nodes if local(node) == "text-layer" and node.get("lang", "") == book.language), None)
    if kept is None or not _says(kept, written):
        nodes = [(place, node) for place, node in nodes if node is not kept]
        if written:
            nodes.append((-1, _layer(uri, book.language or "und", written)))
    for index in page.panels():
        nodes.append((page.regions[index].position, _frame(uri, page.regions[index])))
    add_in_place(element, nodes)
    return element


def _says(layer: Any, words: list[Words]) -> bool:
    """Whether a kept layer holds exactly these words in these places."""
    held = [(one["text"], tuple(one["bbox"]), one["kind"]) for one in _words("a kept layer", layer)]
    return held == [(one.text, one.bbox, one.kind) for one in words]


def _layer(uri: str, language: str, words: list[Words]) -> Any:
    layer = etree.Element(_name(uri, "text-layer"))
    layer.set("lang", language)
    for one in words:
        assert one.bbox is not None
        points = points_text(one.polygon or corners(one.bbox), whole=True)
        _add(_add(layer, uri, "text-area", points=points, type=_TYPES[one.kind]), uri, "p", one.text)
    return layer


def _frame(uri: str, panel: Region) -> Any:
    frame = etree.Element(_name(uri, "frame"))
    kept = panel.position >= 0
    set_attributes(frame, {"points": points_text(panel.polygon or corners(panel.bbox), whole=not kept), **panel.attributes})
    return frame


def lost(page: PageEntry) -> int:
    """Regions that are no panels, and words without a box: ACBF has no place for them."""
    return sum(one.category != "panel" for one in page.regions) + sum(one.bbox is None for one in page.words)
