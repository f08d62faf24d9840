"""Faster R-CNN under Lightning: steps, averaged weights, schedule, validation after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from comix.data.boxdata import BoxBatch
from comix.train.schedule import WarmupCosine
from comix.train.task import best_of


@dataclass(frozen=True, slots=True)
class BoxOptimisation:
    """How weights move.

    Attributes:
        lr: peak learning rate of pyramid and heads (AdamW).
        backbone_scale: of the pretrained layers, relative to ``lr``.
        n_frozen: layers of the backbone that do not learn, counted from the stem.
        weight_decay: on matrices, not on biases.
        warmup: steps in which the rate rises.
        min_lr_share: rate at the end, relative to ``lr``.
        clip_norm: gradients are scaled down to this norm.
        average: share of the averaged weights that stays at every step, less at the start; 0 for no averaging.
    """

    lr: float = 4e-4
    backbone_scale: float = 0.3
    n_frozen: int = 5
    weight_decay: float = 0.01
    warmup: int = 100
    min_lr_share: float = 0.02
    clip_norm: float = 5.0
    average: float = 0.998


class BoxTask(pl.LightningModule):
    """Trains a network that gives losses in training mode, as torchvision's detectors do.

    Args:
        model: what is trained.
        how: see there.
        steps: of the whole run.
        seed: every step draws from its own stream, so that a resumed run equals an undisturbed one.
        validate: figures of a model, ``score`` among them; None leaves validation out.

    Attributes:
        history: one row per epoch.
        average: the averaged weights, those that are validated and kept.
        best: weights of the best epoch so far.
        batches: mark of the batches it is trained on, kept in the state.
    """

    def __init__(
        self, model: GeneralizedRCNN, how: BoxOptimisation, steps: int, seed: int,
        validate: Callable[[GeneralizedRCNN], Mapping[str, float]] | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.model, self.how, self.steps, self.seed, self.validate = model, how, steps, seed, validate
        self.history: list[dict[str, Any]] = []
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.best: dict[str, Tensor] = {}
        self.batches, self.seconds = "", 0.0
        self._sums: dict[str, float] = {}
        self._started = time.monotonic()

    def on_train_start(self) -> None:
        """Count the time from here, and from before; the averages go where the weights are."""
        self.average = {name: value.to(self.device) for name, value in self.average.items()}
        self._started = time.monotonic() - self.seconds

    def on_train_batch_start(self, batch: BoxBatch, batch_idx: int) -> None:
        """Give the step its own random stream."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def transfer_batch_to_device(self, batch: BoxBatch, device: torch.device, dataloader_idx: int) -> BoxBatch:
        """All tensors to the device, pixels with their channels last."""
        pixels = batch.pixels.to(device, memory_format=torch.channels_last)
        return BoxBatch(pixels, [one.to(device) for one in batch.boxes], [one.to(device) for one in batch.labels])

    def training_step(self, batch: BoxBatch, batch_idx: int) -> Tensor:
        """The sum of the four losses of one batch."""
        targets = [{"boxes": boxes, "labels": labels} for boxes, labels in zip(batch.boxes, batch.labels, strict=True)]
        losses: dict[str, Tensor] = self.model(batch.pixels, targets)
        total = torch.stack(list(losses.values())).sum()
        for name, value in {"loss": total, **losses}.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        self._sums["n"] = self._sums.get("n", 0.0) + 1
        self.log("loss_step", total.detach(), batch_size=len(batch.boxes))
        return total

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Average the weights."""
        share = min(self.how.average, (1 + self.global_step) / (10 + self.global_step)) if self.how.average else 0.0
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - share)

    def on_train_epoch_end(self) -> None:
        """Mean losses, and figures on the validation pages with the averaged weights."""
        count = max(self._sums.pop("n", 0.0), 1.0)
        row: dict[str, Any] = {"epoch": self.current_epoch + 1, "step": self.global_step}
        row |= {name: value / count for name, value in self._sums.items()}
        row["lr"] = max(float(group["lr"]) for group in self.trainer.optimizers[0].param_groups)
        self._sums, row["score"] = {}, None
        if self.validate is not None:
            row |= self._figures(self.validate)
        self.seconds = time.monotonic() - self._started
        row["seconds"] = round(self.seconds, 1)
        self.history.append(row)
        if best_of(self.history) == len(self.history):
            self.best = {name: value.detach().cpu().clone() for name, value in self.average.items()}

    def _figures(self, validate: Callable[[GeneralizedRCNN], Mapping[str, float]]) -> Mapping[str, float]:
        now = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        self.model.eval()
        figures = validate(self.model)
        self.model.train()
        self.model.load_state_dict(now)
        return figures

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what this class knows with the state."""
        checkpoint["comix"] = {
            "history": self.history, "average": self.average, "best": self.best, "sums": self._sums,
            "batches": self.batches, "seconds": time.monotonic() - self._started,
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        kept = checkpoint["comix"]
        self.history, self.average, self.best = list(kept["history"]), dict(kept["average"]), dict(kept["best"])
        self._sums, self.seconds = dict(kept["sums"]), float(kept["seconds"])

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine, counted in steps."""
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((name.startswith("backbone.layers."), parameter.ndim > 1), []).append(parameter)
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": members,
                    "lr": self.how.lr * (self.how.backbone_scale if pretrained else 1.0),
                    "weight_decay": self.how.weight_decay if matrix else 0.0,
                }
                for (pretrained, matrix), members in sorted(groups.items())
            ]
        )
        plan = WarmupCosine(self.steps, self.how.warmup, self.how.min_lr_share)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, [plan] * len(optimizer.param_groups))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
