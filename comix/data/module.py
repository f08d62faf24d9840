"""Pages as Lightning wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from comix.data.batch import collate
from comix.data.features import PanelFeatures
from comix.data.page import PageExample
from comix.data.pixels import PixelReader, pixel_batch
from comix.data.sampler import BatchKey, TrainBatches
from comix.data.split import Split
from comix.models.batch import Batch

_VAL_PAGES = 64
"""Pages of a validation block; its other pages hold the wrong answers."""


class PageBatches(Dataset[Batch]):
    """Batches by `BatchKey`: from cached features, or from pixels where a reader is given.

    Args:
        pages: all pages, training and validation, each with at least one panel.
        features: of these pages; None for models that read pixels.
        reader: how such models want them.
    """

    def __init__(self, pages: Sequence[PageExample], features: PanelFeatures | None, reader: PixelReader | None = None) -> None:
        self.pages, self.features, self.reader = pages, features, reader

    def __getitem__(self, key: BatchKey) -> Batch:
        chosen = [self.pages[index] for index in key.pages]
        if self.features is not None:
            return collate(chosen, self.features.of(key.pages), key.seed)
        assert self.reader is not None
        return pixel_batch(chosen, self.reader, key.seed)


class PageData(pl.LightningDataModule):
    """Training and validation batches.

    Args:
        batches: makes a batch of page positions.
        split: which pages train, which validate.
        batch_size: pages in a training batch.
        seed: of the batches' make-up.
        num_workers: processes that make batches; 0 for cached features.
    """

    def __init__(self, batches: PageBatches, split: Split, batch_size: int, seed: int, num_workers: int = 0) -> None:
        super().__init__()
        self.batches, self.split = batches, split
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers

    def train_batches(self, position: Callable[[], tuple[int, int]], rank: int = 0, world: int = 1) -> TrainBatches:
        """The sampler: positions within ``split.train``."""
        books = [self.batches.pages[index].book_id for index in self.split.train]
        return TrainBatches(books, self.batch_size, self.seed, position, rank, world)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the current epoch that are not done yet."""
        trainer = self.trainer
        assert trainer is not None
        sampler = self.train_batches(self._position, trainer.global_rank, trainer.world_size)
        return DataLoader(
            _Chosen(self.batches, self.split.train), sampler=sampler, batch_size=None, num_workers=self.num_workers
        )

    def val_batches(self) -> list[Batch]:
        """Validation pages in blocks, in their order, so that pages of a book are together; panels shuffled."""
        return [self.batches[BatchKey(block, self.seed)] for block in self.val_blocks()]

    def val_blocks(self) -> list[tuple[int, ...]]:
        """Positions of the pages of each validation block."""
        val = self.split.val
        return [tuple(val[at : at + _VAL_PAGES]) for at in range(0, len(val), _VAL_PAGES)]

    def _position(self) -> tuple[int, int]:
        """Epoch and batches of it already trained on, from the number of optimiser steps: right after a resume, too."""
        trainer = self.trainer
        assert trainer is not None
        size = len(self.train_batches(self._position, trainer.global_rank, trainer.world_size))
        per_epoch = -(-size // trainer.accumulate_grad_batches)
        epoch, steps = divmod(trainer.global_step, per_epoch)
        return epoch, steps * trainer.accumulate_grad_batches


class _Chosen(Dataset[Batch]):
    """The batches of some pages, keys counting among these."""

    def __init__(self, batches: PageBatches, pages: tuple[int, ...]) -> None:
        self.batches, self.pages = batches, pages

    def __getitem__(self, key: BatchKey) -> Batch:
        return self.batches[BatchKey(tuple(self.pages[index] for index in key.pages), key.seed)]
