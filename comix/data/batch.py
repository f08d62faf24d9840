"""Pages and their features to a ragged `comix.models.batch.Batch`; usable without Lightning."""

from __future__ import annotations

from collections.abc import Sequence

from comix.data.features import PanelFeatures
from comix.data.page import PageExample
from comix.models.batch import Batch


def collate(pages: Sequence[PageExample], features: PanelFeatures, seed: int | None = None) -> Batch:
    """One batch out of pages; pages without panels must be left out by the caller.

    Args:
        pages: one or more, each with at least one panel.
        features: of exactly these pages, in this order (`PanelFeatures.of` picks pages out of a larger set).
        seed: shuffles the panels of each page, so that their place in the batch says nothing of the reading order; None
            keeps the page's own order, which is safe outside training because the model is blind to it.
    """
    raise NotImplementedError
