"""Which pages make up which batch, as a function of seed and epoch alone, so that training resumes at any step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from torch.utils.data import Sampler


@dataclass(frozen=True, slots=True)
class BatchKey:
    """One batch to be made: positions of its pages, and the seed that shuffles their panels."""

    pages: tuple[int, ...]
    seed: int


def batches_of_epoch(books: Sequence[str], batch_size: int, seed: int, epoch: int) -> list[tuple[int, ...]]:
    """All pages once, in batches of even size; half of a batch comes from one book where it can.

    Pages of the same book in one batch are the hard wrong answers of "does this panel belong to this page"; pages of other
    books are the easy ones.

    Args:
        books: the book of each page.
        batch_size: pages in a batch at most.
        seed: with the same seed and epoch, the same batches.

    >>> [len(batch) for batch in batches_of_epoch(["a"] * 5 + ["b"] * 4, 4, 0, 0)]
    [3, 3, 3]
    """
    random = np.random.default_rng([seed, epoch])
    by_book: dict[str, list[int]] = {}
    for page in random.permutation(len(books)):
        by_book.setdefault(books[page], []).append(int(page))
    half = max(1, batch_size // 2)
    chunks = [pages[at : at + half] for pages in by_book.values() for at in range(0, len(pages), half)]
    mixed = [page for index in random.permutation(len(chunks)) for page in chunks[index]]
    n_batches = math.ceil(len(mixed) / batch_size)
    return [tuple(int(page) for page in part) for part in np.array_split(np.array(mixed, np.int64), n_batches)]


class TrainBatches(Sampler[BatchKey]):
    """The rest of the current epoch's batches.

    Args:
        books: the book of each page.
        position: tells (epoch, batches of it already done) whenever an iteration starts.
        rank: this process's share of the batches; likewise ``world``.
    """

    def __init__(
        self,
        books: Sequence[str],
        batch_size: int,
        seed: int,
        position: Callable[[], tuple[int, int]],
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.books, self.batch_size, self.seed = list(books), batch_size, seed
        self.position, self.rank, self.world = position, rank, world

    def __len__(self) -> int:
        return math.ceil(math.ceil(len(self.books) / self.batch_size) / self.world)

    def __iter__(self) -> Iterator[BatchKey]:
        epoch, done = self.position()
        batches = batches_of_epoch(self.books, self.batch_size, self.seed, epoch)
        even = list(islice(cycle(batches), len(self) * self.world))  # every process gets as many, some twice
        for batch in even[self.rank :: self.world][done:]:
            yield BatchKey(batch, seed=self.seed * 1_000_003 + epoch)
