"""Closure-Lite under Lightning: steps, schedule, what a bad gradient costs, validation after every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from comix.core.errors import ComixError
from comix.data.relaid import LayoutBank
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite
from comix.train.asked import Figures
from comix.train.augment import varied, varied_layouts
from comix.train.evaluate import evaluate
from comix.train.objectives import PARTS, Objective, layout_loss, losses
from comix.train.schedule import WarmupCosine
from comix.train.settings import Optimisation

_FROM_NOTHING = ("next_panel.", "composition.", "denoise.", "image.project.", "text.project.")
"""Parts of the model that start from random weights and learn at the full rate."""


class TrainingFailedError(ComixError, RuntimeError):
    """Training cannot go on: too many steps with gradients that are no numbers."""


class ClosureTask(pl.LightningModule):
    """Trains a `ClosureLite`.

    Args:
        model: what is trained.
        objective: what for.
        optimisation: how.
        seed: of dropout and noise; every step draws from its own stream, so a resumed run equals an undisturbed one.
        val_batches: validation blocks, made anew each time they are asked for; none leaves validation out.
        layouts: composed layouts that the objective asks beside each batch; None where it asks none.

    Attributes:
        history: one row per epoch; ``bad_steps`` the steps left out, ``seconds`` of training, resumed parts included.
        best: weights of the best epoch so far.
        untrained: validation figures before the first step.
        batches: mark of the batches it is trained on, kept in the state.
    """

    def __init__(
        self,
        model: ClosureLite,
        objective: Objective,
        optimisation: Optimisation,
        seed: int = 0,
        val_batches: Sequence[Batch] = (),
        layouts: LayoutBank | None = None,
    ) -> None:
        super().__init__()
        self.layouts = layouts
        self.model, self.objective, self.optimisation = model, objective, optimisation
        self.seed, self.val_batches = seed, val_batches
        self.history: list[dict[str, Any]] = []
        self.bad_steps: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] = {}
        self.untrained: Figures = {}
        self.batches = ""
        self.seconds = 0.0
        self._sums: dict[str, Tensor | float] = {}
        self._page_ids: list[str] = []
        self._started = time.monotonic()

    def on_train_start(self) -> None:
        """Plan the rest of the run: after a resume with more epochs the rate goes on falling. Look at the untrained model."""
        if len(self.val_batches) and not self.untrained and self.global_step == 0:
            self.untrained = self.evaluate()
        self._started = time.monotonic() - self.seconds
        scheduler: Any = self.lr_schedulers()
        for plan in scheduler.lr_lambdas:
            plan.replan(int(self.trainer.estimated_stepping_batches), self.global_step)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Give the step its own random stream."""
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            self._page_ids = []
        torch.manual_seed((self.seed * 1_000_003 + self.global_step * 131 + batch_idx) * 65_537 + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        self._page_ids += batch.page_ids
        batch = varied(batch, self.optimisation.mirror, self.optimisation.stretch)
        parts = losses(self.model, batch, self.model.encode(batch), self.objective)
        total: Tensor = parts.total + self._layout_part(batch)
        values = {"loss": parts.total, "pages": torch.ones_like(parts.total)}
        values |= {f"loss_{name}": getattr(parts, name) for name in PARTS}
        fine = torch.isfinite(parts.total)
        for name, value in values.items():  # stays on the device: asking for the numbers would make it wait
            share = torch.where(fine, value.detach().double() * batch.n_pages, 0.0)
            self._sums[name] = self._sums.get(name, 0.0) + share
        self.log("loss_step", parts.total.detach(), batch_size=batch.n_pages)
        return total

    def _layout_part(self, batch: Batch) -> Tensor | float:
        """The weighted loss on layouts without content."""
        part = self.objective.rpp
        if self.layouts is None or not part.layouts:
            return 0.0
        random = np.random.default_rng(int(torch.randint(2**62, ())))
        layout, rule, order = (
            torch.from_numpy(one).to(batch.layout.device) for one in self.layouts.batch(part.layouts, random)
        )
        layout = varied_layouts(layout, self.optimisation.mirror, self.optimisation.stretch)
        return part.weight * layout_loss(self.model, layout, rule, order)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Skip the step when a gradient is no number; remember which pages it came from.

        Raises:
            TrainingFailedError: more such steps than allowed.
        """
        grads = [one.grad for one in self.model.parameters() if one.grad is not None]
        if bool(torch.isfinite(torch.stack([grad.abs().sum() for grad in grads])).all()):
            return
        for parameter in self.model.parameters():
            parameter.grad = None  # the optimiser leaves parameters without gradient as they are
        page_ids = sorted(one for some in _gathered(self._page_ids) for one in some)
        self.bad_steps.append({"step": self.global_step, "page_ids": page_ids})
        if len(self.bad_steps) > self.optimisation.max_bad_steps:
            raise TrainingFailedError(
                f"{len(self.bad_steps)} steps had gradients that are no numbers (last pages: {', '.join(page_ids[:3])}); "
                "lower lr, or look at these pages; bad_steps.json in the run folder lists all"
            )

    def configure_gradient_clipping(
        self, optimizer: torch.optim.Optimizer, gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:  # fmt: skip
        """Clip by norm; Lightning's own way refuses fused optimisers, because of scaled gradients, which there are none of."""
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def on_train_epoch_end(self) -> None:
        """Losses of the epoch and validation figures; the monitored score."""
        sums = _added(_gathered(self._numbers()))
        pages = max(sums.pop("pages", 0.0), 1.0)
        row: dict[str, Any] = {"epoch": self.current_epoch + 1, "step": self.global_step}
        row |= {name: value / pages for name, value in sums.items()}
        self._sums = {}
        row["lr"] = max(float(group["lr"]) for group in self.trainer.optimizers[0].param_groups)
        if len(self.val_batches):
            row |= {f"val_{name}": value for name, value in self.evaluate().items()}
        row["score"] = (
            score_of({name.removeprefix("val_"): value for name, value in row.items()}) if len(self.val_batches) else None
        )
        self.history.append(row)
        if best_of(self.history) == len(self.history):
            self.best = {name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()}
        self.seconds = time.monotonic() - self._started
        self.log_dict({name: float(row[name]) for name in row if row[name] is not None and name not in ("epoch", "step")})

    def evaluate(self) -> Figures:
        """Figures on the validation blocks."""
        return evaluate(self.model, self.val_batches, self.objective, self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the history with the state."""
        checkpoint["comix"] = {
            "history": self.history, "bad_steps": self.bad_steps, "seconds": self.seconds,
            "sums": _added(_gathered(self._numbers())),
            "best": self.best, "untrained": self.untrained, "batches": self.batches,
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history up again."""
        kept = checkpoint.get("comix", {})
        self.best, self.untrained = dict(kept.get("best", {})), dict(kept.get("untrained", {}))
        self.history, self.bad_steps = list(kept.get("history", [])), list(kept.get("bad_steps", []))
        self.seconds = float(kept.get("seconds", 0.0))
        self._sums = dict(kept.get("sums", {})) if self.global_rank == 0 else {}

    def _numbers(self) -> dict[str, float]:
        return {name: float(value) for name, value in self._sums.items()}

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine, counted in steps."""
        how = self.optimisation
        optimizer = torch.optim.AdamW(self._groups(), lr=how.lr, fused=self.device.type == "cuda" or None)
        total = int(self.trainer.estimated_stepping_batches)
        plans: list[Callable[[int], float]] = [
            WarmupCosine(total, max(1, round(how.warmup_share * total)), how.min_lr_share) for _ in optimizer.param_groups
        ]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, plans)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters by learning rate and decay."""
        how = self.optimisation
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((not name.startswith(_FROM_NOTHING), parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": members,
                "lr": how.lr * (how.content_lr_scale if content else 1.0),
                "weight_decay": how.weight_decay if matrix else 0.0,
            }
            for (content, matrix), members in sorted(groups.items())
        ]


def _gathered(value: Any) -> list[Any]:
    """The value of every process, in the order of their ranks."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, value)
    return found


def _added(sums: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: math.fsum(one.get(name, 0.0) for one in sums) for name in dict.fromkeys(chain.from_iterable(sums))}


def score_of(figures: Figures) -> float:
    """What the best checkpoint is chosen by: the mean of next-panel accuracy and panel-on-page AUC, as far as known."""
    known = [value for name in ("rpp_next_accuracy", "pop_auc") if (value := figures.get(name)) is not None]
    return math.fsum(known) / len(known) if known else 0.0


def best_of(history: Sequence[Mapping[str, Any]]) -> int:
    """The epoch, from 1, with the highest score, the first of equals; the last one without validation.

    >>> best_of([{"score": 0.1}, {"score": 0.3}, {"score": 0.3}]), best_of([{"score": None}, {"score": None}])
    (2, 2)
    """
    scores = [row.get("score") for row in history]
    if not scores or scores[0] is None:
        return len(history)
    return 1 + max(range(len(scores)), key=lambda index: (scores[index], -index))
