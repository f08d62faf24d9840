"""What every foreign format is read into and written from: pages with regions and words.

One model in the middle, so that a format needs one reader and one writer and not one converter per pair of formats. What a
format says beyond it (unknown attributes and elements) is carried along as it stands, so that the document can be written
again whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from comix.core.errors import FileFormatError
from comix.core.geometry import Box

Category = Literal["panel", "character", "balloon", "text", "onomatopoeia", "face"]
Kind = Literal["dialogue", "thought", "narration", "sfx"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Point = tuple[Number, Number]
BBox = tuple[Number, Number, Number, Number]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Placed(_Model):
    """What stands somewhere in a document.

    Attributes:
        id: as the document says it, a string; "" when it has none.
        attributes: what the document says of it that has no field here.
        position: place among the page's elements in the document, from 0; -1 when it came from elsewhere.
    """

    id: str = ""
    attributes: dict[str, str] = {}
    position: int = -1


class Region(_Placed):
    """One thing marked on a page.

    Attributes:
        bbox: ``(x, y, w, h)`` pixels of the page.
        polygon: corner points, first not repeated at the end; empty when the box says it all.
        score: 0 to 1; 1 where a person drew it.
        order: reading position from 0 of a panel; None when the document has no order.
        characters: names of who is seen in a panel.
        description: of a panel, in the reader's words.
    """

    category: Category
    bbox: BBox
    polygon: list[Point] = []
    score: Number = 1.0
    order: int | None = Field(default=None, ge=0)
    characters: list[str] = []
    description: str = ""

    @field_validator("bbox")
    @classmethod
    def _has_extent(cls, value: BBox) -> BBox:
        if value[2] < 0 or value[3] < 0:
            raise ValueError(f"the box {list(value)} has negative extent; wanted [x, y, width, height]")
        return value

    @property
    def box(self) -> Box:
        """The region's box."""
        return Box(*self.bbox)


class Words(_Placed):
    """Literal words.

    Attributes:
        bbox: ``(x, y, w, h)`` pixels where known.
        panel: place in the page's ``regions`` of the panel they belong to; None when the document does not say.
        region: place in ``regions`` of the text box they fill; None when no such box is among the regions.
        is_outside: the document says that they stand in no panel.
        is_linked: the speaker comes from a link element of the document, not from an attribute.
    """

    text: str
    kind: Kind = "dialogue"
    bbox: BBox | None = None
    polygon: list[Point] = []
    speaker: str | None = None
    confidence: Number | None = None
    panel: int | None = Field(default=None, ge=0)
    region: int | None = Field(default=None, ge=0)
    is_outside: bool = False
    is_linked: bool = False


class Raw(_Model):
    """A piece of the document that this model has no place for, as XML text, with its place among its siblings."""

    position: int
    xml: str


class PageEntry(_Model):
    """One page of a foreign document.

    Attributes:
        label: how the document names the page, for messages.
        page_id: ours, where the document carries it.
        file_name: path of the image as the document has it.
        index: the page's number as the document has it, text; "" when it has none.
        width: pixels, or None when the document does not say; ``height`` likewise.
        is_ordered: the panels' ``order`` is the reading order.
        margin: how sure the order is, 0 to 1; None when unknown.
    """

    label: str = ""
    page_id: str = ""
    file_name: str = ""
    index: str = ""
    width: Number | None = Field(default=None, gt=0)
    height: Number | None = Field(default=None, gt=0)
    reading_direction: str = ""
    page_type: str = ""
    is_ordered: bool = False
    margin: Number | None = None
    regions: list[Region] = []
    words: list[Words] = []
    attributes: dict[str, str] = {}
    raw: list[Raw] = []

    def panels(self) -> list[int]:
        """Places of the panels in ``regions``, in reading order where there is one, else in document order."""
        found = [index for index, one in enumerate(self.regions) if one.category == "panel"]
        return sorted(found, key=lambda index: self.regions[index].order if self.is_ordered else 0)  # type: ignore[arg-type,return-value]


class CastMember(_Model):
    """One entry of a book's cast."""

    id: str
    name: str
    attributes: dict[str, str] = {}


