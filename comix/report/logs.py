"""What the journals say: per stage the counts, the failed and skipped inputs by reason, and the state of every page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comix.core.journal import Journal, Row, variants
from comix.core.reasons import hint_for
from comix.core.workspace import Workspace

SHOWN_ITEMS = 50
"""Affected inputs listed per reason; the counts always cover all of them."""
NOT_REACHED = "not reached yet"


@dataclass(slots=True)
class ReasonGroup:
    """Inputs of one stage with the same fate.

    Attributes:
        unit: plural of what an input is.
        n: all of them; ``items`` holds key and detail of the first `SHOWN_ITEMS`.
    """

    stage: str
    unit: str
    status: str
    reason: str
    hint: str
    n: int = 0
    items: list[tuple[str, str]] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Id of this group in the page."""
        return f"{self.status}-{self.stage}-{self.unit}-{self.reason}"


@dataclass(slots=True)
class StageLog:
    """One stage's journal: ``inputs = done + failed + skipped``.

    Attributes:
        not_reached: pages of the table that the journal holds no row of.
        groups: failed and skipped inputs by reason, most frequent first.
        state: page id -> "" when done, else why not; empty for containers and members.
    """

    stage: str
    unit: str
    variant: str
    done: int = 0
    failed: int = 0
    skipped: int = 0
    not_reached: int = 0
    groups: list[ReasonGroup] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """Inputs with a row."""
        return self.done + self.failed + self.skipped

    def of(self, status: str) -> list[ReasonGroup]:
        """Groups of one status."""
        return [group for group in self.groups if group.status == status]


def group_rows(rows: Iterable[Row], stage: str, unit: str) -> list[ReasonGroup]:
    """Rows by status and reason, most frequent first, then by name."""
    groups: dict[tuple[str, str], ReasonGroup] = {}
    for row in rows:
        known = groups.get((row.status, row.reason))
        if known is None:
            hint = row.hint or hint_for(row.reason)
            known = groups[row.status, row.reason] = ReasonGroup(stage, unit, row.status, row.reason, hint)
        known.n += 1
        if len(known.items) < SHOWN_ITEMS:
            known.items.append((row.key, row.detail))
    return sorted(groups.values(), key=lambda group: (group.status, -group.n, group.reason))


def read_extract(workspace: Workspace) -> tuple[StageLog, StageLog] | None:
    """Containers and members of all libraries; None when `extract` has no journal."""
    path = workspace.journal("extract")
    sources = variants(path)
    if not sources:
        return None
    name = ", ".join(sources)
    containers, members = StageLog("extract", "containers", name), StageLog("extract", "members", name)
    for is_child, log in ((False, containers), (True, members)):
        rows: list[Row] = []
        for source in sources:
            with Journal(path, source) as journal:
                counts = journal.counts()
                log.done += counts.get((is_child, "done"), 0)
                log.failed += counts.get((is_child, "failed"), 0)
                log.skipped += counts.get((is_child, "skipped"), 0)
                for status in ("failed", "skipped"):
                    rows += journal.rows(status, parents_only=not is_child, children_only=is_child)
        log.groups = group_rows(rows, "extract", log.unit)
    return containers, members


def read_listed(path: Path, stage: str, variant: str = "") -> StageLog | None:
    """A stage over a list of pages, which need not be those of the table; None when this variant has no journal."""
    if variant not in variants(path):
        return None
    log = StageLog(stage, "pages", variant)
    with Journal(path, variant) as journal:
        for (_, status), n in journal.counts().items():
            setattr(log, status, getattr(log, status) + n)
        rows = (row for status in ("failed", "skipped") for row in journal.rows(status, parents_only=True))
        log.groups = group_rows(rows, stage, log.unit)
    return log


def read_stage(path: Path, stage: str, variant: str, pages: Mapping[str, object]) -> StageLog | None:
    """One page stage: only rows of pages that are in the table count; None when this variant has no journal.

    Args:
        path: the journal.
        stage: its name.
        variant: detector, reader or both.
        pages: ids of the page table.
    """
    if variant not in variants(path):
        return None
    log = StageLog(stage, "pages", variant)
    with Journal(path, variant) as journal:
        for key, (status, _, reason) in journal.state().items():
            if key in pages:
                setattr(log, status, getattr(log, status) + 1)
                log.state[key] = "" if status == "done" else f"{status}: {reason}"
        rows = (row for status in ("failed", "skipped") for row in journal.rows(status, parents_only=True))
        log.groups = group_rows((row for row in rows if row.key in pages), stage, "pages")
    log.not_reached = len(pages) - log.inputs
    return log
