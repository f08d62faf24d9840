"""From pages to embeddings with a trained Closure-Lite checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import ItemError
from comix.data.page import PageExample
from comix.io.zarrlayout import END_OF_PAGE

if TYPE_CHECKING:
    from comix.io.images import BgrImage
    from comix.train.checkpoint import LoadedModel

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """What a model says of a page with ``p`` panels, in reading order.

    Attributes:
        page_id: its id.
        panel_embeddings: ``(p, d)`` fused; ``page_embedding`` ``(d,)`` pooled by ``attention`` ``(p,)``.
        panel_image_embeddings: ``(p, di)`` of the image encoder alone.
        panel_text_embeddings: ``(p, dt)`` of the text encoder alone, NaN for a panel without words.
        next_panel: ``(p,)`` predicted successor among the page's own panels, -1 where the page ends.
        next_probability: ``(p, p + 1)`` of each panel's successors, the last that the page ends.
        boxes: ``(p, 4)`` xywh in pixels.
        texts: words per panel, whole.
    """

    page_id: str
    panel_embeddings: Floats
    panel_image_embeddings: Floats
    panel_text_embeddings: Floats
    page_embedding: Floats
    attention: Floats
    next_panel: NDArray[np.int64]
    next_probability: Floats
    boxes: Floats
    texts: tuple[str, ...]


class PageEncoder(Protocol):
    """Turns pages into embeddings; a store takes rows of one encoder only."""

    @property
    def model_hash(self) -> str:
        """Names the weights."""

    @property
    def widths(self) -> tuple[int, int, int]:
        """Widths of fused, image and text embeddings."""

    def encode(self, pages: Sequence[PageExample]) -> list[EncodedPage | ItemError]:
        """One answer per page, in order; a page that cannot be used is an error and never stops the others."""

    def close(self) -> None:
        """Called when nothing more is to be encoded."""


class CheckpointEncoder:
    """A checkpoint of `comix train`; the weights are loaded at once.

    Args:
        checkpoint: folder with ``model.safetensors``, or that file.
        cache_dir: where panel features are kept, shared with `train`; opened once, `close` writes what is new.
        device: ``cpu``, ``cuda`` or ``auto``, which takes a GPU where there is one.

    Raises:
        MissingInputError: nothing there.
        FileFormatError: a checkpoint of another model, or damaged.
    """

    def __init__(self, checkpoint: Path, cache_dir: Path, device: str = "auto") -> None:
        import torch

        from comix.data.features import FeatureStore
        from comix.train.checkpoint import load_model

        self._loaded: LoadedModel = load_model(checkpoint)
        wanted = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self._device = torch.device(wanted)
        self._features = FeatureStore(cache_dir, wanted)
        self._model: Any = self._loaded.model.to(self._device).eval()

    @property
    def model_hash(self) -> str:
        """Names the weights."""
        return self._loaded.model_hash

    @property
    def widths(self) -> tuple[int, int, int]:
        """Widths of fused, image and text embeddings."""
        from comix.models.encoder_names import IMAGE_DIM, TEXT_DIM

        return int(self._model.dim), IMAGE_DIM, TEXT_DIM

    def close(self) -> None:
        """Write the features that are new."""
        self._features.flush()

    def encode(self, pages: Sequence[PageExample]) -> list[EncodedPage | ItemError]:
        """One answer per page, in order; each page is decoded once.

        Args:
            pages: each with at least one panel.
        """
        import torch

        from comix.data.batch import collated, places_of
        from comix.data.crops import squares_of
        from comix.data.pixels import pixel_batch

        pictures = _Pictures()
        stored = self._features.panels(pages, read=pictures)
        features = stored.of(range(len(pages)))
        faults = {page_id: ItemError(reason, detail) for page_id, reason, detail in stored.failed}
        reader = self._loaded.reader
        if reader is not None:
            faults |= pictures.faults(pages)
        places = [places_of(page, tell_weak=True) for page in pages]
        if reader is not None:
            batch = pixel_batch(pages, reader, squares=lambda page: squares_of(page, reader.side, pictures), places=places)
        else:
            batch = collated(pages, features, places=places)[0]
        with torch.inference_mode():
            batch = batch.to(self._device)
            encoded = self._model.encode(batch)
            logits = self._model.next_panel_logits(encoded, batch)
        panels, attention = encoded.panels.cpu().numpy(), encoded.attention.cpu().numpy()
        pooled, scores = encoded.page.cpu().numpy(), logits.float().cpu().numpy()
        text = np.where(features.has_text[:, None], features.text, np.float32("nan"))
        found: list[EncodedPage | ItemError] = []
        for number, page in enumerate(pages):
            rows = slice(int(features.offsets[number]), int(features.offsets[number + 1]))
            one = EncodedPage(
                page.page_id, panels[rows], features.image[rows], text[rows], pooled[number], attention[rows],
                successors(scores[number], len(page.boxes)), probabilities(scores[number], len(page.boxes)),
                boxes_of(page), page.texts,
            )  # fmt: skip
            found.append(faults.get(page.page_id, one))
        return found


class _Pictures:
    """Reads the pictures of a page's panels, and remembers them and what went wrong for the rest of the batch."""

    def __init__(self) -> None:
        self._read: dict[str, list[BgrImage] | ItemError] = {}

    def __call__(self, page: PageExample) -> list[BgrImage]:
        """The pictures.

        Raises:
            ItemError: as `comix.data.features.panel_pictures`.
        """
        from comix.data.features import panel_pictures

        if page.page_id not in self._read:
            try:
                self._read[page.page_id] = panel_pictures(page)
            except ItemError as error:
                self._read[page.page_id] = error
        found = self._read[page.page_id]
        if isinstance(found, ItemError):
            raise found
        return found

    def faults(self, pages: Sequence[PageExample]) -> dict[str, ItemError]:
        """Pages of which there are no pictures."""
        found: dict[str, ItemError] = {}
        for page in pages:
            try:
                self(page)
            except ItemError as error:
                found[page.page_id] = error
        return found


