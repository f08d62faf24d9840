"""XML files in and out: nothing outside the file is ever read, no entity is expanded, what is not understood is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from comix.core.errors import FileFormatError, MissingInputError
from comix.io.formats.exchange import Point, Raw, short

MAX_BYTES = 512 << 20
"""An annotation file above this size is refused: documents are read whole."""


_AS_IT_WAS = "\ue0ff"
"""Stands behind a kept piece while a document is put together: white space inside it is not ours to change."""


def parse_xml(path: Path) -> Any:
    """The root element of an XML file.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not well-formed, too large, or it declares entities of its own.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; wanted an XML file") from None
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror}); wanted an XML file") from error
    if size > MAX_BYTES:
        raise FileFormatError(f"{path}: {size >> 20} MiB of XML; wanted at most {MAX_BYTES >> 20} MiB, one book per file")
    return parse_bytes(data, str(path))


def parse_bytes(data: bytes, where: str) -> Any:
    """The root element of XML in memory; ``where`` opens the message of a fault.

    Raises:
        FileFormatError: as `parse_xml`.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FileFormatError(f"{where}: not well-formed XML ({error}); write the file again or remove it") from error
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise FileFormatError(f"{where}: declares entities of its own, which are never expanded; remove its DOCTYPE")
    return root


def local(element: Any) -> str:
    """An element's name without namespace; "" for comments and processing instructions."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def required(where: str, element: Any, name: str) -> str:
    """The value of an attribute that must be there.

    Raises:
        FileFormatError: it is not.
    """
    value = element.get(name)
    if value is None:
        raise FileFormatError(f"{where}: <{local(element)}> in line {element.sourceline} has no {name}=")
    return str(value)


def number_of(where: str, element: Any, name: str) -> float:
    """An attribute that must be a finite number.

    Raises:
        FileFormatError: absent, or not one.
    """
    text = required(where, element, name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FileFormatError(f"{where}: <{local(element)}> in line {element.sourceline}: {name}={text!r} is not a number")
    return value


def points_of(where: str, element: Any, name: str = "points", least: int = 2) -> list[Point]:
    """An attribute of the form ``x0,y0 x1,y1 ...``.

    Raises:
        FileFormatError: absent, fewer than ``least`` points, or not finite numbers.
    """
    text = required(where, element, name)
    points: list[Point] = []
    try:
        for pair in text.split():
            x, y = (float(part) for part in pair.split(","))
            points.append((x, y))
    except ValueError:
        points = []
    if len(points) < least or not all(math.isfinite(value) for point in points for value in point):
        raise FileFormatError(
            f"{where}: <{local(element)}> in line {element.sourceline}: {name}={text[:60]!r} is no list of {least} or more "
            "points; wanted 'x0,y0 x1,y1 ...'"
        )
    return points


def points_text(points: Iterable[Sequence[float]], whole: bool = False) -> str:
    """Points as ``x0,y0 x1,y1 ...``.

    Args:
        points: ``(x, y)`` each.
        whole: round to whole pixels.

    >>> points_text([(0, 0.5), (10.25, 3)])
    '0,0.5 10.25,3'
    """
    return " ".join(f"{short(round(x) if whole else x)},{short(round(y) if whole else y)}" for x, y in points)


def attributes_beyond(element: Any, known: Iterable[str]) -> dict[str, str]:
    """Attributes that are not among the known ones; names in ``{namespace}name`` form."""
    return {str(name): str(value) for name, value in element.attrib.items() if name not in set(known)}


def raw_of(element: Any, position: int) -> Raw:
    """A node as XML text, with its place."""
    return Raw(position=position, xml=etree.tostring(element, encoding="unicode", with_tail=False))


def from_raw(xml: str) -> Any:
    """The node of a `Raw` piece.

    Raises:
        FileFormatError: not the XML text of one node.
    """
    holder = parse_bytes(f"<holder>{xml}</holder>".encode(), "a kept XML piece")
    if len(holder) != 1:
        raise FileFormatError(f"a kept XML piece holds {len(holder)} nodes, wanted one: {xml[:60]!r}")
    node = holder[0]
    node.tail = _AS_IT_WAS
    return node


def preamble_of(root: Any) -> list[str]:
    """Comments and processing instructions before the root element."""
    found = [etree.tostring(one, encoding="unicode", with_tail=False) for one in root.itersiblings(preceding=True)]
    return found[::-1]


def namespaces_of(root: Any) -> dict[str, str]:
    """Prefixes that the root declares, "" for the default namespace."""
    return {prefix or "": uri for prefix, uri in root.nsmap.items()}


def new_root(name: str, attributes: Mapping[str, str], namespaces: Mapping[str, str], preamble: Sequence[str] = ()) -> Any:
    """A root element with its namespaces and what stands before it."""
    root = etree.Element(name, nsmap={prefix or None: uri for prefix, uri in namespaces.items()} or None)
    for key, value in attributes.items():
        root.set(key, value)
    for piece in preamble:
        node = from_raw(piece)
        node.tail = None
        root.addprevious(node)
    return root


def add_in_place(parent: Any, nodes: Iterable[tuple[int, Any]]) -> None:
    """Append nodes in the order of their positions; those without one (-1) come last, as given."""
    for _, node in sorted(nodes, key=lambda pair: pair[0] if pair[0] >= 0 else 1 << 62):
        parent.append(node)


def set_attributes(element: Any, attributes: Mapping[str, str | None]) -> None:
    """Set those that have a value, characters that XML cannot hold left out."""
    for name, value in attributes.items():
        if value is not None:
            element.set(name, clean(value))


def clean(text: str) -> str:
    """Text without the control characters that XML cannot hold.

    >>> clean("a\\x00b")
    'ab'
    """
    return "".join(char for char in text if char in "\t\n\r" or (ord(char) >= 32 and not 0xD800 <= ord(char) <= 0xDFFF
                   and ord(char) not in (0xFFFE, 0xFFFF)))  # fmt: skip


def xml_bytes(root: Any) -> bytes:
    """The document in UTF-8 with a final newline, indented, except inside kept pieces and texts."""
    _indent(root, "\n")
    data: bytes = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
    return data if data.endswith(b"\n") else data + b"\n"


def _indent(element: Any, line: str) -> None:
    if not len(element) or element.text:
        return
    element.text = line + "  "
    for child in element:
        is_kept, child.tail = child.tail == _AS_IT_WAS, line + "  "
        if not is_kept:
            _indent(child, line + "  ")
    element[-1].tail = line
