"""The pages that are shown in full: image, panels, reading path and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comix.core.errors import ComixError, ItemError
from comix.core.workspace import Workspace
from comix.io.coco import PageDetections, read_predictions
from comix.io.dataspec import DataSpec, find_dataspec, read_dataspec
from comix.io.images import BgrImage, read_bgr
from comix.report.overlay import Point, arrow_heads, outline, path_data
from comix.report.thumbnail import crop_uri, data_uri, page_scale


@dataclass(frozen=True, slots=True)
class TextView:
    """One text; ``box`` is ``(x, y, w, h)`` in page pixels where known."""

    kind: str
    text: str
    speaker: str
    box: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PanelView:
    """One panel; ``box`` is ``(x, y, w, h)``, ``corners`` are SVG polygon points, ``badge`` the centre of its number."""

    number: int
    box: tuple[float, ...]
    corners: str
    badge: Point
    centre: Point
    texts: tuple[TextView, ...] = ()
    characters: tuple[str, ...] = ()
    description: str = ""


@dataclass(slots=True)
class PageView:
    """One page as the template shows it.

    Attributes:
        unit: page pixels per drawing unit, so that badges look alike on all pages.
        image_path: relative to the workspace.
        image: data URI, "" when the image cannot be read (then ``note`` says why).
        missing: why there is no text, "" where there is.
        made: how the text was read and attached, as label and value.
        crops: data URI, width over height and worth of the panel for the banner.
    """

    page_id: str
    anchor: str
    book_id: str
    page_num: int
    container: str
    member: str
    page_type: str
    language: str
    width: int
    height: int
    direction: str = ""
    score: int | None = None
    coverage: float | None = None
    margin: float | None = None
    is_detected: bool = False
    is_ordered: bool = False
    panels: list[PanelView] = field(default_factory=list)
    outside: list[TextView] = field(default_factory=list)
    image_path: str = ""
    image: str = ""
    note: str = ""
    missing: str = ""
    made: tuple[tuple[str, str], ...] = ()
    crops: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def unit(self) -> float:
        """Page pixels per drawing unit."""
        return round(self.width / 860 if self.shape == "wide" else max(self.width / 560, self.height / 800), 3)

    @property
    def shape(self) -> str:
        """``wide`` for strips, ``tall`` for scrolls, else ``page``."""
        return "wide" if self.width > 1.25 * self.height else "tall" if self.height > 2.2 * self.width else "page"

    @property
    def n_words(self) -> int:
        """Words on the page, outside panels too."""
        texts = [text for panel in self.panels for text in panel.texts] + self.outside
        return sum(len(one.text.split()) for one in texts)

    @property
    def path(self) -> str:
        """SVG path from panel to panel."""
        return path_data([panel.centre for panel in self.panels]) if self.is_ordered else ""

    @property
    def arrows(self) -> list[str]:
        """SVG polygons along the path."""
        return arrow_heads([panel.centre for panel in self.panels], 9 * self.unit)


class PageReader:
    """Makes views of pages; reads predictions only when a page has no DataSpec of this detector and reader."""

    def __init__(self, workspace: Workspace, detector: str, reader: str) -> None:
        self.workspace, self.detector, self.reader = workspace, detector, reader
        self._found: Mapping[str, PageDetections] | None = None

    def view(self, row: Mapping[Any, Any], position: int) -> PageView:
        """The page of one row of the frame, see `fill_frame`; ``position`` counts from 1."""
        view = PageView(
            page_id=str(row["page_id"]), anchor=f"page-{position}", book_id=str(row["book_id"]), page_num=int(row["page_num"]),
            container=str(row["container"]), member=str(row["member"]), page_type=str(row["page_type"] or "unknown"),
            language=str(row["language"]), width=int(row["width"]), height=int(row["height"]),
            direction=str(row["direction"] or row["reading_direction"]), image_path=str(row["image_path"]),
        )  # fmt: skip
        spec = self._spec(view, bool(row["is_aligned"]))
        if spec is None:
            self._add_detections(view)
            view.missing = view.missing or f"No text: align {_spoken(str(row['why_align']))}."
        else:
            _add_spec(view, spec)
        self._add_image(view)
        return view

    def _spec(self, view: PageView, is_aligned: bool) -> DataSpec | None:
        if not is_aligned:
            return None
        try:
            spec = read_dataspec(find_dataspec(self.workspace.dataspec_dir, view.page_id))
        except ComixError as error:
            view.missing = f"No text: the DataSpec cannot be read: {error}"
            return None
        made_by = (spec.provenance.detector, spec.provenance.reader)
        if made_by != (self.detector, self.reader):
            view.missing = f"No text: the DataSpec is by {' and '.join(made_by)} now; run comix align again."
            return None
        return spec

    def _add_detections(self, view: PageView) -> None:
        if self._found is None:
            path = self.workspace.predictions(self.detector)
            self._found = read_predictions(path) if path.is_file() else {}
        found = self._found.get(view.page_id)
        if found is not None:
            view.is_detected, view.is_ordered = True, found.is_ordered
            if found.is_ordered:
                view.direction, view.margin = found.reading_direction, found.margin
            for number, one in enumerate(found.panels(), start=1):
                view.panels.append(_panel(view, number, one.box.xywh, one.polygon))

    def _add_image(self, view: PageView) -> None:
        try:
            image = read_bgr(self.workspace.root / view.image_path)
        except (ItemError, OSError) as error:
            view.note = f"the page image cannot be shown: {error}"
            return
        view.image = data_uri(image, page_scale(image.shape[1], image.shape[0]))
        view.crops = _crops(view, image)


def _spoken(why: str) -> str:
    """A state of `StageLog` in a sentence.

    >>> _spoken("failed: timeout"), _spoken("not reached yet")
    ('failed (timeout)', 'has not reached this page yet')
    """
    status, _, reason = why.partition(": ")
    return f"{status} ({reason})" if reason else "has not reached this page yet"


def _add_spec(view: PageView, spec: DataSpec) -> None:
    quality, view.is_detected, view.is_ordered = spec.quality, True, True
    view.score, view.coverage, view.margin = quality.score, quality.text_coverage, quality.order_margin
    view.direction = spec.reading_direction
    made = spec.provenance
    view.made = (
        ("Model", made.reader_model), ("Panels for the reader", made.panel_source), ("Text attached by", made.assignment),
    )  # fmt: skip
    for panel in spec.panels:
        texts = _interleaved([TextView(one.kind, one.text, one.speaker or "", tuple(one.bbox or ())) for one in panel.texts])
        view.panels.append(
            _panel(view, panel.order + 1, panel.panel_coords, panel.polygon, texts, tuple(panel.characters), panel.description)
        )
    view.outside = [TextView(one.kind, one.text, one.speaker or "", tuple(one.bbox or ())) for one in spec.unassigned_text]


def _interleaved(texts: Sequence[TextView]) -> tuple[TextView, ...]:
    """Texts of all kinds from top to bottom; the reader's order within each kind stays."""
    queues = [[one for one in texts if one.kind == kind] for kind in dict.fromkeys(one.kind for one in texts)]
    if not all(one.box for one in texts):
        return tuple(texts)
    merged = []
    while any(queues):
        first = min((queue for queue in queues if queue), key=lambda queue: queue[0].box[1])
        merged.append(first.pop(0))
    return tuple(merged)


