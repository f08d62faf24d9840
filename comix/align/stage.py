"""The `align` stage: detections and analyses joined by page id; table, subset lists and DataSpecs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from comix.align.page import Aligner, AlignJob
from comix.align.quality import SUBSETS
from comix.core.files import digest, write_bytes, write_if_changed
from comix.core.journal import Journal
from comix.core.shard import stage_journal
from comix.core.task import Item, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.io.analysis import analysis_path
from comix.io.coco import read_predictions, require_order
from comix.io.dataspec import dataspec_path, write_list
from comix.io.tables import read_pages, write_parquet

if TYPE_CHECKING:
    import pandas as pd

ALIGN_VERSION = "1"
"""Part of every fingerprint."""

COLUMNS: dict[str, Any] = {
    "image_id": "", "image_path": "", "rcnn_panels": 0, "vlm_panels": 0, "panel_count_ratio": None, "text_coverage": 0.0,
    "vlm_panels_with_text": 0, "vlm_text_dialogue_panels": 0, "vlm_text_narration_panels": 0, "vlm_text_sfx_panels": 0,
    "quality_score": 0, "is_perfect_match": False, "vlm_key": "", "vlm_json_path": "", "has_vlm_data": False,
    "resolved_image_path": "", "image_exists": False,
    "page_id": "", "book_id": "", "dataspec_path": "", "panel_source": "none", "assignment": "none", "order_margin": None,
    "assigned_text_share": None, "reading_direction": "", "n_texts": 0, "n_unassigned_texts": 0, "n_words": 0, "n_all_words": 0,
    "is_candidate": False,
}  # fmt: skip
"""Columns of the alignment table with the value of a page that lacks one: the document's first, ours after them."""


def build_aligner(settings: dict[str, Any]) -> Aligner:
    """The worker."""
    return Aligner(**settings)


def run_align(workspace: Workspace, settings: dict[str, Any], min_score: int, options: RunOptions) -> Summary:
    """Align every page of the workspace.

    Args:
        workspace: holds pages, detections and analyses; gets ``alignment/``, ``dataspec/`` and ``lists/``.
        settings: arguments of `Aligner`.
        min_score: pages of this score or better are candidates for training.
        options: see `RunOptions`; ``limit`` counts pages.

    Returns:
        Counts over pages; a page without detections or analysis is skipped, and stays in the table with score 0.
    """
    detector, reader = settings["detector"], settings["reader"]
    pages = read_pages(workspace.require_pages())
    found = read_predictions(workspace.require_predictions(detector))
    require_order(
        workspace.predictions(detector), found.values(), f"comix order detections={detector} workspace={workspace.root}"
    )
    folder = workspace.require_analyses(reader)
    items = []
    for page in pages:
        analysis, target = analysis_path(folder, page.page_id), dataspec_path(workspace.dataspec_dir, page.page_id)
        current = found.get(page.page_id)
        direction = "rtl" if (current.reading_direction if current else page.reading_direction) == "rtl" else "ltr"
        job = AlignJob(page, current, analysis, target, workspace.root / page.image_path, direction)  # type: ignore[arg-type]
        read = hashlib.sha256(analysis.read_bytes()).hexdigest() if analysis.is_file() else ""
        fingerprint = digest(ALIGN_VERSION, settings, page.as_row(), repr(current), read)
        items.append(Item(page.page_id, job, fingerprint, (target,) if read and current else (), page.book_id))
    build: Callable[[], Aligner] = partial(build_aligner, settings)
    variant = f"{detector}+{reader}"
    with stage_journal(workspace.journal("align"), variant, options.shard) as journal:
        _take_over(workspace, journal, variant)
        summary = run_stage("align", "pages", items, build, journal, options)
        if not options.shard.is_all:
            return summary
        rows = {row.key: row.result for row in journal.rows()}
    table = _derive_table(workspace, [item.key for item in items], rows, reader, min_score)
    summary.notes.append(_score_note(table))
    return summary


def _take_over(workspace: Workspace, journal: Journal, variant: str) -> None:
    """Make this variant the one that ``dataspec/`` holds; what it wrote there before another took over is written again."""
    owner = workspace.dataspec_dir / ".variant"
    if not owner.is_file() or owner.read_text(encoding="utf-8") != variant:
        journal.forget(list(journal.state()))
        write_bytes(owner, variant.encode())


def _score_note(table: pd.DataFrame) -> str:
    counts = table["quality_score"].value_counts()
    return "scores " + ", ".join(f"{score}: {int(counts.get(score, 0))}" for score in (4, 3, 2, 1, 0))


def _derive_table(
    workspace: Workspace, page_ids: list[str], rows: dict[str, dict[str, Any]], reader: str, min_score: int
) -> pd.DataFrame:
    """Write ``alignment.parquet``, the subset lists and the DataSpec lists from the journal."""
    import pandas as pd

    records: list[dict[str, Any]] = []
    members: dict[str, list[str]] = {name: [] for name in SUBSETS}
    for page_id in page_ids:
        if page_id not in rows:
            continue
        result = rows[page_id] or {"page_id": page_id, "subsets": ["low_quality"]}  # a worker that died left no result
        spec = dataspec_path(workspace.dataspec_dir, page_id)
        record = {**COLUMNS, **{key: value for key, value in result.items() if key in COLUMNS}}
        if result.get("has_vlm_data"):
            record["vlm_key"] = page_id
            record["vlm_json_path"] = _inside(workspace, analysis_path(workspace.analysis_dir(reader), page_id))
        if result.get("image_exists"):
            record["resolved_image_path"] = result["image_path"]
        if "vlm_panels" in result:
            record["dataspec_path"] = _inside(workspace, spec)
            record["is_candidate"] = result["quality_score"] >= min_score and result["image_exists"]
        records.append(record)
        for name in result["subsets"]:
            members[name].append(result.get("image_path", page_id))
    table = pd.DataFrame.from_records(records, columns=list(COLUMNS))
    for column in ("panel_count_ratio", "order_margin", "assigned_text_share"):
        table[column] = table[column].astype("float64")
    write_parquet(workspace.alignment_dir / "alignment.parquet", table)
    for name, paths in members.items():
        lines = "".join(f"{path}\n" for path in paths)
        write_if_changed(workspace.alignment_dir / f"alignment_{name}.txt", lines.encode())
    _write_lists(workspace, table)
    return table


def _write_lists(workspace: Workspace, table: pd.DataFrame) -> None:
    emitted = table[table["dataspec_path"] != ""]
    chosen = {"dataspec_all_list": emitted, "dataspec_perfect_list": emitted[emitted["is_perfect_match"]]}
    for name, part in chosen.items():
        write_list(workspace.lists_dir / f"{name}.txt", [workspace.root / path for path in part["dataspec_path"]])
    perfect = emitted.loc[emitted["is_perfect_match"], MANIFEST_COLUMNS]
    manifest = workspace.alignment_dir / "alignment_perfect_match_training_manifest.csv"
    write_if_changed(manifest, perfect.to_csv(index=False, lineterminator="\n").encode())


MANIFEST_COLUMNS = [
    "image_path", "resolved_image_path", "image_exists", "vlm_key", "vlm_json_path", "rcnn_panels", "vlm_panels",
    "vlm_panels_with_text", "vlm_text_dialogue_panels", "vlm_text_narration_panels", "vlm_text_sfx_panels",
]  # fmt: skip


def _inside(workspace: Workspace, path: Any) -> str:
    return str(path.relative_to(workspace.root).as_posix())
