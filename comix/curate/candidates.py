"""Pages whose perceptual hashes are close: candidates for near duplicates, found by a binary index, none left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]

RADIUS = 12
"""Bits of 64 that two hashes may differ by; see docs/quality.md for how it was chosen."""

LEAST_BITS = 4
"""A hash with fewer bits set, or fewer unset, is that of a page without structure (blank, solid): it finds nothing."""

_BLOCK = 8192


def as_hashes(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.bool_]]:
    """Hashes of 16 hex digits as numbers, and which of them say something.

    Args:
        texts: one per page; "" where there is none.

    Returns:
        ``(n,)`` uint64, 0 where there is no hash; ``(n,)`` bool, False there and for pages without structure.

    Raises:
        ValueError: a text that is not 16 hex digits.

    >>> as_hashes(["00000000000000ff", "", "8000000000000000"])[1].tolist()
    [True, False, False]
    """
    if any(len(text) not in (0, 16) for text in texts):
        raise ValueError(f"{next(text for text in texts if len(text) not in (0, 16))!r} is not a hash of 16 hex digits")
    numbers = np.array([int(text or "0", 16) for text in texts], np.uint64)
    n_bits = np.bitwise_count(numbers) if len(numbers) else np.zeros(0, np.uint8)
    return numbers, (n_bits >= LEAST_BITS) & (n_bits <= 64 - LEAST_BITS)


def close_pairs(hashes: Hashes, radius: int = RADIUS) -> Pairs:
    """Every pair of hashes at most ``radius`` bits apart, exactly: none is missed, none is too far.

    An exhaustive search with an index that grows block by block, so that each pair is compared once.

    Args:
        hashes: ``(n,)`` uint64.
        radius: 0 to 63 bits.

    Returns:
        ``(m, 2)`` int64 positions, first smaller than second, sorted; ``(0, 2)`` when there are none.

    >>> close_pairs(np.array([0, 1, 255, 254], np.uint64), 1).tolist()
    [[0, 1], [2, 3]]
    """
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which processor it was built for
    import faiss

    index = faiss.IndexBinaryFlat(64)
    found: list[Pairs] = []
    for start in range(0, len(hashes), _BLOCK):
        block = np.ascontiguousarray(hashes[start : start + _BLOCK]).view(np.uint8).reshape(-1, 8)
        index.add(block)
        limits, _, other = index.range_search(block, radius + 1)  # faiss wants distances below this
        ends = limits.astype(np.int64)
        own = np.repeat(np.arange(start, start + len(block)), ends[1:] - ends[:-1])
        earlier = other < own
        found.append(np.stack([other[earlier], own[earlier]], axis=1).astype(np.int64))
    pairs = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def candidate_groups(hashes: Hashes, radius: int = RADIUS) -> list[NDArray[np.int64]]:
    """Pages linked by close hashes, directly or through others; only groups of two or more.

    Equal hashes are compared once, so a page repeated a thousand times costs no more than one.

    Returns:
        positions of each group, ascending; groups by their first position.

    >>> [group.tolist() for group in candidate_groups(np.array([7, 0xFFFF, 7, 3, 0xFFFFFF], np.uint64), 1)]
    [[0, 2, 3]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(hashes):
        return []
    values, place = np.unique(hashes, return_inverse=True)
    pairs = close_pairs(values, radius)
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(values), len(values)))
    _, label = connected_components(links, directed=False)
    of_page = label[place]
    order = np.argsort(of_page, kind="stable")
    cuts = np.flatnonzero(np.diff(of_page[order])) + 1
    groups = [group for group in np.split(order, cuts) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))
