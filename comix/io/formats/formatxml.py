"""The XML of the CoMix benchmark (its FORMAT.md): books, cast, pages, and regions as polygons.

What the format leaves open is settled here: coordinates are written as short as they are, to a hundredth of a pixel; points
clockwise from top left, the closing point never repeated; the words of a ``text`` are its element text; a panel may carry
``order`` (reading position from 0), a region ``bbox`` (x y w h) where its box is not that of its polygon, a text ``kind``,
``panel_id``, ``speaker`` and ``detected="no"`` (words without a detected box), and a page ``image`` (path), ``page_id`` and
``reading_direction``. A ``character`` below ``characters`` is an entry of the cast, below ``page`` a body. In a ``link_sbsc``
the ``character_id`` names the body and ``text_id`` the text it speaks. Unknown elements and attributes are kept and written
again where they stood.

Source: FORMAT.md of the CoMix benchmark (Vivoli et al., "CoMix: A Comprehensive Benchmark for Multi-Task Comic Understanding").
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lxml import etree

from comix.core.errors import FileFormatError
from comix.io.formats.exchange import (
    BookEntry,
    CastMember,
    Document,
    PageEntry,
    Raw,
    Region,
    Words,
    bounds,
    checked_page,
    corners,
    outline,
    short,
)  # fmt: skip
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
    set_attributes,
    xml_bytes,
)  # fmt: skip

REGION_TAGS = ("panel", "text", "character", "balloon", "face", "onomatopoeia")
_PAGE_KEYS = ("id", "width", "height", "type", "image", "page_id", "reading_direction", "order_margin")
_REGION_KEYS = ("id", "points", "bbox", "order", "score", "characters", "description")
_TEXT_KEYS = (*_REGION_KEYS, "kind", "panel_id", "speaker", "confidence", "detected")
_SEPARATOR = "; "


def read_document(path: Path) -> Document:
    """A FORMAT.md file.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not this format; says where.
    """
    root = parse_xml(path)
    where = str(path)
    if local(root) != "annotations":
        raise FileFormatError(f"{where}: the root element is <{local(root)}>; wanted <annotations>, the CoMix benchmark's XML")
    books, raw = [], []
    for position, child in enumerate(root):
        if local(child) == "book":
            books.append(_book(where, child, position))
        else:
            raw.append(raw_of(child, position))
    return Document(
        books=books, raw=raw, attributes=attributes_beyond(root, ()), preamble=preamble_of(root), namespaces=namespaces_of(root)
    )


def _book(where: str, element: Any, position: int) -> BookEntry:
    title = element.get("title", "")
    members: list[CastMember] = []
    pages: list[PageEntry] = []
    raw: list[Raw] = []
    places = {"characters": -1, "pages": -1}
    for place, child in enumerate(element):
        name = local(child)
        if name in places and places[name] < 0 and not child.attrib:
            places[name] = place
        if name == "characters" and places[name] == place and all(local(one) == "character" for one in child):
            members = [_cast_member(where, one) for one in child]
        elif name == "pages" and places[name] == place and all(local(one) == "page" for one in child):
            names = {one.id: one.name for one in members}
            pages = [_page(where, one, number, names) for number, one in enumerate(child)]
        else:
            raw.append(raw_of(child, place))
            places = {key: -1 if value == place else value for key, value in places.items()}
    return BookEntry(
        title=title, book_id=element.get("book_id", ""), language=element.get("language", ""), cast=members,
        has_cast=places["characters"] >= 0, pages=pages, raw=raw, position=position, pages_position=places["pages"],
        cast_position=places["characters"], attributes=attributes_beyond(element, ("title", "book_id", "language")),
    )  # fmt: skip


def _cast_member(where: str, element: Any) -> CastMember:
    if element.get("id") is None:
        raise FileFormatError(f"{where}: a cast <character> in line {element.sourceline} has no id=")
    return CastMember(id=element.get("id"), name=element.get("name", ""), attributes=attributes_beyond(element, ("id", "name")))


def _page(where: str, element: Any, number: int, names: dict[str, str]) -> PageEntry:
    label = element.get("id") or f"#{number}"
    here = f"{where}: page {label!r} (line {element.sourceline})"
    regions: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    raw: list[Raw] = []
    for position, child in enumerate(element):
        tag = local(child)
        if tag not in REGION_TAGS or len(child):
            raw.append(raw_of(child, position))
            continue
        region = _region(where, child, position, tag)
        text = (child.text or "").strip()
        if tag == "text" and text:
            words.append(_words(child, region, text, None if child.get("detected") == "no" else len(regions)))
        if child.get("detected") != "no":
            regions.append(region)
    _resolve(here, regions, words, element, names)
    margin = element.get("order_margin")
    fields = {
        "label": label, "index": element.get("id", ""), "page_id": element.get("page_id", ""),
        "file_name": element.get("image", ""), "width": element.get("width"), "height": element.get("height"),
        "page_type": element.get("type", ""), "reading_direction": element.get("reading_direction", ""),
        "margin": margin, "is_ordered": _is_ordered(here, regions), "regions": regions,
        "words": words, "attributes": attributes_beyond(element, _PAGE_KEYS), "raw": raw,
    }  # fmt: skip
    return checked_page(here, fields)


def _is_ordered(where: str, regions: list[dict[str, Any]]) -> bool:
    """Whether every panel has its own ``order``; some of them with and some without is a fault."""
    orders = [one["order"] for one in regions if one["category"] == "panel"]
    given = [order for order in orders if order is not None]
    if given and (len(given) != len(orders) or len(set(given)) != len(given)):
        raise FileFormatError(f"{where}: order= must be on every panel and differ, found {orders}")
    return bool(given)


def _region(where: str, element: Any, position: int, tag: str) -> dict[str, Any]:
    box: Any = None
    polygon: Any = []
    if element.get("detected") != "no" or element.get("points") is not None:
        box, polygon = outline(points_of(where, element))
    if element.get("bbox") is not None:
        box = element.get("bbox").split(" ")
    keys = _TEXT_KEYS if tag == "text" else _REGION_KEYS
    return {
        "category": tag, "bbox": box, "polygon": polygon, "id": element.get("id", ""), "order": element.get("order"),
        "score": element.get("score", 1.0), "characters": _listed(element.get("characters")),
        "description": element.get("description", ""), "position": position, "attributes": attributes_beyond(element, keys),
    }  # fmt: skip


def _listed(value: str | None) -> list[str]:
    """Names; a list in JSON where a name holds the separator itself."""
    if value is None or not value.startswith("["):
        return value.split(_SEPARATOR) if value else []
    try:
        names = json.loads(value)
    except ValueError:
        names = None
    return [str(name) for name in names] if isinstance(names, list) else [value]


def _joined(names: list[str]) -> str | None:
    """What `_listed` reads.

    >>> _listed(_joined(["A", "B; C"])), _joined(["A", "B"])
    (['A', 'B; C'], 'A; B')
    """
    plain = all(_SEPARATOR not in name and name and not name.startswith("[") for name in names)
    return (_SEPARATOR.join(names) if plain else json.dumps(names, ensure_ascii=False)) if names else None


def _words(element: Any, region: dict[str, Any], text: str, index: int | None) -> dict[str, Any]:
    return {
        "text": text, "kind": element.get("kind", "dialogue"), "bbox": region["bbox"], "polygon": region["polygon"],
        "speaker": element.get("speaker"), "confidence": element.get("confidence"), "region": index, "id": region["id"],
        "position": region["position"], "attributes": region["attributes"] if index is None else {},
        "panel": element.get("panel_id"),
    }  # fmt: skip


def _resolve(
    where: str, regions: list[dict[str, Any]], words: list[dict[str, Any]], element: Any, names: dict[str, str]
) -> None:
    """Panel ids become places, and links name the speaker of a text."""
    panels = {one["id"]: index for index, one in enumerate(regions) if one["category"] == "panel" and one["id"]}
    bodies = {one["id"]: one["attributes"].get("character_id", "") for one in regions if one["category"] == "character"}
    speakers = {
        child.get("text_id"): names.get(bodies.get(child.get("character_id", ""), ""), "")
        for child in element
        if local(child) == "link_sbsc"
    }
    for one in words:
        given = one["panel"]
        if given == "":
            one["panel"], one["is_outside"] = None, True
        elif given is not None:
            if given not in panels:
                raise FileFormatError(f"{where}: a text names panel_id={given!r}, which is no panel of the page")
            one["panel"] = panels[given]
        if one["speaker"] is None and one["id"] and speakers.get(one["id"]):
            one["speaker"], one["is_linked"] = speakers[one["id"]], True


def document_bytes(document: Document) -> bytes:
    """The file as it is written; ``read_document`` of it gives the same document."""
    root = new_root("annotations", document.attributes, document.namespaces, document.preamble)
    nodes = [(one.position, _book_element(one)) for one in document.books]
    add_in_place(root, [*((one.position, from_raw(one.xml)) for one in document.raw), *nodes])
    return xml_bytes(root)


def book_bytes(book: BookEntry) -> bytes:
    """A file with one book."""
    return document_bytes(Document(books=[book], preamble=book.preamble, namespaces=book.namespaces))


def _book_element(book: BookEntry) -> Any:
    element = etree.Element("book")
    set_attributes(element, {"title": book.title, "book_id": book.book_id or None, "language": book.language or None})
    set_attributes(element, book.attributes)
    nodes = [(one.position, from_raw(one.xml)) for one in book.raw]
    if book.has_cast or book.cast:
        cast_element = etree.Element("characters")
        for member in book.cast:
            set_attributes(
                etree.SubElement(cast_element, "character"), {"id": member.id, "name": member.name, **member.attributes}
            )
        nodes.append((book.cast_position, cast_element))
    pages = etree.Element("pages")
    for page in book.pages:
        pages.append(_page_element(page))
    nodes.append((book.pages_position, pages))
    add_in_place(element, nodes)
    return element


def _page_element(page: PageEntry) -> Any:
    element = etree.Element("page")
    size = {name: None if value is None else short(value) for name, value in (("width", page.width), ("height", page.height))}
    set_attributes(element, {"id": page.index or page.label, **size, "type": page.page_type or None})
    set_attributes(element, {
        "image": page.file_name or None, "page_id": page.page_id or None, "reading_direction": page.reading_direction or None,
        "order_margin": None if page.margin is None else repr(page.margin),
    })  # fmt: skip
    set_attributes(element, page.attributes)
    ids = _panel_ids(page)
    filled: dict[int | None, Words] = {one.region: one for one in page.words if one.region is not None}
    nodes = [(one.position, from_raw(one.xml)) for one in page.raw]
    nodes += [(one.position, _region_element(page, one, index, ids, filled)) for index, one in enumerate(page.regions)]
    nodes += [(one.position, _words_element(page, one, ids)) for one in page.words if one.region is None]
    add_in_place(element, nodes)
    return element


def _panel_ids(page: PageEntry) -> dict[int, str]:
    """An id for every panel: its own, else one made from its place."""
    return {index: page.regions[index].id or f"p{index}" for index in page.panels()}


def _region_element(page: PageEntry, one: Region, index: int, ids: dict[int, str], filled: dict[int | None, Words]) -> Any:
    element = etree.Element(one.category)
    words = filled.get(index)
    needs_id = one.category == "panel" and any(each.panel == index for each in page.words)
    set_attributes(element, {
        "id": one.id or (ids[index] if needs_id else None), "points": points_text(one.polygon or corners(one.bbox)),
        "order": None if one.order is None else str(one.order), "score": None if one.score == 1 else repr(one.score),
        "bbox": " ".join(map(short, one.bbox)) if one.polygon and bounds(one.polygon) != one.bbox else None,
        "characters": _joined(one.characters), "description": one.description or None,
    })  # fmt: skip
    set_attributes(element, one.attributes)
    if words is not None:
        _fill(element, words, ids)
    return element


def _words_element(page: PageEntry, words: Words, ids: dict[int, str]) -> Any:
    element = etree.Element("text")
    points = None if words.bbox is None else points_text(words.polygon or corners(words.bbox))
    set_attributes(element, {"id": words.id or None, "points": points, **words.attributes, "detected": "no"})
    _fill(element, words, ids)
    return element


def _fill(element: Any, words: Words, ids: dict[int, str]) -> None:
    element.text = clean(words.text)
    panel = "" if words.is_outside else None if words.panel is None else ids[words.panel]
    set_attributes(element, {
        "kind": None if words.kind == "dialogue" else words.kind, "panel_id": panel,
        "speaker": None if words.is_linked else words.speaker,
        "confidence": None if words.confidence is None else repr(words.confidence),
    })  # fmt: skip
