"""What ``trainer=``, ``logger=`` and ``optimisation.*`` choose."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from comix.core.errors import MissingInputError

if TYPE_CHECKING:
    from comix.train.pageread import ReadPage


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How weights move.

    Attributes:
        lr: peak learning rate of heads and fusion.
        content_lr_scale: of pretrained encoders and of all that starts as their plain cosine (projections, pooling, the heads
            for content), relative to ``lr``: quick steps would spoil it on few pages.
        weight_decay: on matrices, not on biases and norms.
        warmup_share: share of the steps in which the rate rises.
        min_lr_share: rate at the end, relative to ``lr``.
        max_bad_steps: steps with non-finite gradients before training stops.
        mirror: probability that a page is laid out mirrored and read the other way.
        stretch: pages are laid out larger or smaller by up to this share, per side, and their panels moved a little.
        relayout: probability that a page's panels are shown, in their order, in a layout of the page factory.
        n_layouts: layouts that these, and those of ``objective.rpp.layouts``, are drawn from.
        leave_out: layout families that are not among them, to measure on.
    """

    lr: float = 3e-4
    content_lr_scale: float = 0.1
    weight_decay: float = 0.01
    warmup_share: float = 0.05
    min_lr_share: float = 0.1
    max_bad_steps: int = 20
    mirror: float = 0.5
    stretch: float = 0.2
    relayout: float = 0.0
    n_layouts: int = 4000
    leave_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """The machine and the pace.

    Attributes:
        accelerator: ``cpu``, ``gpu`` or ``auto``.
        devices: how many.
        strategy: ``auto`` or ``ddp``.
        precision: Lightning's name; ``32-true`` has no surprises, ``bf16-mixed`` is for GPUs.
        compile: let ``torch.compile`` make the blocks of encoders that are trained along faster; takes a minute at the start
            and a C compiler.
        accumulate: batches per optimiser step.
        clip_norm: gradients are scaled down to this norm.
        limit_batches: training batches per epoch at most; None for all.
        threads: of torch on the CPU; None for 1 where features are cached (small matrices: more threads only wait for each
            other, 16 times slower on a busy two-core machine) and for torch's own choice else.
        checkpoint_every: steps between states to resume from, beside the one after every epoch; 0 for one every
            five minutes.
        publish: whether the model goes to ``models/``; a trial's stays in its run folder.
    """

    accelerator: str = "cpu"
    devices: int = 1
    strategy: str = "auto"
    precision: Any = "32-true"
    compile: bool = False
    accumulate: int = 1
    clip_norm: float = 1.0
    limit_batches: int | None = None
    threads: int | None = None
    checkpoint_every: int = 0
    publish: bool = True


_CHECKPOINT = ("model.safetensors", "model.yaml", "metrics.json", "history.csv")


@dataclass(frozen=True, slots=True)
class CsvLog:
    """Curves as a CSV file in the run folder; always written, so this adds nothing."""

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> Any:
        """Lightning's logger: writes ``log/metrics.csv`` with every step."""
        from pytorch_lightning.loggers import CSVLogger

        return CSVLogger(save_dir=folder, name="", version="log", flush_logs_every_n_steps=50)

    def close(self, logger: Any, figures: Mapping[str, Any], folder: Path, pages: Callable[[], Sequence[ReadPage]]) -> None:
        """Nothing is left to do."""


@dataclass(frozen=True, slots=True)
class WandbLog:
    """A mirror of the run in Weights & Biases; the run folder's ``metrics.json`` stays the truth.

    Attributes:
        project: name there; likewise ``group``, "" for the variant's sweep.
        offline: write to the run folder only; `wandb sync` sends it later.
    """

    project: str = "comix"
    group: str = ""
    offline: bool = True

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> Any:
        """Lightning's logger.

        Raises:
            MissingInputError: the optional package is not installed.
        """
        try:
            import wandb  # noqa: F401
        except ImportError as error:
            raise MissingInputError('logger=wandb: the package is not installed: pip install "comix[wandb]"') from error
        from pytorch_lightning.loggers import WandbLogger

        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_DATA_DIR", str(folder))  # what waits to be sent lies with the run, not at home
        logger = WandbLogger(name=name, save_dir=folder, project=self.project, group=self.group or None, offline=self.offline)
        logger.experiment.config.update(dict(config), allow_val_change=True)
        return logger

    def close(self, logger: Any, figures: Mapping[str, Any], folder: Path, pages: Callable[[], Sequence[ReadPage]]) -> None:
        """Send the final figures, a table of pages with the order that the model reads, and the checkpoint; end the run.

        Args:
            figures: of the best epoch.
            folder: with the checkpoint, which becomes an artifact of type ``model``.
            pages: gives some held-out pages.
        """
        import wandb

        known = {name: value for name, value in figures.items() if isinstance(value, int | float)}
        rows: list[Any] = [[name, value] for name, value in known.items()]
        read = [(one, wandb.Image(Image.open(BytesIO(one.picture)), caption=one.page_id)) for one in pages()]
        shown = [[one.page_id, picture, one.n_panels, one.n_wrong] for one, picture in read]
        columns = ["page", "read in this order", "panels", "in the wrong place"]
        tables: dict[str, Any] = {"validation": wandb.Table(columns=["figure", "value"], data=rows)}
        if read:
            tables |= {"pages": wandb.Table(columns=columns, data=shown), "pages_read": [picture for _, picture in read]}
        logger.experiment.log(tables)
        logger.experiment.summary.update(known)
        checkpoint = wandb.Artifact(_artifact_name(logger.experiment.name), "model", metadata=known)
        for name in _CHECKPOINT:
            if (folder / name).is_file():
                checkpoint.add_file(str(folder / name))
        logger.experiment.log_artifact(checkpoint)
        wandb.finish()


def _artifact_name(name: str | None) -> str:
    """A name as W&B takes it."""
    return re.sub(r"[^\w.-]", "-", name or "model")
