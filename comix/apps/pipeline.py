"""Everything on your folder: extract, detect, order, analyze, align, curate, report.

The same as the stages one after another with their defaults; each is resumable, so is this. Settings of single stages
are given by running those stages yourself in the same workspace.

Examples:
  comix pipeline library=~/Comics workspace=my_comics
  comix pipeline library=~/Manga direction=rtl workers=4 limit=10
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import plain, say, workspace_argument, workspace_of
from comix.apps.status import show_counts
from comix.build import instantiate
from comix.compose import as_words, compose
from comix.core.errors import MissingInputError
from comix.core.workspace import Workspace

if TYPE_CHECKING:
    from omegaconf import DictConfig

STAGES = ("extract", "detect", "order", "analyze", "align", "curate", "report")


def stage_settings(cfg: DictConfig, library: Path) -> dict[str, dict[str, Any]]:
    """What each stage is told, beyond its own defaults."""
    from hydra.core.hydra_config import HydraConfig

    choices = HydraConfig.get().runtime.choices
    everywhere = {"workspace": cfg.workspace}
    work = {"workers": cfg.workers, "retry": cfg.retry, "memory_mb": cfg.memory_mb, "timeout_s": cfg.timeout_s}
    light = {"retry": cfg.retry}
    limit = {} if cfg.limit is None else {"limit": cfg.limit}
    boxes = {"detections": instantiate(plain(cfg.detector)).name}
    text = {"reader": instantiate(plain(cfg.vlm)).name}
    return {
        "extract": {**everywhere, **work, "library": str(library), "source": cfg.source, **limit},
        "detect": {**everywhere, **work, **_group("detector", choices, cfg), "save_vis": cfg.save_vis},
        "order": {**everywhere, **light, **boxes, "direction": cfg.direction},
        "analyze": {**everywhere, **work, **_group("vlm", choices, cfg), **boxes},
        "align": {**everywhere, **light, **boxes, **text},
        "curate": {**everywhere, **light, **boxes},
        "report": {**everywhere, **boxes, **text, "title": cfg.title},
    }


def _group(name: str, choices: Mapping[str, str], cfg: DictConfig) -> dict[str, Any]:
    """A chosen group option with its settings, as overrides of another stage."""
    settings = {f"{name}.{key}": value for key, value in plain(cfg[name]).items() if key != "_target_"}
    return {name: choices[name], **settings}


def run_stages(settings: Mapping[str, Mapping[str, Any]], stages: Sequence[str] = STAGES) -> int:
    """Run stages one after another as a user would; the worst exit code, stopping where one cannot go on.

    Failed items (code 1) do not stop the work: the later stages go on with what there is.
    """
    worst = 0
    for stage in stages:
        code = int(importlib.import_module(f"comix.apps.{stage}").main(compose(stage, as_words(settings[stage]))))
        worst = max(worst, code)
        if code > 1:
            break
    return worst


def show_next(workspace: Workspace, commands: Sequence[str]) -> None:
    """The counts of all stages, the report's path and what to try next."""
    show_counts(workspace)
    say(f"Open in a browser: {workspace.report.resolve().as_uri()}")
    say("Try next:")
    for command in commands:
        say(f"  {command}")


def main(cfg: DictConfig) -> int:
    """Run the stages; the worst exit code."""
    library = Path(cfg.library).expanduser()
    if not library.exists():
        raise MissingInputError(f"library={library}: no such folder; wanted a folder with comics")
    workspace = workspace_of(cfg)
    code = run_stages(stage_settings(cfg, library))
    if code <= 1:
        argument = workspace_argument(workspace)
        show_next(
            workspace,
            [f"comix status {argument}", f"comix failures {argument}", f"comix detect save_vis=50 {argument}"],
        )
    return code
