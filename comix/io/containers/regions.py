"""Region-based navigation of EPUB comics: the panels and balloons that the publisher drew.

Source: EPUB Region-Based Navigation 1.0 (IDPF) and Media Fragments URI 1.0 (W3C), spatial dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

_TYPE = "{http://www.idpf.org/2007/ops}type"


@dataclass(frozen=True, slots=True)
class Region:
    """One region of a page.

    Attributes:
        kind: ``panel``, ``balloon``, ``sound-area``, ``text-area``, ``panel-group`` or what the publisher wrote.
        points: corners ``((x, y), ...)`` as shares of the page, 0 to 1.
        parent: place of the region it lies in, in the list of the same page; -1 for none.
    """

    kind: str
    points: tuple[tuple[float, float], ...]
    parent: int = -1


def read_regions(navigation: ElementTree.Element) -> dict[str, list[Region]]:
    """Page link -> its regions in reading order, of every ``nav`` of type ``region-based``.

    >>> nav = '<nav xmlns:e="http://www.idpf.org/2007/ops" e:type="region-based"><ol><li e:type="panel">'
    >>> nav += '<a href="p1.xhtml#xywh=percent:0,0,100,50"/></li></ol></nav>'
    >>> read_regions(ElementTree.fromstring(nav))
    {'p1.xhtml': [Region(kind='panel', points=((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)), parent=-1)]}
    """
    found: dict[str, list[Region]] = {}
    for element in navigation.iter():
        if _local(element) == "nav" and "region-based" in element.get(_TYPE, "").split():
            for item in _items(element):
                _take(item, "", -1, found)
    return found


def _take(item: ElementTree.Element, page: str, parent: int, found: dict[str, list[Region]]) -> None:
    """A list item's own region, then the regions inside it."""
    link = next((child for child in item if _local(child) == "a"), None)
    here, fragment = urldefrag(link.get("href", "")) if link is not None else ("", "")
    points = _points(unquote(fragment))
    if points:
        kind = (item.get(_TYPE) or (link.get(_TYPE) if link is not None else "") or "").split() or ["region"]
        regions = found.setdefault(here, [])
        regions.append(Region(kind[0], points, parent if here == page else -1))
        page, parent = here, len(regions) - 1
    for inner in _items(item):
        _take(inner, page, parent, found)


def _items(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in element:
        if _local(child) == "ol":
            yield from (item for item in child if _local(item) == "li")


def _points(fragment: str) -> tuple[tuple[float, float], ...]:
    """Corners out of ``xywh=percent:x,y,w,h`` or ``xyn=percent:x1,y1,x2,y2,...``; empty for anything else."""
    name, _, value = fragment.partition("=")
    if not value.startswith("percent:"):
        return ()
    try:
        numbers = [float(one) / 100 for one in value.removeprefix("percent:").split(",")]
    except ValueError:
        return ()
    if not all(math.isfinite(number) for number in numbers):
        return ()
    if name == "xywh" and len(numbers) == 4:
        x, y, w, h = numbers
        return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    if name == "xyn" and len(numbers) >= 6 and len(numbers) % 2 == 0:
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return ()


def in_pixels(regions: list[Region], width: int, height: int) -> list[dict[str, Any]]:
    """Regions of a page as JSON values: ``kind``, ``box`` (xywh, pixels), ``parent`` and, unless a rectangle, ``polygon``.

    >>> in_pixels([Region("panel", ((0, 0), (1, 0), (1, 0.5), (0, 0.5)))], 200, 300)
    [{'kind': 'panel', 'box': [0.0, 0.0, 200.0, 150.0], 'parent': -1}]
    """
    values = []
    for region in regions:
        xs = [round(min(max(float(x), 0.0), 1.0) * width, 2) for x, _ in region.points]
        ys = [round(min(max(float(y), 0.0), 1.0) * height, 2) for _, y in region.points]
        box = [min(xs), min(ys), round(max(xs) - min(xs), 2), round(max(ys) - min(ys), 2)]
        value: dict[str, Any] = {"kind": region.kind, "box": box, "parent": region.parent}
        corners = {(x, y) for x in (min(xs), max(xs)) for y in (min(ys), max(ys))}
        if set(zip(xs, ys, strict=True)) != corners:
            value["polygon"] = [list(point) for point in zip(xs, ys, strict=True)]
        values.append(value)
    return values


def _local(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""
