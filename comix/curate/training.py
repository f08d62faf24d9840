"""The list that training takes by default, and the alignment CSV with duplicates and page types beside each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comix.core.files import write_if_changed
from comix.core.workspace import Workspace
from comix.io.dataspec import write_list
from comix.io.tables import read_parquet

if TYPE_CHECKING:
    import pandas as pd

_TAKES_PART = ("interior", "splash")


def derive_training(workspace: Workspace) -> int:
    """Write ``alignment.csv``, ``lists/training.txt`` and the training manifest; the number of training pages.

    A page trains when its score is good enough, it is an interior or splash page, and it is the first of its duplicate
    group. Before `curate` has run neither page types nor duplicates are known, and the score alone decides.
    """
    table = read_parquet(workspace.alignment_dir / "alignment.parquet")
    curated = workspace.curation_table.is_file()
    if curated:
        extra = read_parquet(workspace.curation_table).drop(columns=["book_id"])
        table = table.merge(extra, on="page_id", how="left", validate="one_to_one")
    csv = workspace.alignment_dir / "alignment.csv"
    write_if_changed(csv, table.to_csv(index=False, lineterminator="\n").encode())
    chosen = table[_is_training(table, curated)]
    write_list(workspace.lists_dir / "training.txt", [workspace.root / path for path in chosen["dataspec_path"]])
    manifest = workspace.alignment_dir / "alignment_training_manifest.csv"
    columns = ["image_path", "dataspec_path", "vlm_json_path", "page_id", "rcnn_panels", "vlm_panels", "quality_score"]
    write_if_changed(manifest, chosen[columns].to_csv(index=False, lineterminator="\n").encode())
    return len(chosen)


def _is_training(table: pd.DataFrame, curated: bool) -> pd.Series[bool]:
    good = table["is_candidate"].astype(bool)
    if not curated:
        return good
    return good & table["page_type"].isin(_TAKES_PART) & table["is_canonical"].fillna(value=False).astype(bool)
