"""The `order` stage: reading order written into the COCO file; and the same for any tool's boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, cast

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import digest, json_bytes, read_json, write_bytes
from comix.core.geometry import Box
from comix.core.order import Direction, Method, order_panels
from comix.core.page import Detection, PageRecord
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.detect.stage import boxes_digest, derive_predictions, detected_pages
from comix.io.coco import PageDetections, checked_box, read_coco, read_predictions
from comix.io.tables import count_pages, iter_pages

ORDER_VERSION = "1"
"""Part of every fingerprint."""


@dataclass(frozen=True, slots=True)
class PageOrderer:
    """Orders one page's panels; the worker of this stage."""

    method: Method

    def __call__(self, job: tuple[PageDetections | None, Direction]) -> Outcome:
        """Reading positions of one page's detections as a journal result; only panels have one."""
        page, direction = job
        if page is None:
            return Outcome("skipped", "upstream_failed", "no detections for this page")
        members = [index for index, one in enumerate(page.detections) if one.category == "panel"]
        order = order_panels([page.detections[index].box for index in members], direction, self.method)
        ranks: list[int | None] = [None] * len(page.detections)
        for rank, position in enumerate(order.indices):
            ranks[members[position]] = rank
        return Outcome(
            result={
                "order": ranks, "margin": order.margin, "reading_direction": direction,
                "boxes": boxes_digest(page.detections),
            }
        )  # fmt: skip


def _detections(found: Mapping[str, PageDetections], page_id: str) -> tuple[Detection, ...]:
    return found[page_id].detections if page_id in found else ()


def resolve_direction(direction: str, page: PageRecord) -> Direction:
    """The reading direction to use: the given one; for ``auto`` the book's metadata, then its language, else ltr."""
    if direction != "auto":
        return cast(Direction, direction)
    if page.reading_direction:
        return cast(Direction, page.reading_direction)
    return "rtl" if page.language.lower().split("-")[0] in ("ja", "ar", "he", "fa") else "ltr"


def build_orderer(method: Method) -> PageOrderer:
    """The worker."""
    return PageOrderer(method)


def run_order(workspace: Workspace, detector: str, method: Method, direction: str, options: RunOptions) -> Summary:
    """Order the panels of every page of one detector and write the order into its COCO file.

    Args:
        workspace: holds ``detections/<detector>/predictions.json``.
        detector: whose boxes.
        method: see `order_panels`.
        direction: ``ltr``, ``rtl``, or ``auto`` to go by each book's metadata.
        options: see `RunOptions`; ``limit`` counts pages.

    Returns:
        Counts over pages; one without detections is skipped.

    Raises:
        FileFormatError: the COCO file was changed by hand.
    """
    path = workspace.require_predictions(detector)
    found, n_pages = read_predictions(path), count_pages(workspace.require_pages())
    items = _items(workspace, detector, found, method, direction)
    build: Callable[[], PageOrderer] = partial(build_orderer, method)
    with stage_journal(workspace.journal("order"), detector, options.shard) as journal:
        summary = run_stage("order", "pages", items, build, journal, options, n_pages)
        if not options.shard.is_all:
            return summary
        pages = journal.along(iter_pages(workspace.pages_table), attrgetter("page_id"))
        unsure = sum(status == "done" and result["margin"] == 0 for _, status, result in pages)
    derive_predictions(workspace, detector)
    summary.notes.append(f"{unsure} pages with an order to look at; {path}")
    return summary


def _items(
    workspace: Workspace, detector: str, found: Mapping[str, PageDetections], method: Method, direction: str
) -> Iterator[Item]:
    for page, current in detected_pages(workspace, detector):
        way = resolve_direction(direction, page)
        boxes = "" if current is None else boxes_digest(current.detections)
        if current is not None and boxes != boxes_digest(_detections(found, page.page_id)):
            raise FileFormatError(
                f"{workspace.predictions(detector)}: the boxes of {page.page_id} are not those that detect found. To go on "
                "with detect's, run comix detect again, it restores the file; to use edited boxes: "
                "comix detect detector=replay detector.path=FILE"
            )
        yield Item(page.page_id, (current, way), digest(ORDER_VERSION, method, way, boxes), group=page.book_id)


def order_file(source: Path, target: Path, direction: str, method: Method) -> tuple[int, int]:
    """Order any tool's boxes; pages and panels ordered.

    Reads COCO (``reading_direction`` per image where present) and gives COCO with ``order`` on every panel; or reads
    ``{name: [[x, y, w, h], ...]}`` and gives ``{name: [index, ...]}``, the indices of the boxes in reading order.

    Raises:
        MissingInputError: no such file.
        FileFormatError: neither form; says where.
        UsageError: the result would replace its source.
    """
    if target.resolve() == source.resolve():
        raise UsageError(f"output={target}: is the input itself; name another file")
    document = read_json(source)
    if isinstance(document, dict) and "images" in document:
        return _order_coco(source, target, direction, method)
    if not isinstance(document, dict):
        raise FileFormatError(f"{source}: wanted COCO or {{name: [[x, y, w, h], ...]}}; got a {type(document).__name__}")
    given = _given(direction)
    result: dict[str, list[int]] = {}
    for name, boxes in document.items():
        if not isinstance(boxes, list):
            raise FileFormatError(f"{source}: {name!r}: wanted a list of [x, y, w, h], found {boxes!r}")
        checked = [checked_box(f"{source}: {name!r}", box) for box in boxes]
        result[name] = list(order_panels(checked, given, method).indices)
    write_bytes(target, json_bytes(result, indent=1))
    return len(result), sum(len(order) for order in result.values())


def _order_coco(source: Path, target: Path, direction: str, method: Method) -> tuple[int, int]:
    coco = read_coco(source)
    directions: dict[Any, Direction] = {}
    for image in coco.document["images"]:
        own = image.get("reading_direction") or "ltr"
        directions[image["id"]] = cast(Direction, own if direction == "auto" and own in ("ltr", "rtl") else _given(direction))
    n_panels = 0
    for image_id, panels in coco.panels.items():
        order = order_panels([Box.from_xywh(one["bbox"]) for one in panels], directions[image_id], method)
        for rank, position in enumerate(order.indices):
            panels[position]["order"] = rank
            n_panels += 1
    write_bytes(target, json_bytes(coco.document))
    return len(coco.panels), n_panels


def _given(direction: str) -> Literal["ltr", "rtl"]:
    return "rtl" if direction == "rtl" else "ltr"
