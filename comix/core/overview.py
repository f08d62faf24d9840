"""What the journals of a workspace say: counts per stage, and every failed or skipped row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from comix.core.journal import Journal, Row, variants
from comix.core.workspace import Workspace

STAGE_ORDER = ("convert", "extract", "detect", "order", "analyze", "align", "curate")
"""Stages that keep a journal, in the order of the work."""


@dataclass(frozen=True, slots=True)
class StageCounts:
    """Rows of one stage and variant; ``done + failed + skipped == inputs``. ``unit`` says what a row is."""

    stage: str
    variant: str
    unit: str
    done: int
    failed: int
    skipped: int

    @property
    def inputs(self) -> int:
        """All rows."""
        return self.done + self.failed + self.skipped


def stage_counts(workspace: Workspace) -> list[StageCounts]:
    """Counts of every stage that ran in this workspace, containers and their members apart."""
    found = []
    for stage in STAGE_ORDER:
        path = workspace.journal(stage)
        for variant in variants(path):
            with Journal(path, variant) as journal:
                counts = journal.counts()
            for child in (False, True):
                numbers = [counts.get((child, status), 0) for status in ("done", "failed", "skipped")]
                if any(numbers) or not child:
                    found.append(StageCounts(stage, variant, _unit(stage, child), *numbers))
    return found


def _unit(stage: str, child: bool) -> str:
    if stage in ("extract", "convert"):
        return "members" if child else "containers"
    return "pages"


def troubled_rows(workspace: Workspace, stage: str = "", with_skipped: bool = False) -> Iterator[tuple[str, str, Row]]:
    """``(stage, variant, row)`` of everything that failed, and on request of what was skipped."""
    for name in STAGE_ORDER:
        if stage and name != stage:
            continue
        path = workspace.journal(name)
        for variant in variants(path):
            with Journal(path, variant) as journal:
                for status in ("failed", "skipped") if with_skipped else ("failed",):
                    for row in journal.rows(status):
                        yield name, variant, row
