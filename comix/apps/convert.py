"""Any readable comic file to CBZ, your folder tree preserved.

Pages keep their original bytes; PDF pages that are not one embedded image are rendered. Finished files are left alone.
The other stages do not need this: `extract` reads every format directly.

Examples:
  comix convert library=~/Comics
  comix convert library=~/Comics output=~/Comics_cbz workers=4
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import finish, run_options, workspace_of
from comix.intake.convert import run_convert

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    output = Path(cfg.output) if cfg.output else workspace.root / "converted"
    summary = run_convert(workspace, Path(cfg.library), cfg.source, output, cfg.render_long_side, run_options(cfg))
    return finish(summary, workspace)
