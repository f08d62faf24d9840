"""What the journals of a workspace say: counts per stage, and every failed or skipped row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from comix.core.journal import Journal, Row, variants
from comix.core.workspace import Workspace

STAGE_ORDER = ("convert", "extract", "detect", "order", "analyze", "align", "curate", "train", "embed")
"""Stages that keep a journal, in the order of the work."""


_TAKES_A_LIST = frozenset({"train", "embed"})
"""Stages that work on listed pages: what is not listed is not to do."""


@dataclass(frozen=True, slots=True)
class StageCounts:
    """Rows of one stage and variant; ``done + failed + skipped + to_do == inputs``. ``unit`` says what a row is."""

    stage: str
    variant: str
    unit: str
    done: int
    failed: int
    skipped: int
    to_do: int

    @property
    def inputs(self) -> int:
        """All of them."""
        return self.done + self.failed + self.skipped + self.to_do


def stage_counts(workspace: Workspace, page_ids: Collection[str]) -> list[StageCounts]:
    """Counts of every stage that ran in this workspace, containers and their members apart.

    Args:
        workspace: holds the journals.
        page_ids: ids of the page table: rows of other pages do not count, pages without a row are still to do.
    """
    found = []
    for stage in STAGE_ORDER:
        path = workspace.journal(stage)
        for variant in variants(path):
            with Journal(path, variant, read_only=True) as journal:
                if stage in ("extract", "convert"):
                    found += _container_counts(stage, variant, journal)
                    continue
                states = {key: state[0] for key, state in journal.state().items() if key in page_ids}
            done, failed, skipped = (list(states.values()).count(status) for status in ("done", "failed", "skipped"))
            to_do = 0 if stage in _TAKES_A_LIST else len(page_ids) - len(states)
            found.append(StageCounts(stage, variant, "pages", done, failed, skipped, to_do))
    return found


def waiting_shards(workspace: Workspace) -> dict[str, list[str]]:
    """Stage -> shares (``1-of-2``) whose work no run without ``shard=`` has taken in yet."""
    found: dict[str, list[str]] = {}
    for path in sorted((workspace.root / "journal").glob("*-of-*.sqlite")):
        stem, _, part = path.stem.rpartition(".")
        found.setdefault(stem.partition("@")[0], []).append(part)
    return found


def _container_counts(stage: str, variant: str, journal: Journal) -> list[StageCounts]:
    counts = journal.counts()
    found = []
    for child, unit in ((False, "containers"), (True, "members")):
        done, failed, skipped = (counts.get((child, status), 0) for status in ("done", "failed", "skipped"))
        found.append(StageCounts(stage, variant, unit, done, failed, skipped, 0))
    return found


def troubled_rows(workspace: Workspace, stage: str = "", with_skipped: bool = False) -> Iterator[tuple[str, str, Row]]:
    """``(stage, variant, row)`` of everything that failed, and on request of what was skipped."""
    for name in STAGE_ORDER:
        if stage and name != stage:
            continue
        path = workspace.journal(name)
        for variant in variants(path):
            with Journal(path, variant, read_only=True) as journal:
                for status in ("failed", "skipped") if with_skipped else ("failed",):
                    for row in journal.rows(status):
                        yield name, variant, row
