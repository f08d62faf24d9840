"""Detections and text joined per page, scored, and written as DataSpecs and lists.

Joins by page id only. Writes ``alignment/`` (table, CSV, subset lists, manifests), ``dataspec/`` (one DataSpec v0.3 per
page, see docs/dataspec.schema.json) and ``lists/``. A page that lacks detections or text stays in the table with score 0
and is counted as skipped.

Also takes a COCO file and a folder of JSONs of any origin (``coco=``, ``vlm_dir=``); what fits no page or several is listed
in ``alignment/unmatched.csv`` and never used. And cuts a DataSpec list down to a subset (``dataspec_list=``).

Examples:
  comix align
  comix align reader=replay min_text_coverage=0.5 emit=high
  comix align second_reader=ocr reader=replay min_text_agreement=0.5
  comix align coco=predictions.json vlm_dir=analyses image_roots=[pages] vlm_map=json_to_image.json workspace=ws
  comix align dataspec_list=all.txt subset_list=perfect_matches.txt out_list=perfect.txt
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.align.foreign import ForeignFiles, ForeignSource
from comix.align.lists import filter_list
from comix.align.quality import Gates
from comix.align.source import as_folder
from comix.align.stage import AlignSettings, run_align
from comix.apps.common import detections_of, finish, run_options, say, workspace_of
from comix.core.errors import UsageError
from comix.core.pathforms import parse_folders, parse_root_map
from comix.core.workspace import Workspace
from comix.curate.facts import read_columns
from comix.curate.stage import COLUMNS as CURATED
from comix.curate.training import derive_training

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    if cfg.dataspec_list or cfg.subset_list or cfg.out_list:
        return _filter(cfg)
    workspace = workspace_of(cfg)
    if workspace.curation_table.is_file():  # its columns go beside the CSV's: a damaged one is said before the work
        read_columns(workspace.curation_table, CURATED, "curate")
    settings = _settings(cfg, workspace)
    if cfg.coco:
        source = foreign_source(workspace, cfg)
        summary = run_align(workspace, settings, run_options(cfg), source)
    else:
        _refuse_foreign_keys(cfg)
        summary = run_align(workspace, settings, run_options(cfg))
    if not cfg.shard:
        summary.notes.append(f"{derive_training(workspace)} pages in {workspace.lists_dir / 'training.txt'}")
    return finish(summary, workspace)


def _settings(cfg: DictConfig, workspace: Workspace) -> AlignSettings:
    reader = "" if cfg.reader == "none" else cfg.reader
    detector = Path(cfg.coco).stem if cfg.coco else detections_of(cfg, workspace)
    if cfg.coco:
        reader = Path(cfg.vlm_dir).name if cfg.vlm_dir else ""
        if cfg.second_reader:
            raise UsageError("second_reader: compares two readers of a workspace; leave it out beside coco=")
    return AlignSettings(
        detector, reader, cfg.min_det_score, cfg.min_text_coverage, cfg.min_score, cfg.require_image_exists,
        cfg.second_reader, cfg.emit, cfg.naming,
        Gates(cfg.min_order_agreement, cfg.min_mean_iou, cfg.min_text_agreement),
    )  # fmt: skip


def foreign_source(workspace: Workspace, cfg: DictConfig) -> ForeignSource:
    """Pages of ``coco=``.

    Raises:
        UsageError: a map without a folder of JSONs, or a root map of another form.
        MissingInputError: a file or folder is not there.
        FileFormatError: the COCO file or the map is not what it should be.
    """
    if cfg.vlm_map and not cfg.vlm_dir:
        raise UsageError(f"vlm_map={cfg.vlm_map}: maps the JSONs of a folder; add vlm_dir=FOLDER")
    files = ForeignFiles(
        Path(cfg.coco),
        as_folder("vlm_dir", cfg.vlm_dir) if cfg.vlm_dir else None,
        Path(cfg.vlm_map) if cfg.vlm_map else None,
        tuple(as_folder("image_roots", one) for one in parse_folders(cfg.image_roots)),
        parse_root_map(cfg.root_map),
        tuple(parse_folders(cfg.panel_category_names)),
        cfg.direction,
    )
    return ForeignSource(workspace, files, run_options(cfg))


def _refuse_foreign_keys(cfg: DictConfig) -> None:
    for key in ("vlm_dir", "vlm_map", "image_roots", "root_map", "panel_category_names"):
        if cfg[key]:
            raise UsageError(f"{key}={cfg[key]}: goes with coco=FILE; without it, pages and text come from the workspace")


def _filter(cfg: DictConfig) -> int:
    if not (cfg.dataspec_list and cfg.subset_list and cfg.out_list):
        raise UsageError("dataspec_list=, subset_list= and out_list= go together")
    target = Path(cfg.out_list)
    n_listed, n_kept, n_unmatched = filter_list(
        Path(cfg.dataspec_list), Path(cfg.subset_list), target, parse_root_map(cfg.root_map)
    )
    say(f"align: {n_kept} of {n_listed} DataSpecs kept in {target}; {n_unmatched} lines unmatched: {target}.unmatched.csv")
    return 0
