"""Labelled pages as Lightning wants them: batches of one canvas size, pages drawn by the weight of their source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from comix.core.errors import MissingInputError
from comix.core.files import digest
from comix.data.boxpages import BoxPage, BoxSource, pages_digest, read_box_pages
from comix.data.packed import PackedPages
from comix.data.vary import Variation, varied_page
from comix.data.workers import one_thread_each
from comix.detect.rcnn.canvas import canvas_size, pixels_of

_ASPECTS = np.array([0.3, 0.5, 0.7, 1.0, 1.41, 2.0, 3.5, 7.0])
"""Height over width of the canvases that training uses."""


@dataclass(frozen=True, slots=True)
class BoxBatch:
    """Pages of one canvas size.

    Attributes:
        pixels: ``(n, 3, h, w)`` float32, see `pixels_of`.
        boxes: per page ``(k, 4)`` float32 xyxy, canvas pixels; ``labels`` ``(k,)`` int64, from 1.
    """

    pixels: Tensor
    boxes: list[Tensor]
    labels: list[Tensor]


@dataclass(frozen=True, slots=True)
class BoxDataSettings:
    """What is learned from, and how it is shown.

    Attributes:
        train: sources of pages, each a mapping of `BoxSource`'s fields; likewise ``val``, which may be empty.
        classes: category names, ``panel`` first.
        canvas_area: pixels of a canvas, about.
        vary: `Variation`'s fields; those not named keep their defaults.
        cache: folder for decoded pages.
        num_workers: processes that make batches; 0 for none beside the one that trains.
    """

    train: Sequence[BoxSource]
    val: Sequence[BoxSource]
    classes: Sequence[str] = ("panel",)
    canvas_area: int = 110_592
    vary: Variation = field(default_factory=Variation)
    cache: str = "cache/boxes"
    num_workers: int = 0


@dataclass(frozen=True, slots=True)
class BoxKey:
    """A batch to be made: positions of its pages, shape of its canvas, seed of all chance."""

    pages: tuple[int, ...]
    aspect: float
    seed: tuple[int, int]


class BoxBatches(Dataset[BoxBatch]):
    """Batches by `BoxKey`."""

    def __init__(self, pages: Sequence[BoxPage], packed: PackedPages, area: int, how: Variation) -> None:
        self.pages, self.packed, self.area, self.how = pages, packed, area, how

    def __getitem__(self, key: BoxKey) -> BoxBatch:
        random = np.random.default_rng(key.seed)
        size = canvas_size(1.0, key.aspect, self.area)
        canvases, boxes, labels = [], [], []
        for index in key.pages:
            page, image = self.pages[index], self.packed[index]
            factors = np.array([image.shape[1] / page.width, image.shape[0] / page.height] * 2, np.float32)
            canvas, found, kept = varied_page(image, page.boxes * factors, size, self.how, random)
            canvases.append(canvas)
            boxes.append(torch.from_numpy(found))
            labels.append(torch.from_numpy(page.labels[kept]))
        return BoxBatch(torch.from_numpy(pixels_of(canvases)), boxes, labels)


class DrawnBatches(Sampler[BoxKey]):
    """Batches drawn by chance: source by weight, page within it evenly, canvas shape by the first page.

    Args:
        pages: what is drawn from.
        weights: of the sources.
        position: tells the number of the next batch whenever an iteration starts, and where it ends.
    """

    def __init__(
        self, pages: Sequence[BoxPage], weights: Sequence[float], batch_size: int, seed: int,
        position: Callable[[], tuple[int, int]],
    ) -> None:  # fmt: skip
        self.batch_size, self.seed, self.position = batch_size, seed, position
        aspects = np.log([page.height / page.width for page in pages])
        shape = np.abs(aspects[:, None] - np.log(_ASPECTS)).argmin(axis=1)
        source = np.array([page.source for page in pages])
        sizes = np.bincount(source, minlength=len(weights))
        chance = np.array(weights, float)[source] / np.maximum(sizes, 1)[source]
        self._groups = [
            (float(_ASPECTS[one]), np.flatnonzero(shape == one), chance[shape == one]) for one in np.unique(shape).tolist()
        ]
        self._chance = np.array([one.sum() for _, _, one in self._groups]) / chance.sum()

    def key(self, number: int) -> BoxKey:
        """The batch of that number, from 0."""
        random = np.random.default_rng([self.seed, number])
        aspect, members, chance = self._groups[int(random.choice(len(self._groups), p=self._chance))]
        chosen = random.choice(members, self.batch_size, p=chance / chance.sum())
        return BoxKey(tuple(int(one) for one in chosen), aspect, (self.seed, number))

    def __len__(self) -> int:
        start, end = self.position()
        return end - start

    def __iter__(self) -> Iterator[BoxKey]:
        start, end = self.position()
        for number in range(start, end):
            yield self.key(number)


class BoxData(pl.LightningDataModule):
    """Training batches, and the validation pages.

    Args:
        settings: see there.
        batch_size: pages in a batch.
        steps: batches between two validations.
        seed: of all chance.
        show: told of the decoding's progress.

    Raises:
        MissingInputError, FileFormatError: see `read_box_pages`.
    """

    def __init__(
        self, settings: BoxDataSettings, batch_size: int, steps: int, seed: int,
        show: Callable[[int, int, str], None] = lambda *_: None,
    ) -> None:  # fmt: skip
        super().__init__()
        if not settings.train:
            raise MissingInputError("task.data.train is empty: name at least one source {coco: FILE, images: FOLDER}")
        self.settings, self.batch_size, self.steps, self.seed = settings, batch_size, steps, seed
        self.pages = read_box_pages(settings.train, settings.classes)
        self.val_pages = read_box_pages(settings.val, settings.classes) if settings.val else []
        if not any(len(page.boxes) for page in self.pages):
            raise MissingInputError(f"none of {len(self.pages)} training pages has a box of: {', '.join(settings.classes)}")
        self.packed = PackedPages(Path(settings.cache), self.pages, 2.25 * settings.canvas_area, show)

    def train_dataloader(self) -> DataLoader[BoxBatch]:
        """The batches of the current epoch that are not done yet."""
        batches = BoxBatches(self.pages, self.packed, self.settings.canvas_area, self.settings.vary)
        weights = [source.weight for source in self.settings.train]
        sampler = DrawnBatches(self.pages, weights, self.batch_size, self.seed, self._position)
        workers = one_thread_each(self.settings.num_workers)
        return DataLoader(
            batches, sampler=sampler, batch_size=None, num_workers=workers, persistent_workers=workers > 0,
        )  # fmt: skip

    def digest(self) -> str:
        """A hash of the pages and of how batches are made of them."""
        how = (self.settings.canvas_area, self.settings.vary, [source.weight for source in self.settings.train])
        return digest(pages_digest(self.pages), pages_digest(self.val_pages), self.batch_size, self.steps, self.seed, how)

    def _position(self) -> tuple[int, int]:
        done = self.trainer.global_step if self.trainer is not None else 0
        return done, (done // self.steps + 1) * self.steps
