"""What the journals of a workspace say: counts per stage, and every failed or skipped row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from comix.core.journal import Journal, Row, variants
from comix.core.workspace import Workspace

STAGE_ORDER = (
    "convert", "extract", "detect", "order", "analyze", "align", "curate", "train", "embed", "ingest", "export", "synth",
)  # fmt: skip
"""Stages that keep a journal, in the order of the work."""


_OWN_INPUTS = {"ingest": "pages", "export": "books", "synth": "pages"}
"""Stages whose inputs are not the pages of the table, and what they are: entries of foreign files, books or shards, composed
pages."""

_GROUPS = ("curate", "near")
"""What `curate` keeps of the groups of similar pages that it looked at; there need be none."""

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
        page_ids: ids of the page table: rows of other pages do not count, pages without a row are still to do; stages that
            take a list count what it held.
    """
    found = []
    for stage in STAGE_ORDER:
        path = workspace.journal(stage)
        for variant in variants(path):
            with Journal(path, variant, read_only=True) as journal:
                if stage in ("extract", "convert"):
                    found += _container_counts(stage, variant, journal)
                    continue
                if (stage, variant) == _GROUPS:
                    found.append(_counted(stage, variant, "groups", journal.counts(), is_child=False))
                    continue
                if stage in _OWN_INPUTS:
                    found.append(_counted(stage, variant, _OWN_INPUTS[stage], journal.counts(), is_child=False))
                    continue
                takes_a_list = stage in _TAKES_A_LIST  # which may name pages of no page table at all
                states = {key: one[0] for key, one in journal.state().items() if takes_a_list or key in page_ids}
            done, failed, skipped = (list(states.values()).count(status) for status in ("done", "failed", "skipped"))
            to_do = 0 if takes_a_list else len(page_ids) - len(states)
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
    return [_counted(stage, variant, "containers", counts, False), _counted(stage, variant, "members", counts, True)]


def _counted(stage: str, variant: str, unit: str, counts: Mapping[tuple[bool, str], int], is_child: bool) -> StageCounts:
    done, failed, skipped = (counts.get((is_child, status), 0) for status in ("done", "failed", "skipped"))
    return StageCounts(stage, variant, unit, done, failed, skipped, 0)


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
