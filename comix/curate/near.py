"""Near duplicates of a library: candidates by hash, each group confirmed by the pixels, in worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from comix.core.errors import FileFormatError, ItemError
from comix.core.files import digest
from comix.core.journal import Row
from comix.core.reasons import hint_for
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.curate.candidates import as_hashes, candidate_groups

if TYPE_CHECKING:
    import pyarrow as pa

    from comix.curate.confirm import Thumb

NEAR_VERSION = "1"
"""Part of every fingerprint."""

VARIANT = "near"


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Which page stands for which, by position in the page table.

    Attributes:
        same_bytes: first page with the same image bytes; the page itself when it is that.
        canonical: the page that stands for its group; the page itself when it is alone or leads.
        blank: pages whose pixels are known to be near uniform.
    """

    same_bytes: list[int]
    canonical: list[int]
    blank: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One page of a candidate group."""

    page_id: str
    image: Path
    width: int
    height: int
    sha256: str


class Confirmer:
    """The worker: which pages of a candidate group show the same page."""

    def __init__(self) -> None:
        import cv2

        cv2.setNumThreads(1)

    def __call__(self, group: Sequence[Candidate]) -> Outcome:
        """Groups of page ids, leaders first.

        A page whose image cannot be read is in no group, and fails the whole; the result counts for the others.
        """
        from comix.curate.confirm import LEAST_CONTRAST, same_pages

        thumbs, children = self._thumbs(group)
        blank = [at for at, thumb in thumbs.items() if float(thumb.std()) < LEAST_CONTRAST]
        told = [at for at in thumbs if at not in set(blank)]
        found = same_pages([thumbs[at] for at in told], [(group[at].width, group[at].height) for at in told])
        groups = [[group[told[at]].page_id for at in one] for one in found if len(one) > 1]
        result = {"groups": groups, "blank": [group[at].page_id for at in blank]}
        lost = next((row for row in children if row.status == "failed"), None)
        if lost is None:
            return Outcome(result=result, children=tuple(children))
        return Outcome("failed", lost.reason, lost.detail, lost.hint, result=result, children=tuple(children))

    def _thumbs(self, group: Sequence[Candidate]) -> tuple[dict[int, Thumb], list[Row]]:
        from comix.curate.confirm import thumb_of
        from comix.io.images import read_bgr

        thumbs, children = {}, []
        for at, one in enumerate(group):
            parent = key_of(group)
            try:
                thumbs[at] = thumb_of(read_bgr(one.image))
            except ItemError as error:
                hint = error.hint or hint_for(error.reason)
                children.append(Row(one.page_id, "failed", parent, error.reason, error.detail, hint))
            else:
                children.append(Row(one.page_id, "done", parent))
        return thumbs, children


def key_of(group: Sequence[Candidate]) -> str:
    """A candidate group's key in the journal."""
    return f"near: {group[0].page_id}"


def exact_firsts(shas: Sequence[str]) -> list[int]:
    """Position of the first page with the same sha256, for every page; its own where there is none ("" is like no other).

    >>> exact_firsts(["a", "b", "a", "", ""])
    [0, 1, 0, 3, 4]
    """
    first: dict[str, int] = {}
    return [first.setdefault(sha, at) if sha else at for at, sha in enumerate(shas)]


def find_duplicates(
    workspace: Workspace, pages: pa.Table, radius: int | None, options: RunOptions
) -> tuple[Duplicates, Summary | None]:
    """Exact and near duplicates of all pages.

    Args:
        workspace: its root leads to the images; its journal keeps what was confirmed.
        pages: `comix.curate.facts.PAGE_COLUMNS`.
        radius: bits that hashes of candidates may differ by; None leaves near duplicates out.
        options: how to confirm; ``limit`` keeps to candidate groups with one of the first pages.

    Returns:
        the duplicates; counts over candidate groups, None without ``radius``.
    """
    exact = exact_firsts(pages["sha256"].to_pylist())
    if radius is None:
        return Duplicates(exact, exact), None
    limit = pages.num_rows if options.limit is None else options.limit
    candidates = _candidates(workspace, pages, exact, radius)
    items = [_item(group) for group, first in candidates if first < limit]
    with stage_journal(workspace.journal("curate"), VARIANT, options.shard) as journal:
        kept = {item.key for item in items}
        if options.limit is None and options.shard.is_all:
            journal.forget([key for key in journal.state() if key not in kept])
        summary = run_stage("curate", "groups of similar pages", items, Confirmer, journal, replace(options, limit=None))
        results = [row.result for row in journal.rows(parents_only=True) if row.key in kept]
    place = {str(page): at for at, page in enumerate(pages["page_id"].to_pylist())}
    leader = {place[one]: place[group[0]] for result in results for group in result.get("groups", []) for one in group}
    blank = {place[one] for result in results for one in result.get("blank", [])}
    return Duplicates(exact, [leader.get(first, first) for first in exact], blank), summary


def _candidates(workspace: Workspace, pages: pa.Table, exact: list[int], radius: int) -> Iterator[tuple[list[Candidate], int]]:
    """Candidate groups of pages with different bytes, and the position of each group's first page."""
    try:
        hashes, tells = as_hashes([text or "" for text in pages["phash"].to_pylist()])
    except ValueError as error:
        raise FileFormatError(f"{workspace.pages_table}: phash: {error}; run comix extract again") from error
    tells &= np.array(exact) == np.arange(len(exact)) if exact else tells
    chosen = np.flatnonzero(tells)
    for group in candidate_groups(hashes[chosen], radius):
        at = [int(one) for one in chosen[group]]
        rows = pages.select(["page_id", "image_path", "width", "height", "sha256"]).take(at).to_pylist()
        yield (
            [
                Candidate(row["page_id"], workspace.root / row["image_path"], row["width"], row["height"], row["sha256"])
                for row in rows
            ],
            at[0],
        )


def _item(group: list[Candidate]) -> Item:
    """The images may come and go under the same name: their file size and time are part of the fingerprint."""
    marks = [(one.page_id, one.width, one.height, one.sha256, *_mark(one.image)) for one in group]
    return Item(key_of(group), group, digest(NEAR_VERSION, marks), group=group[0].page_id)


def _mark(path: Path) -> tuple[int, int]:
    """Size and time of a file (0, 0 where there is none: a member of an archive, or gone)."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
