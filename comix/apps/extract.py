"""Page images and the page table out of any comic files.

Reads ZIP/CBZ, TAR/CBT, 7z/CB7, RAR/CBR (with bsdtar or unar installed), PDF, EPUB and image folders, told apart by
content, never by suffix. Original image bytes are kept; your files are only read. Each page gets a permanent id,
``book_id/NNNN``. Run it again to pick up new books: finished ones are left alone.

Examples:
  comix extract library=~/Comics
  comix extract library="My Comics (2020), #1" workspace=ws workers=4
  comix extract library=~/Comics retry=failed
  comix extract library=~/Comics mode=inplace
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import finish, run_options, workspace_of
from comix.intake.extract import run_extract

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    summary = run_extract(
        workspace, Path(cfg.library), cfg.source, cfg.render_long_side, run_options(cfg),
        mode=cfg.mode, check=cfg.check, file_names=cfg.file_names,
    )  # fmt: skip
    return finish(summary, workspace)
