"""Subset lists by a condition over the columns of the alignment table, of curation and of the page table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comix.core.errors import UsageError
from comix.core.files import write_if_changed
from comix.core.workspace import Workspace
from comix.curate.expression import Condition
from comix.curate.facts import read_columns
from comix.curate.stage import COLUMNS
from comix.curate.training import aligned_pages, require_alignment
from comix.io.dataspec import write_list

if TYPE_CHECKING:
    import pandas as pd

BOOK_COLUMNS = (
    "source", "series", "volume", "issue", "title", "language", "writer", "publisher", "year", "licence", "container",
    "member", "width", "height",
)  # fmt: skip
"""What the page table adds."""

_TAKEN = frozenset(
    {
        "training", "dataspec_all_list", "dataspec_perfect_list", "perfect_matches", "near_perfect", "high_quality",
        "medium_quality", "low_quality", "training_manifest", "perfect_match_training_manifest",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subset:
    """A condition with the name of its lists."""

    name: str
    condition: Condition


def asked_subset(workspace: Workspace, text: str, name: str) -> Subset:
    """The subset that a user asks for, checked before any work.

    Raises:
        UsageError: no condition, an unknown column, or a name that is no plain new name.
        MissingInputError: `align` has not run: there is nothing to choose from.
        FileFormatError: a table is damaged.
    """
    import pyarrow.parquet as pq

    if not name:
        raise UsageError(f"subset={text}: has no name; add subset_name=NAME, for lists/NAME.txt")
    if not re.fullmatch(r"[^\W_][\w.-]*", name) or name in _TAKEN:
        raise UsageError(f"subset_name={name}: wanted a plain name of its own, letters, digits, . _ - only")
    own = pq.read_schema(require_alignment(workspace)).names
    columns = dict.fromkeys([*own, *COLUMNS, *BOOK_COLUMNS])
    return Subset(name, Condition(text, list(columns)))


def write_subset(workspace: Workspace, subset: Subset) -> list[Path]:
    """Write ``alignment/alignment_NAME.txt`` (images) and ``lists/NAME.txt`` (DataSpecs of those that have one).

    Returns:
        the two files.

    Raises:
        UsageError: no page meets the condition; nothing was written.
    """
    images: list[str] = []
    specs: list[Path] = []
    n = 0
    for table in _with_books(workspace):
        chosen = table[subset.condition.of(table)]
        images += chosen["image_path"].tolist()
        specs += [workspace.root / path for path in chosen["dataspec_path"] if path]
        n += len(table)
    if not images:
        raise UsageError(f"subset={subset.condition.text}: none of {n} pages meets it; nothing was written")
    files = [workspace.alignment_dir / f"alignment_{subset.name}.txt", workspace.lists_dir / f"{subset.name}.txt"]
    write_if_changed(files[0], "".join(f"{path}\n" for path in images).encode())
    write_list(files[1], specs)
    return files


def _with_books(workspace: Workspace) -> Iterator[pd.DataFrame]:
    import pandas as pd

    books = read_columns(workspace.require_pages(), ["page_id", *BOOK_COLUMNS], "extract")
    frame = books.to_pandas(types_mapper=pd.ArrowDtype).set_index("page_id")
    for table in aligned_pages(workspace):
        extra = frame.reindex(table["page_id"]).reset_index(drop=True)
        yield pd.concat([table, extra[[name for name in extra if name not in table]]], axis=1)