class BookEntry(_Model):
    """One book of a foreign document.

    Attributes:
        title: as the document has it.
        book_id: ours, where the document carries it.
        has_cast: the document lists its cast, be it empty.
        position: place among the document's elements; ``pages_position`` that of its pages inside the book, and
            ``cast_position`` that of its cast.
        preamble: comments and processing instructions before the root element.
        namespaces: prefixes that the root element declares.
    """

    title: str = ""
    book_id: str = ""
    language: str = ""
    reading_direction: str = ""
    cast: list[CastMember] = []
    has_cast: bool = False
    pages: list[PageEntry] = []
    attributes: dict[str, str] = {}
    raw: list[Raw] = []
    position: int = -1
    pages_position: int = -1
    cast_position: int = -1
    preamble: list[str] = []
    namespaces: dict[str, str] = {}


class Document(_Model):
    """A whole file: its books, and what stands beside them."""

    books: list[BookEntry] = []
    attributes: dict[str, str] = {}
    raw: list[Raw] = []
    preamble: list[str] = []
    namespaces: dict[str, str] = {}


def checked_page(where: str, fields: dict[str, object]) -> PageEntry:
    """A page out of values read from a file.

    Raises:
        FileFormatError: a value is not what the model wants; ``where`` opens the message.
    """
    try:
        entry = PageEntry.model_validate(fields)
    except ValidationError as error:
        raise FileFormatError(f"{where}: {fault_of(error)}") from error
    _check_references(where, entry)
    return entry


def fault_of(error: ValidationError) -> str:
    """The first fault of a pydantic error: the field, what is wrong with it, and how many there are."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place or 'the value'}: {first['msg']} ({error.error_count()} faults)"


def _check_references(where: str, entry: PageEntry) -> None:
    """Words name regions that are there, and an order has one place for each panel."""
    orders = [one.order for one in entry.regions if one.category == "panel"]
    if entry.is_ordered and (None in orders or len(set(orders)) != len(orders)):
        raise FileFormatError(f"{where}: order must differ from panel to panel, found {orders}")
    for number, words in enumerate(entry.words):
        for name, index in (("panel", words.panel), ("region", words.region)):
            if index is not None and index >= len(entry.regions):
                raise FileFormatError(f"{where}: words {number} name {name} {index}, the page has {len(entry.regions)} regions")
        if words.panel is not None and entry.regions[words.panel].category != "panel":
            raise FileFormatError(f"{where}: words {number} name region {words.panel}, which is no panel")


def bounds(points: Sequence[Sequence[float]]) -> BBox:
    """The ``(x, y, w, h)`` box around points, extents to a millionth, so that 1.82 - 0.82 is 1.

    >>> bounds([(1, 2), (5, 2), (4, 9)])
    (1, 2, 4, 7)
    """
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return (min(xs), min(ys), round(max(xs) - min(xs), 6), round(max(ys) - min(ys), 6))


def corners(bbox: Sequence[float]) -> list[Point]:
    """The four corners of an ``(x, y, w, h)`` box, clockwise from top left.

    >>> corners((1, 2, 4, 7))
    [(1, 2), (5, 2), (5, 9), (1, 9)]
    """
    x, y, w, h = bbox
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def outline(polygon: Sequence[Sequence[float]]) -> tuple[BBox, list[Point]]:
    """Box and polygon of points out of a file: a closing point is dropped, an upright rectangle needs no polygon.

    >>> outline([(0, 0), (4, 0), (4, 3), (0, 3), (0, 0)])
    ((0.0, 0.0, 4.0, 3.0), [])
    >>> outline([(0, 0), (4, 1), (4, 3)])[1]
    [(0.0, 0.0), (4.0, 1.0), (4.0, 3.0)]
    """
    points: list[Point] = [(float(x), float(y)) for x, y in polygon]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    box = bounds(points)
    return box, [] if _same(points, corners(box)) else points


def _same(points: Sequence[Point], others: Sequence[Point]) -> bool:
    """Whether these are the same points, to a millionth of a pixel."""
    return len(points) == len(others) and all(
        abs(x - a) < 1e-6 and abs(y - b) < 1e-6 for (x, y), (a, b) in zip(points, others, strict=True)
    )


def short(value: float) -> str:
    """A number as text to a hundredth of a pixel, without needless digits.

    >>> short(12.0), short(12.5), short(0.123)
    ('12', '12.5', '0.12')
    """
    rounded = round(float(value), 2)
    return str(int(rounded)) if rounded == int(rounded) else repr(rounded)


def with_order_by_place(regions: Sequence[Region]) -> list[Region]:
    """The regions with panels numbered as they stand, for formats whose panel list is the reading order."""
    numbered, rank = [], 0
    for one in regions:
        if one.category == "panel":
            one, rank = one.model_copy(update={"order": rank}), rank + 1  # noqa: PLW2901
        numbered.append(one)
    return numbered