def _panel(
    view: PageView, number: int, xywh: Sequence[float], polygon: Sequence[Sequence[float]],
    texts: tuple[TextView, ...] = (), characters: tuple[str, ...] = (), description: str = "",
) -> PanelView:  # fmt: skip
    x, y, w, h = xywh
    inset, edge = 7 * view.unit, 14 * view.unit
    left = x + w - inset if view.direction == "rtl" else x + inset
    badge = (round(min(max(left, edge), view.width - edge), 1), round(min(max(y + inset, edge), view.height - edge), 1))
    centre = (x + w / 2, y + h / 2)
    return PanelView(number, (x, y, w, h), outline(xywh, polygon), badge, centre, texts, characters, description)


def _crops(view: PageView, image: BgrImage) -> list[tuple[str, float, float]]:
    """The panel that looks best in the banner: sizeable, neither strip nor pillar, not mostly white paper."""
    if view.page_type not in ("interior", "splash", "unknown"):
        return []
    bonus = 0.06 * min(len(view.panels), 6) - 0.3 * (view.shape == "wide")
    best: tuple[float, list[float]] | None = None
    for panel in view.panels:
        x, y, w, h = panel.box
        share = w * h / (view.width * view.height)
        if h < 160 or not 0.62 <= w / h <= 1.9 or share > 0.5:
            continue
        part = image[max(0, round(y)) : round(y + h) : 8, max(0, round(x)) : round(x + w) : 8]
        worth = bonus + min(share, 0.2) + float(part.std()) / 255 - float((part.min(axis=2) > 232).mean()) if part.size else 0.0
        if best is None or worth > best[0]:
            best = (worth, [x, y, w, h])
    if best is None:
        return []
    x, y, w, h = best[1]
    trim = min(w, h) * 0.03  # leaves the drawn border out
    return [(crop_uri(image, [x + trim, y + trim, w - 2 * trim, h - 2 * trim]), round(w / h, 3), best[0])]


def banner(views: Sequence[PageView], n: int = 12) -> list[tuple[PageView, str, float]]:
    """Panels for the strip under the title, books taking turns: page, data URI, width over height."""
    queues: dict[str, list[PageView]] = {}
    for view in views:
        if view.crops:
            queues.setdefault(view.book_id, []).append(view)
    for queue in queues.values():
        queue.sort(key=lambda view: -view.crops[0][2])
    chosen: list[tuple[PageView, str, float]] = []
    for turn in range(max((len(queue) for queue in queues.values()), default=0)):
        chosen += [(queue[turn], *queue[turn].crops[0][:2]) for queue in queues.values() if turn < len(queue)]
    return chosen[:n]
