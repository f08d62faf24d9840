"""A training run of the panel detector: from COCO files to weights with a card."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from comix.core.files import write_bytes
from comix.data.boxdata import BoxData, BoxDataSettings
from comix.data.packed import PackedPages
from comix.detect.rcnn.network import Shape, light_network
from comix.detect.rcnn.weights import Card, save_weights
from comix.models.frozen import lite0_weights
from comix.train.boxeval import BoxFigures
from comix.train.boxtask import BoxOptimisation, BoxTask
from comix.train.keeper import Keeper, training_interruptible
from comix.train.state import AtomicCheckpoints, check_state

NAME = "panels"
"""Stem of the files that a run leaves."""


@dataclass(frozen=True, slots=True)
class BoxTraining:
    """Everything that decides a run.

    Attributes:
        data: what is learned from, and how it is shown.
        shape: of the network.
        optimisation: how weights move.
        batch_size: pages in a batch.
        epochs: validations; ``steps``: batches between two of them.
        start: stem of weights to start from, ``weights.safetensors`` without the suffix; "" for ImageNet's backbone.
        threads: of torch.
        facts: what the card says beside what the run knows: data, licence.
    """

    data: BoxDataSettings
    shape: Shape
    optimisation: BoxOptimisation
    batch_size: int = 4
    epochs: int = 20
    steps: int = 200
    seed: int = 0
    start: str = ""
    threads: int = 1
    facts: Mapping[str, Any] | None = None


def train_boxes(
    plan: BoxTraining, folder: Path, resume: Path | None, show: Callable[[int, int, str], None] = lambda *_: None
) -> dict[str, Any]:
    """Train; the figures of the epoch whose weights ``folder`` gets as ``panels.safetensors`` and ``panels.yaml``.

    Args:
        folder: the run's; gets ``last.ckpt`` and ``history.csv`` too.
        resume: a ``last.ckpt`` to go on from.
        show: told of the decoding's progress.

    Raises:
        MissingInputError, FileFormatError: pages or a state that cannot be used.
        TrainingInterruptedError: Ctrl-C; the state is saved.
    """
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    data = BoxData(plan.data, plan.batch_size, plan.steps, plan.seed, show)
    network = _network(plan)
    figures = None
    if data.val_pages:
        packed = PackedPages(Path(plan.data.cache), data.val_pages, 2.25 * plan.data.canvas_area, show)
        figures = BoxFigures(data.val_pages, packed, plan.data.canvas_area)
    task = BoxTask(network, plan.optimisation, plan.epochs * plan.steps, plan.seed, figures)
    task.batches = data.digest()
    if resume is not None:
        check_state(resume, network.state_dict(), task.batches)
    _fit(plan, task, data, folder, resume)
    row = max(task.history, key=lambda one: (one.get("score") or 0.0, one["epoch"]))
    save_weights(folder / NAME, task.best, _card(plan, data, row))
    return dict(row)


def _network(plan: BoxTraining) -> Any:
    from comix.detect.rcnn.weights import read_card, read_state

    network = light_network(plan.shape, plan.optimisation.n_frozen)
    if plan.start:
        stem = Path(plan.start).expanduser()
        network.load_state_dict(read_state(stem, str(read_card(stem).facts["sha256"])))
    else:
        network.backbone.take(lite0_weights())
    return network.to(memory_format=torch.channels_last)


def _fit(plan: BoxTraining, task: BoxTask, data: BoxData, folder: Path, resume: Path | None) -> None:
    from pytorch_lightning.loggers import CSVLogger

    with training_interruptible() as stop, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator="auto", devices=1, max_epochs=plan.epochs, limit_train_batches=plan.steps,
            gradient_clip_val=plan.optimisation.clip_norm, callbacks=[Keeper(folder, plan.epochs, 0, stop)],
            plugins=[AtomicCheckpoints()], logger=CSVLogger(folder, name="", version="log"), default_root_dir=folder,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, log_every_n_steps=10,
            reload_dataloaders_every_n_epochs=1,
        )  # fmt: skip
        try:
            trainer.fit(task, datamodule=data, ckpt_path=str(resume) if resume else None, weights_only=True)
        finally:
            _write_history(folder / "history.csv", task.history)


def _write_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    if history:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[-1]), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(history)
        write_bytes(path, text.getvalue().encode())


def _card(plan: BoxTraining, data: BoxData, row: Mapping[str, Any]) -> Card:
    facts = {
        **(plan.facts or {}),
        "trained": {
            "pages": len(data.pages), "boxes": sum(len(page.boxes) for page in data.pages), "seed": plan.seed,
            "batch_size": plan.batch_size, "steps": int(row["step"]), "optimisation": asdict(plan.optimisation),
        },
        "validation": {name: value for name, value in row.items() if isinstance(value, int | float)},
    }  # fmt: skip
    return Card(plan.shape, tuple(plan.data.classes), plan.data.canvas_area, facts)
