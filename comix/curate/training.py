"""The list that training takes by default, and the alignment CSV with duplicates and page types beside each row."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import write_if_changed
from comix.core.workspace import Workspace
from comix.curate.facts import read_columns
from comix.curate.stage import COLUMNS
from comix.io.dataspec import write_list

if TYPE_CHECKING:
    import pandas as pd

MANIFEST_COLUMNS = [
    "image_path", "dataspec_path", "vlm_json_path", "page_id", "rcnn_panels", "vlm_panels", "quality_score",
]  # fmt: skip
_AT_ONCE = 20_000


def aligned_pages(workspace: Workspace) -> Iterator[pd.DataFrame]:
    """The alignment table with curation's columns beside it, some thousand rows at a time, in its order.

    Pages that `curate` has not reached have empty cells there; before it has run its columns are absent.

    Raises:
        MissingInputError: `align` has not run.
        FileFormatError: one of the two tables is damaged or made by an earlier version; before any row is given.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = require_alignment(workspace)
    curated = None
    if workspace.curation_table.is_file():
        columns = [name for name in COLUMNS if name != "book_id"]
        curated = read_columns(workspace.curation_table, columns, "curate").to_pandas(types_mapper=pd.ArrowDtype)
        curated = curated.set_index("page_id")
        if not curated.index.is_unique:
            raise FileFormatError(f"{workspace.curation_table}: a page is in it twice; remove it and run: comix curate")
    try:
        with pq.ParquetFile(path) as opened:
            for batch in opened.iter_batches(batch_size=_AT_ONCE):
                table = batch.to_pandas()
                if curated is not None:
                    extra = curated.reindex(table["page_id"]).reset_index(drop=True)
                    table = pd.concat([table, extra], axis=1)
                yield table
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path}: not a readable Parquet file ({error}); remove it and run: comix align") from error


def require_alignment(workspace: Workspace) -> Path:
    """The alignment table's path.

    Raises:
        MissingInputError: `align` has not run; names the command.
        FileFormatError: the table is damaged.
    """
    path = workspace.alignment_dir / "alignment.parquet"
    if not path.is_file():
        raise MissingInputError(f"{path}: pages are not aligned yet; first run: comix align workspace={workspace.root}")
    read_columns(path, [*MANIFEST_COLUMNS, "is_candidate"], "align")
    return path


def derive_training(workspace: Workspace) -> int:
    """Write ``alignment.csv``, ``lists/training.txt`` and the training manifest; the number of training pages.

    A page trains when its score is good enough and `curate` lets it (its ``trains``: the right page type, the one that
    stands for its duplicate group). Before `curate` has run neither is known, and the score alone decides.

    Raises:
        MissingInputError: `align` has not run.
        FileFormatError: a table is damaged; nothing was written.
    """
    csv, manifest = io.StringIO(), io.StringIO()
    specs: list[Path] = []
    for number, table in enumerate(aligned_pages(workspace)):
        table.to_csv(csv, index=False, lineterminator="\n", header=number == 0)
        chosen = table[_is_training(table)]
        chosen[MANIFEST_COLUMNS].to_csv(manifest, index=False, lineterminator="\n", header=number == 0)
        specs += [workspace.root / path for path in chosen["dataspec_path"]]
    folder = workspace.alignment_dir
    write_if_changed(folder / "alignment.csv", csv.getvalue().encode())
    write_list(workspace.lists_dir / "training.txt", specs)
    write_if_changed(folder / "alignment_training_manifest.csv", manifest.getvalue().encode())
    return len(specs)


def _is_training(table: pd.DataFrame) -> pd.Series[bool]:
    good = table["is_candidate"].astype(bool)
    if "trains" not in table:
        return good
    return good & table["trains"].fillna(value=False).astype(bool)
