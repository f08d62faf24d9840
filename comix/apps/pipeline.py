"""Everything on your folder: pages, panels, text, checked data, a trained model, search, and a report.

The same as the stages one after another with their defaults; each is resumable, so is this. Settings of single stages
are given by running those stages yourself in the same workspace.

Examples:
  comix pipeline library=~/Comics workspace=my_comics
  comix pipeline library=~/Comics workspace=my_comics until=curate
  comix pipeline library=~/Manga direction=rtl workers=4 limit=10
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import plain, say, workspace_argument, workspace_of
from comix.apps.status import show_counts
from comix.build import instantiate
from comix.compose import as_words, compose
from comix.core.errors import ComixError, MissingInputError
from comix.core.workspace import Workspace
from comix.embed.place import embeddings_dir, find_checkpoint, is_of_another_model

if TYPE_CHECKING:
    from omegaconf import DictConfig

DATA_STAGES = ("extract", "detect", "order", "analyze", "align", "curate")


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
        "extract": {**everywhere, **work, "library": str(library), "source": cfg.source, "mode": cfg.mode, **limit},
        "detect": {**everywhere, **work, **_group("detector", choices, cfg), "save_vis": cfg.save_vis},
        "order": {**everywhere, **light, **boxes, "direction": cfg.direction},
        "analyze": {**everywhere, **work, **_group("vlm", choices, cfg), "prompt": choices["prompt"], **boxes},
        "align": {**everywhere, **light, **boxes, **text},
        "curate": {**everywhere, **light, **boxes},
        "compare": everywhere,
        "embed": everywhere,
        "index": everywhere,
        "report": {**everywhere, **boxes, **text, "title": cfg.title},
    }


def _group(name: str, choices: Mapping[str, str], cfg: DictConfig) -> dict[str, Any]:
    """A chosen group option with its settings, as overrides of another stage."""
    settings = {
        f"{name}.{key}": value
        for key, value in plain(cfg[name]).items()
        if key != "_target_" and not isinstance(value, dict | list)  # presets and prompts come with the option itself
    }
    return {name: choices[name], **settings}


def run_all(cfg: DictConfig, settings: Mapping[str, Mapping[str, Any]]) -> int:
    """All stages up to ``until``, then the report; the worst exit code.

    Few or odd pages may give no model: that is said, and the report is still written.
    """
    code = run_stages(settings, DATA_STAGES)
    if code <= 1 and cfg.until != "curate":
        learned = run_training(cfg)
        if learned <= 1:
            learned = max(learned, run_stages(settings, ("compare",)))
        if learned <= 1 and cfg.until == "index":
            anew = embedded_anew(Workspace(Path(cfg.workspace)))
            learned = max(learned, run_stages({**settings, "embed": {**settings["embed"], **anew}}, ("embed", "index")))
        if learned > 1:
            say("No model and no search this time, for the reason above; what was extracted, read and checked is all there.")
        code = 130 if learned == 130 else max(code, min(learned, 1))
    if code <= 1:
        code = max(code, run_stages(settings, ("report",)))
    return code


def embedded_anew(workspace: Workspace) -> dict[str, Any]:
    """What `embed` is told where the model was trained again, on more pages say: its old embeddings fit it no longer."""
    checkpoint = find_checkpoint(workspace, "")
    if not is_of_another_model(embeddings_dir(workspace, checkpoint.name), checkpoint):
        return {}
    say(f"embed: {checkpoint.name} was trained anew, so its embeddings are made anew")
    return {"overwrite": True}


def run_training(cfg: DictConfig) -> int:
    """``comix train -m`` over the variants, in a process of its own: each job is a Hydra run with its own folder."""
    words = [f"workspace={cfg.workspace}", f"epochs={cfg.epochs}", f"mpm_variant={cfg.variants}"]
    sweep = ["-m"] if "," in cfg.variants else []
    process = subprocess.Popen([sys.executable, "-m", "comix", "train", *sweep, *words])
    try:
        return process.wait()
    except KeyboardInterrupt:  # the terminal has sent it to the child too, which ends by itself
        process.wait()
        return 130


def run_stages(settings: Mapping[str, Mapping[str, Any]], stages: Sequence[str]) -> int:
    """Run stages one after another as a user would; the worst exit code, stopping where one cannot go on.

    Failed items (code 1) do not stop the work: the later stages go on with what there is.
    """
    worst = 0
    for stage in stages:
        try:
            code = int(importlib.import_module(f"comix.apps.{stage}").main(compose(stage, as_words(settings[stage]))))
        except ComixError as error:
            sys.stderr.write(f"comix {stage}: {error}\n")
            code = 2
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
    library = Path(cfg.library)
    if not library.exists():
        raise MissingInputError(f"library={library}: no such folder; wanted a folder with comics")
    workspace = workspace_of(cfg)
    code = run_all(cfg, stage_settings(cfg, library))
    if code <= 1:
        argument = workspace_argument(workspace)
        show_next(
            workspace,
            [f'comix search "what somebody says" {argument}', f"comix failures {argument}", f"comix status {argument}"],
        )
    return code
