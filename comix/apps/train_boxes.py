"""What ``comix train task=panel_detector`` does: a panel detector from COCO files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import interrupted, plain, say, workspace_of
from comix.build import instantiate
from comix.core.files import digest

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Train one detector; 0, or 130 after Ctrl-C."""
    from hydra.core.hydra_config import HydraConfig

    from comix.core.progress import lazy_progress
    from comix.train.boxrun import NAME, train_boxes
    from comix.train.keeper import TrainingInterruptedError
    from comix.train.metrics_file import write_state

    workspace = workspace_of(cfg)
    settings = {key: value for key, value in plain(cfg.task).items() if key != "kind"}
    plan = instantiate({**settings, "batch_size": cfg.batch_size, "epochs": cfg.epochs, "seed": cfg.seed})
    folder = Path(HydraConfig.get().runtime.output_dir)
    fingerprint = digest("boxes", settings, cfg.batch_size, cfg.epochs, cfg.seed)
    resume = _state_to_resume(cfg.resume, workspace.root / "runs" / "train", fingerprint)
    write_state(folder, fingerprint, "running")
    if resume is not None:
        say(f"train: goes on from {resume}")
    try:
        with lazy_progress("pages") as show:
            row = train_boxes(plan, folder, resume, show)
    except TrainingInterruptedError:
        return interrupted()
    write_state(folder, fingerprint, "done")
    figures = ", ".join(f"{name} {row[name]:.3f}" for name in ("ap50", "f1_50", "f1_75", "page_exact") if name in row)
    say(f"train: epoch {row['epoch']} of {plan.epochs} kept: {figures or 'not validated'}, loss {row['loss']:.4f}")
    say(f"  weights: {folder / NAME}.safetensors; use them: comix detect detector=faster_rcnn detector.weights={folder / NAME}")
    return 0


def _state_to_resume(resume: str, runs: Path, fingerprint: str) -> Path | None:
    """The state named, or that of the newest unfinished run of the same settings."""
    from comix.train.metrics_file import runs_of
    from comix.train.state import LAST

    if resume != "auto":
        return None if resume == "never" else Path(resume).expanduser()
    states = (folder / LAST for folder in runs_of(runs, fingerprint, "running"))
    return next((state for state in states if state.is_file()), None)
