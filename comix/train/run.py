"""A training run from pages to a published checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from comix.data.features import PanelFeatures
from comix.data.module import PageBatches, PageData
from comix.data.page import PageExample
from comix.data.pixels import PixelReader
from comix.data.split import Split
from comix.models.closure_lite import ClosureLite
from comix.models.encoders import PretrainedVision, tokenizer_of
from comix.train.checkpoint import save_model
from comix.train.evaluate import Figures, baselines
from comix.train.fit import LAST, Fitted, fit, torch_threads
from comix.train.metrics_file import runs_of, write_metrics, write_state
from comix.train.plan import Plan, publish
from comix.train.task import ClosureTask


def train(
    plan: Plan, model: ClosureLite, pages: Sequence[PageExample], split: Split, features: PanelFeatures | None, rejected: int
) -> dict[str, Any]:
    """Train, publish the checkpoint, write ``metrics.json``; what it says.

    Args:
        model: untrained, its weights drawn with the plan's seed.
        pages: with one panel or more each.
        features: of these pages; None for a model that reads pixels.
        rejected: lines of the lists that gave no page, for the record.
    """
    started = time.monotonic()
    fingerprint = plan.fingerprint(pages)
    write_state(plan.folder, fingerprint, "running")
    reader = None if features is not None else pixel_reader(model)
    data = PageData(PageBatches(pages, features, reader), split, plan.batch_size, plan.seed, plan.dataset.num_workers)
    val_batches = data.val_batches()
    task = ClosureTask(model, plan.objective, plan.optimisation, plan.seed, val_batches)
    with torch_threads(1 if features is not None else None):
        standards = baselines(val_batches) if val_batches else {}
        untrained = task.evaluate() if val_batches else {}
    resume = _state_to_resume(plan, fingerprint)
    fitted = fit(task, data, plan.folder, plan.epochs, plan.trainer, plan.log, plan.name, plan.config, resume)
    if int(os.environ.get("RANK", "0")) > 0:
        return {}
    facts = _facts(plan, fitted, pages, split, rejected) | {"baselines": standards, "untrained": untrained}
    facts["seconds"]["run"] = round(time.monotonic() - started, 2)
    facts["resumed_from"] = str(resume) if resume else ""
    card = {key: facts[key] for key in ("name", "variant", "seed", "n_pages", "final", "validation", "best_epoch")}
    facts["model_hash"] = save_model(plan.folder, task.model.cpu(), card)
    write_metrics(plan.folder, facts)
    publish(plan)
    write_state(plan.folder, fingerprint, "done")
    return facts


def pixel_reader(model: ClosureLite) -> PixelReader:
    """How a model with trained encoders wants its input."""
    assert isinstance(model.image, PretrainedVision)
    return PixelReader(model.image.image_size, model.image.mean, model.image.std, tokenizer_of(str(model.settings["text"])))


def _state_to_resume(plan: Plan, fingerprint: str) -> Path | None:
    if plan.resume == "auto":
        states = [folder / LAST for folder in runs_of(plan.runs, fingerprint, "running")]
        return next((state for state in states if state.is_file()), None)
    return None if plan.resume == "never" else Path(plan.resume).expanduser()


def _facts(plan: Plan, fitted: Fitted, pages: Sequence[PageExample], split: Split, rejected: int) -> dict[str, Any]:
    last, best = fitted.history[-1], fitted.history[fitted.best_epoch - 1]
    return {
        "name": plan.name,
        "variant": plan.variant,
        "model": plan.model.get("name", ""),
        "seed": plan.seed,
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "n_pages": {"train": len(split.train), "val": len(split.val), "rejected": rejected},
        "n_panels": sum(len(page.boxes) for page in pages),
        "weak_order_share": sum(page.order_is_weak for page in pages) / len(pages),
        "split_note": split.note,
        "weights": {part: getattr(plan.objective, part).weight for part in ("rpp", "pop", "mpm")},
        "final": {name: last.get(f"loss_{name}" if name != "loss" else name) for name in ("loss", "mpm", "pop", "rpp")},
        "validation": _validation(best),
        "validation_last": _validation(last),
        "bad_steps": len(fitted.bad_steps),
        "seconds": {"train": round(fitted.seconds, 2)},
        "torch": torch.__version__,
    }


def _validation(row: Mapping[str, Any]) -> Figures:
    return {name.removeprefix("val_"): value for name, value in row.items() if name.startswith("val_")}