def boxes_of(page: PageExample) -> Floats:
    """Boxes of a page as ``(p, 4)`` xywh pixels."""
    return np.array([box.xywh for box in page.boxes], np.float32).reshape(-1, 4)


def successors(logits: NDArray[np.floating[Any]], n_panels: int) -> NDArray[np.int64]:
    """The likeliest next panel of each panel, never itself or padding; -1 where the end of the page is likeliest.

    Args:
        logits: ``(p, p + 1)`` with ``p >= n_panels``; the last column stands for the end of the page.
        n_panels: real panels; the rest is padding.

    >>> successors(np.array([[9.0, 2, 1, 0], [0, 9, 1, 5], [0, 0, 9, 0]]), 2)
    array([ 1, -1])
    """
    choices = _choices(logits, n_panels)
    best = choices.argmax(axis=1)
    return np.where(best == n_panels, END_OF_PAGE, best)


def probabilities(logits: NDArray[np.floating[Any]], n_panels: int) -> Floats:
    """How likely each panel is to come next after each panel ``(p, p + 1)``, as `successors` takes its logits.

    >>> probabilities(np.array([[9.0, 2, 1, 2], [0, 9, 1, 0], [0, 0, 9, 0]]), 2).round(2).tolist()
    [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]
    """
    choices = _choices(logits, n_panels)
    shares = np.exp(choices - choices.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _choices(logits: NDArray[np.floating[Any]], n_panels: int) -> NDArray[np.float64]:
    """Logits ``(p, p + 1)`` without padding; a panel never follows itself."""
    choices = np.concatenate([logits[:n_panels, :n_panels], logits[:n_panels, -1:]], axis=1).astype(np.float64)
    np.fill_diagonal(choices, -np.inf)
    return choices
