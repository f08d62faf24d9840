"""The `order` stage: reading order written into the COCO file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from comix.core.errors import FileFormatError
from comix.core.files import digest
from comix.core.geometry import Box
from comix.core.order import Direction, FoundDirection, Method, find_direction, order_panels
from comix.core.page import Detection
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.detect.letterlines import lettering_direction
from comix.detect.stage import boxes_digest, derive_predictions, detected_pages
from comix.io.coco import PageDetections, read_predictions
from comix.io.tables import count_pages, iter_pages

ORDER_VERSION = "2"
"""Part of every fingerprint."""
_TEXTS = frozenset({"text", "balloon"})


@dataclass(frozen=True, slots=True)
class OrderRule:
    """How pages are ordered.

    Attributes:
        method: see `order_panels`.
        direction: ``ltr``, ``rtl``, or ``auto``, see `find_direction`.
        spread: whether images show two pages; None where each page tells.
        look: pages of a book whose letters are looked at when neither metadata nor language tell its direction.
    """

    method: Method = "auto"
    direction: str = "auto"
    spread: bool | None = None
    look: int = 0


@dataclass(frozen=True, slots=True)
class PageOrderer:
    """Orders one page's panels; the worker of this stage."""

    rule: OrderRule

    def __call__(self, job: tuple[PageDetections | None, FoundDirection]) -> Outcome:
        """Reading positions of one page's detections as a journal result; only panels have one."""
        page, way = job
        if page is None:
            return Outcome("skipped", "upstream_failed", "no detections for this page")
        members = [index for index, one in enumerate(page.detections) if one.category == "panel"]
        boxes = [page.detections[index].box for index in members]
        order = order_panels(boxes, way.direction, self.rule.method, (page.width, page.height), self.rule.spread)
        ranks: list[int | None] = [None] * len(page.detections)
        for rank, position in enumerate(order.indices):
            ranks[members[position]] = rank
        return Outcome(
            result={
                "order": ranks, "margin": order.margin, "notes": order.notes, "reading_direction": way.direction,
                "direction_from": way.origin, "direction_confidence": way.confidence, "boxes": boxes_digest(page.detections),
            }
        )  # fmt: skip


def _detections(found: Mapping[str, PageDetections], page_id: str) -> tuple[Detection, ...]:
    return found[page_id].detections if page_id in found else ()


def text_boxes(detections: Sequence[Detection]) -> list[Box]:
    """Boxes of the texts among what was found on a page; of the balloons where no text is marked."""
    texts = [one.box for one in detections if one.category == "text"]
    return texts or [one.box for one in detections if one.category in _TEXTS]


def build_orderer(rule: OrderRule) -> PageOrderer:
    """The worker."""
    return PageOrderer(rule)


def run_order(workspace: Workspace, detector: str, rule: OrderRule, options: RunOptions) -> Summary:
    """Order the panels of every page of one detector and write the order into its COCO file.

    Args:
        workspace: holds ``detections/<detector>/predictions.json``.
        detector: whose boxes.
        rule: how; see `OrderRule`.
        options: see `RunOptions`; ``limit`` counts pages.

    Returns:
        Counts over pages; one without detections is skipped.

    Raises:
        FileFormatError: the COCO file was changed by hand.
    """
    path = workspace.require_predictions(detector)
    found, n_pages = read_predictions(path), count_pages(workspace.require_pages())
    items = _items(workspace, detector, found, rule)
    build: Callable[[], PageOrderer] = partial(build_orderer, rule)
    with stage_journal(workspace.journal("order"), detector, options.shard) as journal:
        summary = run_stage("order", "pages", items, build, journal, options, n_pages)
        if not options.shard.is_all:
            return summary
        pages = journal.along(iter_pages(workspace.pages_table), attrgetter("page_id"))
        unsure = assumed = 0
        for _, status, result in pages:
            unsure += status == "done" and "tie" in result.get("notes", ())
            assumed += status == "done" and result.get("direction_from") == "default"
    derive_predictions(workspace, detector)
    guess = f"; {assumed} read from the left because nothing says otherwise (look=3 looks at their letters)" if assumed else ""
    summary.notes.append(f"{unsure} pages with an order to look at{guess}; {path}")
    return summary


def _seen_directions(workspace: Workspace, rule: OrderRule) -> dict[str, tuple[Direction, float]]:
    """Direction of the books that nothing else tells of, from the letters on every second page after the cover."""
    if rule.look == 0 or rule.direction != "auto":
        return {}
    chosen: dict[str, list[Path]] = {}
    for page in iter_pages(workspace.pages_table):
        if not page.reading_direction and not page.language:
            paths = chosen.setdefault(page.book_id, [])
            if page.page_num % 2 and len(paths) <= rule.look:
                paths.append(workspace.root / page.image_path)
    return {book: lettering_direction(paths[1:] or paths) for book, paths in chosen.items()}


def _items(workspace: Workspace, detector: str, found: Mapping[str, PageDetections], rule: OrderRule) -> Iterator[Item]:
    seen = _seen_directions(workspace, rule)
    for page, current in detected_pages(workspace, detector):
        texts = [] if current is None else text_boxes(current.detections)
        way = find_direction(rule.direction, page.reading_direction, page.language, texts, seen.get(page.book_id, ("ltr", 0.0)))
        boxes = "" if current is None else boxes_digest(current.detections)
        if current is not None and boxes != boxes_digest(_detections(found, page.page_id)):
            raise FileFormatError(
                f"{workspace.predictions(detector)}: the boxes of {page.page_id} are not those that detect found. To go on "
                "with detect's, run comix detect again, it restores the file; to use edited boxes: "
                "comix detect detector=replay detector.path=FILE"
            )
        shape = digest(ORDER_VERSION, rule.method, rule.spread, way.direction, way.origin, way.confidence, boxes)
        yield Item(page.page_id, (current, way), shape, group=page.book_id)
