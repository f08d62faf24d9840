"""Your pages, panels in order and words in the format of another tool.

Boxes come from ``detections=``, words and characters from the DataSpecs made of them (comix align). No image is copied
unless you say ``include_images=true``; then its bytes stay as they are.

format=...       r reads, w writes (docs/interop.md has what each holds)
  coco           rw  one COCO file; id_map=comix or training
  comix_xml      rw  the CoMix benchmark's XML, a file per book
  manga109       rw  Manga109's XML, a file per book; whole pixels
  acbf           rw  ACBF 1.1, a sidecar per book: frames in reading order, text layers
  json_sidecar   rw  guided view: per page the panels in reading order, a file per book
  imagefolder    rw  Hugging Face imagefolder (metadata.jsonl)
  parquet        rw  Hugging Face Parquet shards with declared features
  webdataset     rw  tar shards of .jpg and .json
  kumiko, dcm772, ebdtheque, openmantra   r   see comix ingest

Examples:
  comix export format=coco
  comix export format=acbf output=sidecars detections=gutter
  comix export format=parquet include_images=true output=dataset
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import detections_of, finish, run_options, workspace_of
from comix.interop.export import run_export
from comix.interop.writers import ExportSettings

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    output = Path(cfg.output) if cfg.output else workspace.root / "export" / cfg.format
    settings = ExportSettings(cfg.format, output, workspace.root, detections_of(cfg, workspace), cfg.include_images, cfg.id_map)
    return finish(run_export(workspace, settings, cfg.pages_per_shard, run_options(cfg)), workspace)
