"""Annotations of another tool or data set made detections (and texts) of your pages.

Writes ``detections/<name>/predictions.json`` and, where the format has words, ``analysis/<name>/``. An entry is joined to a
page by the page id it carries, by the exact path of its image (in the workspace, or ``container/member`` below your library;
``image_root=`` is what their paths begin with), or by the book you name. What matches no page, or several, goes to
``detections/<name>/unmatched.csv`` with what looks alike; nothing is guessed.

format=...       (docs/interop.md has what each holds)
  coco, comix_xml, manga109, acbf, json_sidecar, imagefolder, parquet, webdataset   also written by comix export
  kumiko         Kumiko's JSON
  dcm772         groundtruth/*.txt (input= is the groundtruth folder)
  ebdtheque      GT/*.svg (input= is the GT folder)
  openmantra     annotation.json; language=ja, en or zh

Examples:
  comix ingest format=coco input=theirs.json
  comix ingest format=manga109 input=annotations book_map=titles.json name=manga109
  comix ingest format=acbf input=book.acbf book="Doctorow/Anda" language=en
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import finish, run_options, workspace_of
from comix.detect.stage import derive_predictions
from comix.interop.ingest import run_ingest
from comix.interop.join import JoinRules, read_book_map
from comix.interop.readers import ReadRules

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code: 1 also when nothing at all could be joined."""
    workspace = workspace_of(cfg)
    name = cfg.name or cfg.format
    read = ReadRules(cfg.format, cfg.language, cfg.box_format, cfg.detector, cfg.id_map)
    join = JoinRules(cfg.image_root, cfg.book, read_book_map(cfg.book_map), cfg.first_page)
    summary = run_ingest(workspace, Path(cfg.input), name, read, join, run_options(cfg))
    if not cfg.shard:
        derive_predictions(workspace, name)
    code = finish(summary, workspace)
    return code or int(summary.inputs > 0 and summary.done == 0)
