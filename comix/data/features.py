"""Features of the frozen encoders for every panel, computed once and kept by content hash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comix.data.page import PageExample

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PanelFeatures:
    """Features of the panels of ``b`` pages, ``n`` panels in all, in the pages' and their panels' order.

    Attributes:
        image: ``(n, 1280)`` float32, zeros where ``has_image`` is False.
        text: ``(n, 384)`` float32 of length 1, zeros where ``has_text`` is False.
        has_image: ``(n,)``; False for all panels of a page whose image cannot be decoded.
        has_text: ``(n,)``; False for silent panels.
        offsets: ``(b + 1,)`` int64; page ``i`` owns rows ``offsets[i]`` to ``offsets[i + 1]``.
        failed: (page id, reason, detail) of pages whose image could not be used.
        fresh: how many panels were computed now, not found in the cache.
    """

    image: Floats
    text: Floats
    has_image: Bools
    has_text: Bools
    offsets: Ints
    failed: tuple[tuple[str, str, str], ...] = ()
    fresh: int = 0


def panel_features(
    pages: Sequence[PageExample], cache_dir: Path, progress: Callable[[int, int, str], None] | None = None
) -> PanelFeatures:
    """Image and text features of every panel, from the cache where it has them.

    Args:
        pages: any number, zero-panel pages included.
        cache_dir: ``workspace/cache/features``; shared by `train`, `embed` and `search`.
        progress: called with (pages done, pages, page id) after each page that had to be computed.
    """
    raise NotImplementedError
