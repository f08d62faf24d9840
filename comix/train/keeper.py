"""Lightning's callback that keeps the state to resume from, shows the progress line, and stops cleanly at Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from comix.core.interrupt import interruptible
from comix.core.progress import Progress
from comix.train.state import LAST

_BETWEEN_EPOCHS_S = 5.0
"""Short epochs do not each write their state: it is larger than what they compute."""
_INSIDE_EPOCH_S = 300.0
"""A long epoch loses no more than this."""


class TrainingInterruptedError(Exception):
    """Ctrl-C: the state is kept, the same command goes on."""


class Keeper(Checkpoint):
    """After every epoch the state to resume from (short epochs: every few seconds and at the end), in long ones inside too.

    A `Checkpoint` by class, so that Lightning calls it after the task has closed its epoch.

    Args:
        folder: gets ``last.ckpt``.
        epochs: in all.
        every_n_steps: save inside an epoch after so many optimiser steps; 0 for every five minutes.
        stop: set by Ctrl-C: training stops at the end of the step it is in.
    """

    def __init__(self, folder: Path, epochs: int, every_n_steps: int, stop: threading.Event) -> None:
        self.folder, self.epochs, self.every_n_steps, self.stop = folder, epochs, every_n_steps, stop
        self.progress: Progress | None = None
        self.saved = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the line."""
        if trainer.is_global_zero:
            self.progress = Progress("train", self.epochs - trainer.current_epoch, "epochs").__enter__()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save inside an epoch, between two optimiser steps only: gradients half gathered are in no state.

        Raises:
            TrainingInterruptedError: asked to stop, and saved.
        """
        if (batch_idx + 1) % trainer.accumulate_grad_batches or trainer.is_last_batch:
            return
        if self.every_n_steps:
            is_due = trainer.global_step > 0 and trainer.global_step % self.every_n_steps == 0
        else:
            is_due = time.monotonic() - self.saved > _INSIDE_EPOCH_S
        self._save(trainer, is_due)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, and count the epoch.

        Raises:
            TrainingInterruptedError: asked to stop, and saved; not after the last epoch.
        """
        history: Any = pl_module.history
        is_last = trainer.current_epoch + 1 == self.epochs
        if self.progress is not None:
            self.progress.advance("done", f"loss {history[-1].get('loss', float('nan')):.4f}")
        self._save(trainer, is_last or time.monotonic() - self.saved > _BETWEEN_EPOCHS_S, may_stop=not is_last)

    def _save(self, trainer: pl.Trainer, is_due: bool, may_stop: bool = True) -> None:
        is_stopped = may_stop and _any_process(trainer, self.stop.is_set())
        if _any_process(trainer, is_due) or is_stopped:
            trainer.save_checkpoint(self.folder / LAST)
            self.saved = time.monotonic()
        if is_stopped:
            raise TrainingInterruptedError

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


def _any_process(trainer: pl.Trainer, here: bool) -> bool:
    """Whether it is so in any of the processes, which must all save or stop together."""
    if trainer.world_size == 1:
        return here
    return bool(trainer.strategy.reduce_boolean_decision(here, all=False))


@contextmanager
def training_interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C stops at once.

    Raises:
        TrainingInterruptedError: the second Ctrl-C, which Lightning turns into the end of the program.
    """
    with interruptible("Stopping: the state is saved after this step (Ctrl-C again to stop at once).") as stop:
        try:
            yield stop
        except SystemExit:
            if stop.is_set():
                raise TrainingInterruptedError from None
            raise
