"""Manga109's own XML: one file per title, pages are double-page spreads, rectangles in whole pixels.

``frame`` is a panel, ``body`` a character; ids are eight hexadecimal digits, unique over the data set, and stay text, for
they may begin with zeros. The order of elements says nothing about reading order. CoMix writes four attributes beyond the
dialect, which other readers pass over, and only where they say something: ``order`` on frames (reading position from 0), and
on ``text`` ``kind`` (when it is no dialogue), ``frame`` (id of its panel) and ``detected="no"`` (words without a detected box).

Source: Manga109 annotation format (Aizawa et al., "Building a Manga Dataset Manga109 with Annotations for Multimedia
Applications", IEEE MultiMedia 2020).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from comix.core.errors import FileFormatError
from comix.io.formats.exchange import BookEntry, CastMember, PageEntry, Raw, Region, Words, checked_page, short
from comix.io.formats.xmltree import (
    add_in_place,
    attributes_beyond,
    clean,
    from_raw,
    local,
    namespaces_of,
    new_root,
    number_of,
    parse_xml,
    preamble_of,
    raw_of,
    required,
    set_attributes,
    xml_bytes,
)  # fmt: skip

TAGS = {"frame": "panel", "body": "character", "face": "face", "text": "text"}
_NAMES = {category: tag for tag, category in TAGS.items()}
_BOX_KEYS = ("xmin", "ymin", "xmax", "ymax")
_OWN_KEYS = ("id", *_BOX_KEYS, "order", "kind", "frame", "detected")
_IDS_PER_PAGE = 4096
"""Ids are handed out in blocks, one block per page of the page table: no id occurs twice in an export."""


_IDS_FOR_CAST = 1024
"""The last of the first page's block go to the cast."""
_HEX_ID = re.compile("[0-9a-f]{8}")


def read_book(path: Path) -> BookEntry:
    """One title.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not Manga109's dialect; says where.
    """
    root = parse_xml(path)
    where = str(path)
    if local(root) != "book":
        raise FileFormatError(f"{where}: the root element is <{local(root)}>; wanted <book>, Manga109's XML")
    title = required(where, root, "title")
    members: list[CastMember] = []
    pages: list[PageEntry] = []
    raw: list[Raw] = []
    places = {"characters": -1, "pages": -1}
    for position, child in enumerate(root):
        name = local(child)
        wanted = {"characters": "character", "pages": "page"}.get(name)
        if wanted and places[name] < 0 and not child.attrib and all(local(one) == wanted for one in child):
            places[name] = position
            if name == "characters":
                members = [_member(where, one) for one in child]
            else:
                pages = [_page(where, one, title) for one in child]
        else:
            raw.append(raw_of(child, position))
    return BookEntry(
        title=title, book_id=root.get("book_id", ""), cast=members, has_cast=places["characters"] >= 0, pages=pages, raw=raw,
        pages_position=places["pages"], cast_position=places["characters"], preamble=preamble_of(root),
        attributes=attributes_beyond(root, ("title", "book_id")), namespaces=namespaces_of(root), reading_direction="rtl",
    )  # fmt: skip


def _member(where: str, element: Any) -> CastMember:
    return CastMember(
        id=required(where, element, "id"), name=element.get("name", ""), attributes=attributes_beyond(element, ("id", "name"))
    )


def _page(where: str, element: Any, title: str) -> PageEntry:
    index = required(where, element, "index")
    here = f"{where}: page {index!r} (line {element.sourceline})"
    regions: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    raw: list[Raw] = []
    for position, child in enumerate(element):
        tag = local(child)
        if tag not in TAGS or len(child):
            raw.append(raw_of(child, position))
            continue
        region = _region(where, child, position)
        is_detected = child.get("detected") != "no"
        if tag == "text" and (child.text or "").strip():
            words.append({
                "text": child.text.strip(), "kind": child.get("kind", "dialogue"), "bbox": region["bbox"], "id": region["id"],
                "region": len(regions) if is_detected else None, "panel": child.get("frame"), "position": position,
                "attributes": {} if is_detected else region["attributes"],
            })  # fmt: skip
        if is_detected:
            regions.append(region)
    _resolve(here, regions, words)
    orders = [one["order"] for one in regions if one["category"] == "panel"]
    is_ordered = bool(orders) and None not in orders
    if is_ordered and len(set(orders)) != len(orders):
        raise FileFormatError(f"{here}: order= must differ from frame to frame, found {orders}")
    fields = {
        "label": f"{title}/{index}", "index": index, "width": number_of(where, element, "width"),
        "file_name": element.get("image") or _image_path(title, index), "height": number_of(where, element, "height"),
        "page_id": element.get("page_id", ""), "reading_direction": element.get("reading_direction", "rtl"),
        "is_ordered": is_ordered, "regions": regions, "words": words, "raw": raw,
        "attributes": attributes_beyond(element, ("index", "width", "height", "page_id", "image", "reading_direction")),
    }  # fmt: skip
    return checked_page(here, fields)


def _image_path(title: str, index: str) -> str:
    """Where the data set keeps the page's image: ``images/<title>/<NNN>.jpg``; "" for an index that is no number."""
    return f"images/{title}/{int(index):03d}.jpg" if index.isascii() and index.isdigit() else ""


