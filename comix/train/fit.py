"""One training run: Lightning's trainer around `ClosureTask`, checkpoints, and what the run folder keeps."""

from __future__ import annotations

import csv
import io
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.core.files import json_bytes, write_bytes
from comix.core.progress import Progress
from comix.data.module import PageData
from comix.train.settings import CsvLog, TrainerSettings, WandbLog
from comix.train.task import ClosureTask, best_of

LAST = "last.ckpt"
_SAVE_EVERY_S = 5.0
"""Short epochs do not each write their state: it is larger than what they compute."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a run gave.

    Attributes:
        history: one row per epoch: losses, learning rate, validation figures, score.
        best_epoch: the row whose weights the task's model now holds, counting from 1.
        bad_steps: optimiser steps left out, with their pages.
        seconds: of training, resumed parts included.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    bad_steps: list[dict[str, Any]]
    seconds: float


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
        MissingInputError, FileFormatError: ``resume`` is not there, or of another model.
        TrainingFailedError: too many bad steps.
    """
    if resume is not None:
        _check_state(resume, task)
    logger = log.open(folder, name, config)
    trainer = _trainer(task, folder, epochs, settings, logger)
    threads = settings.threads or (None if task.model.uses_pixels else 1)
    try:
        with _quiet(), torch_threads(threads):
            trainer.fit(task, datamodule=data, ckpt_path=str(resume) if resume else None, weights_only=True)
    finally:
        _write_records(folder, task)
    best_epoch = best_of(task.history)
    task.model.load_state_dict(task.best)
    figures = task.history[best_epoch - 1] if task.history else {}
    log.close(logger, figures, folder / "history.csv")
    return Fitted(task.history, best_epoch, task.bad_steps, task.seconds)


def _trainer(task: ClosureTask, folder: Path, epochs: int, settings: TrainerSettings, logger: Any) -> pl.Trainer:
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
            max_epochs=epochs,
            logger=logger,
            callbacks=[_Keeper(folder, epochs, settings.checkpoint_every)],
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=True,
            num_sanity_val_steps=0,
            log_every_n_steps=10,
            use_distributed_sampler=False,
        )


class _Keeper(Checkpoint):
    """After every epoch the state to resume from (short epochs: every few seconds and at the end), and the progress line.

    A `Checkpoint` by class, so that Lightning calls it after the task has closed its epoch.
    """

    def __init__(self, folder: Path, epochs: int, every_n_steps: int) -> None:
        self.folder, self.epochs, self.every_n_steps = folder, epochs, every_n_steps
        self.progress: Progress | None = None
        self.saved = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the line."""
        if trainer.is_global_zero:
            self.progress = Progress("train", self.epochs - trainer.current_epoch, "epochs").__enter__()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save inside an epoch where asked to."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0 and not trainer.is_last_batch:
            trainer.save_checkpoint(self.folder / LAST)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, and count the epoch."""
        assert isinstance(pl_module, ClosureTask)
        if trainer.current_epoch + 1 == self.epochs or time.monotonic() - self.saved > _SAVE_EVERY_S or trainer.world_size > 1:
            trainer.save_checkpoint(self.folder / LAST)
            self.saved = time.monotonic()
        if self.progress is not None:
            self.progress.advance("done", f"loss {pl_module.history[-1].get('loss', float('nan')):.4f}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the line away."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Take the line away."""
        self._close()

    def _close(self) -> None:
        if self.progress is not None:
            self.progress.__exit__(None, None, None)
            self.progress = None


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


def _check_state(path: Path, task: ClosureTask) -> None:
    """Refuse a state that is not one of this model, before Lightning starts."""
    if not path.is_file():
        raise MissingInputError(f"resume={path}: no such file; wanted last.ckpt of a run folder (runs/train/...)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = {name.removeprefix("model."): tuple(value.shape) for name, value in state["state_dict"].items()}
    except Exception as error:
        raise FileFormatError(f"resume={path}: not a state of Lightning ({type(error).__name__}); wanted last.ckpt") from error
    ours = {name: tuple(value.shape) for name, value in task.model.state_dict().items()}
    if theirs != ours:
        odd = sorted(set(theirs.items()) ^ set(ours.items()))
        raise FileFormatError(
            f"resume={path}: is a state of another model or variant ({len(odd)} weights differ, first {odd[0][0]}); "
            "give the same model= and mpm_variant= as in that run"
        )


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
