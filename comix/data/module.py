"""Pages as Lightning wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, overload

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from comix.core.files import digest
from comix.data.batch import Places, collated, places_of, seed_of
from comix.data.crops import SquareReader
from comix.data.features import Features, PanelFeatures
from comix.data.page import PageExample
from comix.data.pixels import PixelReader, pixel_batch
from comix.data.relaid import LayoutBank
from comix.data.sampler import BatchKey, TrainBatches
from comix.data.split import Split
from comix.data.workers import one_thread_each
from comix.models.batch import Batch

_PLACES_KEPT = 65_536
_BLOCK_PAGES = 64
"""Pages of a held-out block; its other pages hold the wrong answers."""


class PageBatches(Dataset[Batch]):
    """Batches by `BatchKey`: from cached features, or from pixels where a reader is given.

    Args:
        pages: all pages, training and validation, each with at least one panel.
        features: of these pages; None for models that read pixels.
        reader: how such models want them; with neither the batches hold places only.
        squares: gives the panels' pictures to them; None for reading a page's image whenever it is shown.
    """

    def __init__(
        self, pages: Sequence[PageExample], features: Features | None, reader: PixelReader | None = None,
        squares: SquareReader | None = None,
    ) -> None:  # fmt: skip
        self.pages, self.features, self.reader, self.squares = pages, features, reader, squares
        self.places = lru_cache(maxsize=_PLACES_KEPT)(self._places)

    def __getitem__(self, key: BatchKey) -> Batch:
        return self.made(key, [self.places(index) for index in key.pages])

    def _places(self, index: int) -> Places:
        return places_of(self.pages[index])

    def __reduce__(self) -> tuple[Any, ...]:
        return PageBatches, (self.pages, self.features, self.reader, self.squares)  # workers remember places of their own

    def made(self, key: BatchKey, places: Sequence[Places]) -> Batch:
        """A batch of pages whose panels lie where they are said to."""
        chosen = [self.pages[index] for index in key.pages]
        if self.features is not None:
            return collated(chosen, self.features.of(key.pages), key.seed, places)[0]
        if self.reader is not None:
            return pixel_batch(chosen, self.reader, key.seed, self.squares, places)
        counts = [len(page.boxes) for page in chosen]
        no, nothing = np.zeros(sum(counts), np.bool_), np.zeros((sum(counts), 0), np.float32)
        none = PanelFeatures(nothing, nothing, no, no, np.cumsum([0, *counts]))
        return replace(collated(chosen, none, key.seed, places)[0], image=None, text=None)


class PageData(pl.LightningDataModule):
    """Training and validation batches.

    Args:
        batches: makes a batch of page positions.
        split: which pages train, which validate.
        batch_size: pages in a training batch.
        seed: of the batches' make-up.
        num_workers: processes that make batches; 0 for cached features.
        relaid: composed layouts, and the share of training pages that are shown in one; None for none.
    """

    def __init__(
        self, batches: PageBatches, split: Split, batch_size: int, seed: int, num_workers: int = 0,
        relaid: tuple[LayoutBank, float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.batches, self.split, self.relaid = batches, split, relaid
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
        chosen = _Chosen(self.batches, self.split.train, self.relaid)
        return DataLoader(
            chosen, sampler=sampler, batch_size=None, num_workers=one_thread_each(self.num_workers),
            persistent_workers=self.num_workers > 0, pin_memory=torch.cuda.is_available() and self.num_workers > 0,
        )  # fmt: skip

    def val_blocks(self) -> Blocks:
        """Validation pages in blocks."""
        return Blocks(self.batches, self.split.val, self.seed)

    def test_blocks(self) -> Blocks:
        """Test pages in blocks."""
        return Blocks(self.batches, self.split.test, self.seed)

    def tests(self) -> dict[str, Blocks]:
        """The pages of tests of their own, by name, in blocks."""
        return {name: Blocks(self.batches, side, self.seed) for name, side in self.split.tests.items()}

    def digest(self, *how: object) -> str:
        """A hash of the sides' pages and of how their batches are made up, with what else the caller knows of that."""
        return digest(self.split.digest(self.batches.pages), self.batch_size, self.seed, how)

    def _position(self) -> tuple[int, int]:
        """Epoch and batches of it already trained on, from the number of optimiser steps: right after a resume, too."""
        trainer = self.trainer
        assert trainer is not None
        size = len(self.train_batches(self._position, trainer.global_rank, trainer.world_size))
        limit = trainer.limit_train_batches
        size = min(size, limit) if isinstance(limit, int) else size
        per_epoch = -(-size // trainer.accumulate_grad_batches)
        epoch, steps = divmod(trainer.global_step, per_epoch)
        return epoch, steps * trainer.accumulate_grad_batches


class Blocks(Sequence[Batch]):
    """Held-out pages in blocks, in their order, so that pages of a book are together; panels shuffled.

    A block is made when it is asked for and not kept.
    """

    def __init__(self, batches: PageBatches, pages: Sequence[int], seed: int) -> None:
        self.batches, self.seed = batches, seed
        self.pages = [tuple(pages[at : at + _BLOCK_PAGES]) for at in range(0, len(pages), _BLOCK_PAGES)]

    def examples(self) -> list[PageExample]:
        """The pages of all blocks."""
        return [self.batches.pages[page] for block in self.pages for page in block]

    def places(self) -> Blocks:
        """The same blocks without pixels, for what needs none; cached features stay."""
        batches = PageBatches(self.batches.pages, self.batches.features)
        return Blocks(batches, [page for block in self.pages for page in block], self.seed)

    def __len__(self) -> int:
        return len(self.pages)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        return self.batches[BatchKey(self.pages[index], self.seed)]


class _Chosen(Dataset[Batch]):
    """The batches of some pages, keys counting among these, some of the pages laid out anew."""

    def __init__(self, batches: PageBatches, pages: tuple[int, ...], relaid: tuple[LayoutBank, float] | None) -> None:
        self.batches, self.pages, self.relaid = batches, pages, relaid

    def __getitem__(self, key: BatchKey) -> Batch:
        chosen = BatchKey(tuple(self.pages[index] for index in key.pages), key.seed)
        return self.batches.made(chosen, [self._places(index, key.seed) for index in chosen.pages])

    def _places(self, index: int, seed: int) -> Places:
        own = self.batches.places(index)
        if self.relaid is None:
            return own
        bank, share = self.relaid
        random = np.random.default_rng(seed_of("relaid", self.batches.pages[index].page_id, seed))
        found = bank.drawn(len(own.rule), random) if random.random() < share else None
        return found or own
