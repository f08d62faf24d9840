"""What `comix evaluate` measures: one function per target, all with the same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

from comix.bench import detection, order
from comix.bench.detection import ScoredPage, detection_rows, score_pages, whole_pages
from comix.bench.figures import Row
from comix.bench.order import OrderedPage, countable, order_found, order_given, order_rows
from comix.bench.pictures import BadPage, Mark
from comix.bench.truth import Joined, Missing, TruthPage, join
from comix.core.errors import UsageError
from comix.core.order import METHODS, Method
from comix.core.page import PageRecord
from comix.io.cococolumns import CocoColumns
from comix.metrics.detection import match_boxes
from comix.schema.base import listed


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be measured.

    Attributes:
        truth: pages of the ground truth.
        name: what the predictions are called in the table.
        predictions: None where only rules are measured (an order on the given boxes).
        table: the workspace's pages, where the predictions are a workspace's.
        category: for detection.
        min_score: boxes below it are left out (of everything but the average precision).
        missing: what becomes of pages without prediction.
        methods: order methods to compare.
        n_resamples: draws of the bootstrap.
        worst: pages to draw.
        images: path of a page's image, for the pictures.
    """

    truth: Sequence[TruthPage]
    name: str
    predictions: CocoColumns | None = None
    table: Sequence[PageRecord] = ()
    category: str = "panel"
    min_score: float = 0.0
    missing: Missing = "empty"
    methods: tuple[Method, ...] = ("auto",)
    n_resamples: int = 1000
    worst: int = 12
    images: Callable[[TruthPage, str], Path] = lambda page, name: Path(name)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of figures, the heading of each, the worst pages first, what must be said beside them, and plots (file, caption)."""

    rows: list[Row]
    columns: Mapping[str, str]
    worst: list[BadPage]
    notes: list[str] = field(default_factory=list)
    plots: list[tuple[str, str]] = field(default_factory=list)


def evaluate_detection(question: Question) -> Answer:
    """Boxes against the truth, beside the baseline that calls every page one panel.

    Raises:
        UsageError: no predictions, or none of them for a page of the truth, or a category that the truth does not have.
    """
    if question.predictions is None:
        raise UsageError("target=detection needs predictions=FILE, or a workspace with detections=NAME")
    if not any(one.category == question.category for page in question.truth for one in page.found.detections):
        known = sorted({one.category for page in question.truth for one in page.found.detections})
        raise UsageError(f"category={question.category}: the truth has none; it has {', '.join(known) or 'no boxes at all'}")
    joined = join(question.truth, question.predictions, question.table, question.missing)
    pages = score_pages(joined.pairs, question.category, question.min_score)
    rows = detection_rows(question.name, pages, question.n_resamples)
    if question.category == "panel":
        baseline = score_pages(whole_pages([page for page, _ in joined.pairs]))
        rows.append(detection.detection_row("baseline: the page is one panel", "all", baseline, question.n_resamples))
    names = {page.key: found.file_name for page, found in joined.pairs}
    worst = sorted(pages, key=lambda page: (-_n_wrong(page), page.truth.key))[: question.worst]
    bad = [_drawn_detection(page, question, names[page.truth.key]) for page in worst if _n_wrong(page)]
    return Answer(rows, detection.COLUMNS, bad, _notes(joined))


def evaluate_order(question: Question) -> Answer:
    """Reading orders against the truth: of each method on the true boxes, of the predictions, of each method on their boxes.

    Raises:
        UsageError: the truth has no order.
    """
    pages = countable(question.truth)
    if not pages:
        raise UsageError("the truth has no page with two panels or more that all have an `order` of their own")
    rows: list[Row] = []
    for method in question.methods:
        given = order_given(pages, method)
        rows += order_rows(f"{method}, given boxes", given, question.n_resamples)
    if question.predictions is None:
        shown, notes = order_given(pages, question.methods[0]), []
        names = {page.key: page.found.file_name for page in pages}
    else:
        joined = join(pages, question.predictions, question.table, question.missing)
        shown, notes = order_found(joined.pairs, None, question.min_score), _notes(joined)
        names = {page.key: found.file_name for page, found in joined.pairs}
        if any(found.order and any(rank is not None for rank in found.order) for _, found in joined.pairs):
            rows += order_rows(f"{question.name}: its order", shown, question.n_resamples)
        else:
            notes.append(f"{question.name} has no order of its own (first: comix order)")
            shown = order_found(joined.pairs, question.methods[0], question.min_score)
        for method in question.methods:
            found = order_found(joined.pairs, method, question.min_score)
            rows += order_rows(f"{question.name}: {method}", found, question.n_resamples)
    left_out = len(question.truth) - len(pages)
    if left_out:
        notes.append(f"{left_out} pages of the truth have fewer than two panels, or no order, and are not counted")
    worst = sorted(shown, key=lambda page: (page.is_complete and page.scores.exact, -_n_misplaced(page), page.truth.key))
    bad = [
        _drawn_order(page, question, names[page.truth.key])
        for page in worst[: question.worst]
        if not (page.is_complete and page.scores.exact)
    ]
    return Answer(rows, order.COLUMNS, bad, notes)


TARGETS: Mapping[str, Callable[[Question], Answer]] = MappingProxyType(
    {"detection": evaluate_detection, "order": evaluate_order}
)
"""What ``target=`` may be."""


def checked_methods(text: str) -> tuple[Method, ...]:
    """Order methods out of a comma-separated list.

    >>> checked_methods("auto, rows")
    ('auto', 'rows')

    Raises:
        UsageError: an unknown one, or none.
    """
    names = listed(text)
    unknown = [name for name in names if name not in get_args(Method)]
    if unknown or not names:
        raise UsageError(f"methods={text}: wanted one or more of {', '.join(METHODS)}")
    return tuple(cast(Method, name) for name in names)


def _notes(joined: Joined) -> list[str]:
    notes = []
    if joined.missing:
        notes.append(f"{len(joined.missing)} pages of the truth have no prediction, first: {joined.missing[0]!r}")
    if joined.resized:
        notes.append(f"{len(joined.resized)} pages were predicted at another shape and count as missing: {joined.resized[0]!r}")
    if joined.n_beyond:
        notes.append(f"{joined.n_beyond} predicted pages are not in the truth")
    return notes


def _n_wrong(page: ScoredPage) -> int:
    counts = page.counts[0]
    return counts.n_detected + counts.n_truth - 2 * counts.n_matched


def _drawn_detection(page: ScoredPage, question: Question, file_name: str) -> BadPage:
    found = [one for one in page.found if one.score >= question.min_score]
    n_matched = len(match_boxes([one.box for one in found], page.wanted))
    marks = [Mark(box, "", True) for box in page.wanted]
    marks += [Mark(one.box, f"{one.score:.2f}", False) for one in found]
    trouble = f"{len(page.wanted) - n_matched} missed, {len(found) - n_matched} too many at IoU .5"
    return BadPage(page.truth.key, question.images(page.truth, file_name), trouble, tuple(marks))


def _n_misplaced(page: OrderedPage) -> float:
    return page.scores.edit * len(page.ranks) + page.n_panels - len(page.ranks) + page.n_extra


def _drawn_order(page: OrderedPage, question: Question, file_name: str) -> BadPage:
    panels = page.truth.panels
    marks = [Mark(box, str(number + 1), True) for number, box in enumerate(panels)]
    if len(page.ranks) == len(panels):
        marks += [Mark(box, f"{rank + 1:.0f}", False) for box, rank in zip(panels, page.ranks, strict=True)]
    lacking = len(panels) - len(page.ranks)
    trouble = f"{page.truth.direction}; tau {page.scores.tau:.2f}"
    trouble += f"; {lacking} panels not found, {page.n_extra} too many" if lacking or page.n_extra else ""
    return BadPage(page.truth.key, question.images(page.truth, file_name), trouble, tuple(marks))