def _region(where: str, element: Any, position: int) -> dict[str, Any]:
    left, top, right, bottom = (number_of(where, element, key) for key in _BOX_KEYS) if _has_box(element) else (0, 0, 0, 0)
    if right < left or bottom < top:
        raise FileFormatError(f"{where}: <{local(element)}> in line {element.sourceline} ends before it begins (xmax, ymax)")
    return {
        "category": TAGS[local(element)], "bbox": [left, top, right - left, bottom - top] if _has_box(element) else None,
        "id": required(where, element, "id"), "order": element.get("order"), "position": position,
        "attributes": attributes_beyond(element, _OWN_KEYS),
    }  # fmt: skip


def _has_box(element: Any) -> bool:
    """Words that no box was detected for may go without."""
    return element.get("detected") != "no" or element.get("xmin") is not None


def _resolve(where: str, regions: list[dict[str, Any]], words: list[dict[str, Any]]) -> None:
    panels = {one["id"]: index for index, one in enumerate(regions) if one["category"] == "panel"}
    for one in words:
        given = one["panel"]
        if given == "":
            one["panel"], one["is_outside"] = None, True
        elif given is not None:
            if given not in panels:
                raise FileFormatError(f"{where}: a text names frame={given!r}, which is no frame of the page")
            one["panel"] = panels[given]


def book_bytes(book: BookEntry, first_id: int = 0) -> bytes:
    """The file of one title.

    Args:
        book: what has no id gets one.
        first_id: where the ids of the book's first page begin; see `id_block`.
    """
    root = new_root("book", {}, book.namespaces, book.preamble)
    set_attributes(root, {"title": book.title, "book_id": book.book_id or None, **book.attributes})
    taken = {one.id for page in book.pages for one in [*page.regions, *page.words]} | {one.id for one in book.cast}
    nodes = [(one.position, from_raw(one.xml)) for one in book.raw]
    if book.has_cast or book.cast:
        cast_element = etree.Element("characters")
        for number, member in enumerate(book.cast, start=1):
            name = member.id if _HEX_ID.fullmatch(member.id) else f"{first_id + _IDS_PER_PAGE - number:08x}"
            child = etree.SubElement(cast_element, "character")
            set_attributes(child, {"id": name, "name": member.name, **member.attributes})
        nodes.append((book.cast_position, cast_element))
    pages = etree.Element("pages")
    for number, page in enumerate(book.pages):
        pages.append(_page_element(page, _fresh_ids(first_id + number * _IDS_PER_PAGE, taken)))
    nodes.append((book.pages_position, pages))
    add_in_place(root, nodes)
    return xml_bytes(root)


def id_block(page_position: int) -> int:
    """The first of the ids that a page's elements get, from its place in the page table.

    >>> f"{id_block(3):08x}"
    '00003000'
    """
    return page_position * _IDS_PER_PAGE


def _fresh_ids(first: int, taken: set[str]) -> Iterator[str]:
    for value in range(first, first + _IDS_PER_PAGE - _IDS_FOR_CAST):
        name = f"{value:08x}"
        if name not in taken:
            yield name
    raise FileFormatError(
        f"a page has more than {_IDS_PER_PAGE - _IDS_FOR_CAST} elements, more than Manga109's ids are handed out for"
    )


def _page_element(page: PageEntry, fresh: Iterator[str]) -> Any:
    element = etree.Element("page")
    set_attributes(element, {
        "index": page.index or page.label, "width": short(page.width or 0), "height": short(page.height or 0),
        "page_id": page.page_id or None, **page.attributes,
        "image": None if page.file_name == _image_path(page.label.rpartition("/")[0], page.index) else page.file_name or None,
        "reading_direction": None if page.reading_direction in ("rtl", "") else page.reading_direction,
    })  # fmt: skip
    ids = [one.id or next(fresh) for one in page.regions]
    filled = {one.region: one for one in page.words if one.region is not None}
    nodes = [(one.position, from_raw(one.xml)) for one in page.raw]
    for index, one in enumerate(page.regions):
        if one.category in _NAMES:
            nodes.append((one.position, _element(_NAMES[one.category], one, ids[index], filled.get(index), ids)))
    for words in page.words:
        if words.region is None or page.regions[words.region].category not in _NAMES:
            nodes.append((words.position, _element("text", words, words.id or next(fresh), words, ids)))
    add_in_place(element, nodes)
    return element


def _element(tag: str, one: Region | Words, name: str, words: Words | None, ids: list[str]) -> Any:
    element = etree.Element(tag)
    set_attributes(element, {"id": name})
    if one.bbox is not None:
        x, y, w, h = one.bbox
        edges = (round(x), round(y), round(x + w), round(y + h))
        set_attributes(element, {key: str(edge) for key, edge in zip(_BOX_KEYS, edges, strict=True)})
    set_attributes(element, one.attributes)
    if isinstance(one, Region) and one.order is not None:
        element.set("order", str(one.order))
    if words is not None:
        element.text = clean(words.text)
        set_attributes(element, {
            "kind": None if words.kind == "dialogue" else words.kind, "detected": "no" if isinstance(one, Words) else None,
            "frame": "" if words.is_outside else None if words.panel is None else ids[words.panel],
        })  # fmt: skip
    return element


def lost(page: PageEntry) -> int:
    """Regions that the dialect has no tag for: balloons and onomatopoeia."""
    return sum(one.category not in _NAMES for one in page.regions)
