"""Everything on the bundled comics, with a report to look at. Start here.

48 openly licensed pages, from golden-age newsprint to manga and webtoon, run through all stages on this machine, without
network. One file is damaged on purpose, to show how that is reported.

Examples:
  comix demo
  comix demo workspace=~/comix-demo workers=4
  comix demo credits=true
  comix demo library=~/Comics workspace=mine
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import say, workspace_argument, workspace_of
from comix.apps.pipeline import run_all, show_next, stage_settings
from comix.bundled import credits, library_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stages; 0 when all of them ran to their end (the damaged file is expected)."""
    if cfg.credits:
        for one in credits():
            say(f"{one.title}, by {one.author}. {one.licence} {one.licence_url}\n  {one.container}. {one.changes}")
        return 0
    workspace = workspace_of(cfg)
    library = Path(cfg.library) if cfg.library else library_dir()
    settings = stage_settings(cfg, library)
    if not cfg.library:
        settings["extract"]["source"] = "bundled comics"
    settings["report"] = {**settings["report"], "title": cfg.title or "CoMix demo", "credits": not cfg.library}
    code = run_all(cfg, settings)
    if code > 1:
        return code
    argument = workspace_argument(workspace)
    show_next(
        workspace,
        [
            f'comix search "the moonlight turned her into a bat" {argument}',
            f"comix failures {argument}",
            "comix pipeline library=YOUR_COMICS workspace=my_comics",
        ],
    )
    return 0
