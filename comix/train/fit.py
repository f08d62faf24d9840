"""One training run: Lightning's trainer around `ClosureTask`, checkpoints, and what the run folder keeps."""

from __future__ import annotations

import csv
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from comix.core.errors import UsageError
from comix.core.files import json_bytes, write_bytes
from comix.data.module import PageData
from comix.train.keeper import Keeper, training_interruptible
from comix.train.settings import CsvLog, TrainerSettings, WandbLog
from comix.train.state import AtomicCheckpoints, check_state
from comix.train.task import ClosureTask, best_of


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a run gave.

    Attributes:
        history: one row per epoch: losses, learning rate, validation figures, score.
        best_epoch: the row whose weights the task's model now holds, counting from 1.
        bad_steps: optimiser steps left out, with their pages.
        seconds: of training, resumed parts included.
        logger: open still; `CsvLog.close` or `WandbLog.close` ends it.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    bad_steps: list[dict[str, Any]]
    seconds: float
    logger: Any


def fit(
    task: ClosureTask,
    data: PageData,
    folder: Path,
    epochs: int,
    settings: TrainerSettings,
    log: CsvLog | WandbLog,
    name: str,
    config: Mapping[str, Any],
    resume: Path | None = None,
) -> Fitted:
    """Train, and leave the best weights in ``task.model``.

    Args:
        folder: the run folder; gets ``last.ckpt`` (the best weights so far are in it), ``history.csv`` and, if there are any,
            ``bad_steps.json``.
        epochs: in all, resumed ones included.
        config: for the logger; interpolations unresolved, so that no secret is in it.
        resume: a state of Lightning to go on from.

    Raises:
        MissingInputError, FileFormatError: ``resume`` is not there, or of another model, other pages or batches.
        TrainingFailedError: too many bad steps.
        TrainingInterruptedError: Ctrl-C; the state is saved.
    """
    task.batches = batches_mark(data, settings)
    if resume is not None:
        check_state(resume, task.model.state_dict(), task.batches)
    logger = log.open(folder, name, config)
    if settings.compile:
        task.model.compile_encoders()
    threads = settings.threads or (None if task.model.uses_pixels else 1)
    with training_interruptible() as stop:
        trainer = _trainer(Keeper(folder, epochs, settings.checkpoint_every, stop), settings, logger)
        try:
            with _quiet(), torch_threads(threads):
                trainer.fit(task, datamodule=data, ckpt_path=str(resume) if resume else None, weights_only=True)
        finally:
            if trainer.is_global_zero:
                _write_records(folder, task)
    best_epoch = best_of(task.history)
    task.model.load_state_dict(task.best)
    return Fitted(task.history, best_epoch, task.bad_steps, task.seconds, logger)


def batches_mark(data: PageData, settings: TrainerSettings) -> str:
    """A hash of which pages come in which batch when: a state fits only a run with the same one."""
    world = int(os.environ.get("WORLD_SIZE", "1")) if settings.strategy == "ddp" else 1
    return data.digest(settings.accumulate, settings.limit_batches, world)


def _trainer(keeper: Keeper, settings: TrainerSettings, logger: Any) -> pl.Trainer:
    if settings.accelerator == "gpu" and not torch.cuda.is_available():
        raise UsageError("trainer=gpu: no GPU is visible here; use trainer=cpu, or check nvidia-smi and the torch build")
    with _quiet():
        return pl.Trainer(
            accelerator=settings.accelerator,
            devices=settings.devices,
            strategy="ddp_find_unused_parameters_true" if settings.strategy == "ddp" else settings.strategy,
            precision=settings.precision,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=settings.clip_norm,
            limit_train_batches=settings.limit_batches,
            max_epochs=keeper.epochs,
            logger=logger,
            callbacks=[keeper],
            plugins=[AtomicCheckpoints()],
            default_root_dir=keeper.folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=True,
            num_sanity_val_steps=0,
            log_every_n_steps=10,
            use_distributed_sampler=False,
        )


def _write_records(folder: Path, task: ClosureTask) -> None:
    if task.history:
        names = list(dict.fromkeys(name for row in task.history for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(task.history)
        write_bytes(folder / "history.csv", text.getvalue().encode())
    if task.bad_steps:
        write_bytes(folder / "bad_steps.json", json_bytes(task.bad_steps, indent=1))


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Run with this many threads of torch; None leaves them alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Without Lightning's advice on workers, loggers and devices."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
