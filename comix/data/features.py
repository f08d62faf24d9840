"""Features of the frozen encoders for every panel, computed once and kept by content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import ItemError
from comix.core.geometry import Box
from comix.data.cache import FeatureCache, Places, key_of
from comix.data.known import image_hash
from comix.data.page import PageExample
from comix.io.images import BgrImage, decode_bgr, read_image_bytes
from comix.models.encoder_names import IMAGE_DIM, IMAGE_ENCODER, TEXT_DIM, TEXT_ENCODER
from comix.models.frozen import image_encoder, text_encoder

if TYPE_CHECKING:
    from types import TracebackType

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
PageProgress = Callable[[int, int, str], None]
CropReader = Callable[[PageExample], list[BgrImage]]
"""The pictures of a page's panels; raises `ItemError`."""

_TEXTS = 1024


class Features(Protocol):
    """Features of many pages, of which batches are made."""

    def of(self, pages: Sequence[int]) -> PanelFeatures:
        """The features of some pages, by their positions, in the order given."""


@dataclass(frozen=True, slots=True)
class PanelFeatures:
    """Features of the panels of ``b`` pages, ``n`` panels in all, in the pages' and their panels' order.

    Attributes:
        image: ``(n, 1280)`` float32, zeros where ``has_image`` is False.
        text: ``(n, 384)`` float32 of length 1, zeros where ``has_text`` is False.
        has_image: ``(n,)``; False for all panels of a page whose image cannot be decoded.
        has_text: ``(n,)``; False for silent panels.
        offsets: ``(b + 1,)`` int64; page ``i`` owns rows ``offsets[i]`` to ``offsets[i + 1]``.
    """

    image: Floats
    text: Floats
    has_image: Bools
    has_text: Bools
    offsets: Ints

    def of(self, pages: Sequence[int]) -> PanelFeatures:
        """The features of some pages, by their positions, in the order given."""
        rows, offsets = _rows_of(self.offsets, pages)
        return PanelFeatures(self.image[rows], self.text[rows], self.has_image[rows], self.has_text[rows], offsets)


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """Where the features of pages lie in the cache: vectors are read when they are asked for.

    Attributes:
        image: ``(n,)`` places in ``images``, -1 where there is no picture; likewise ``text`` in ``texts``, -1 for no words.
        offsets: as in `PanelFeatures`.
        failed: (page id, reason, detail) of pages whose image could not be used.
        fresh: how many pictures and texts were computed now, not found in the cache.
    """

    images: FeatureCache
    texts: FeatureCache
    image: Places
    text: Places
    offsets: Ints
    failed: tuple[tuple[str, str, str], ...] = ()
    fresh: int = 0

    def of(self, pages: Sequence[int]) -> PanelFeatures:
        """The features of some pages, by their positions, in the order given."""
        rows, offsets = _rows_of(self.offsets, pages)
        image, text = self.image[rows], self.text[rows]
        return PanelFeatures(self.images.take(image), self.texts.take(text), image >= 0, text >= 0, offsets)

    def some(self, pages: Sequence[int]) -> StoredFeatures:
        """The places of some pages."""
        rows, offsets = _rows_of(self.offsets, pages)
        return replace(self, image=self.image[rows], text=self.text[rows], offsets=offsets)


def _rows_of(offsets: Ints, pages: Sequence[int]) -> tuple[Ints, Ints]:
    spans = [np.arange(offsets[page], offsets[page + 1]) for page in pages]
    rows = np.concatenate([np.zeros(0, np.int64), *spans])
    return rows, np.cumsum([0, *(len(span) for span in spans)]).astype(np.int64)


class FeatureStore:
    """The two caches of a workspace, opened once; a ``with`` block writes what is new.

    A picture's key is the hash of the page image, the box and the encoder; a text's key is the text and the encoder. What
    one stage computed the next one finds, and vectors are the same whether fresh or kept.

    Args:
        cache_dir: ``workspace/cache/features``; shared by `train`, `embed` and `search`.
        device: where the encoders compute.
    """

    def __init__(self, cache_dir: Path, device: str = "cpu") -> None:
        self.images = FeatureCache(cache_dir / IMAGE_ENCODER, IMAGE_DIM)
        self.texts = FeatureCache(cache_dir / TEXT_ENCODER, TEXT_DIM)
        self.device = device

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()

    def flush(self) -> None:
        """Write what is new."""
        self.images.flush()
        self.texts.flush()

    def panels(
        self, pages: Sequence[PageExample], progress: PageProgress | None = None, read: CropReader | None = None
    ) -> StoredFeatures:
        """Image and text features of every panel, computed where the cache has none.

        Args:
            pages: any number, zero-panel pages included.
            progress: called with (pages done, pages, page id) after each page whose pictures had to be computed.
            read: gives the pictures of a page; for callers that need them too.
        """
        pages = [page if page.sha256 else replace(page, sha256=_hash_of(page)) for page in pages]
        offsets = np.cumsum([0, *(len(page.boxes) for page in pages)]).astype(np.int64)
        keys = [key_of(IMAGE_ENCODER, page.sha256, *_rounded(box)) for page in pages for box in page.boxes]
        failed, fresh = self._missing_pictures(pages, keys, offsets, progress, read or panel_pictures)
        texts = [text.strip() for page in pages for text in page.texts]
        places, fresh_texts = self.text_places(texts)
        return StoredFeatures(
            self.images, self.texts, self.images.find(keys), places, offsets, tuple(failed), fresh + fresh_texts
        )

    def text_places(self, texts: Sequence[str]) -> tuple[Places, int]:
        """Places of the features of texts ``(n,)``, -1 for empty ones, and how many were computed now."""
        keys = [key_of(TEXT_ENCODER, text) for text in texts]
        is_missing = self.texts.find(keys) < 0
        missing = {key: text for key, text, is_new in zip(keys, texts, is_missing, strict=True) if text and is_new}
        names, words = list(missing), list(missing.values())
        for start in range(0, len(names), _TEXTS):
            vectors = text_encoder(self.device).encode(words[start : start + _TEXTS])
            self.texts.add(names[start : start + _TEXTS], vectors)
        has_words = np.array([bool(text) for text in texts], np.bool_)
        return np.where(has_words, self.texts.find(keys), -1), len(missing)

    def _missing_pictures(
        self,
        pages: Sequence[PageExample],
        keys: Sequence[bytes],
        offsets: Ints,
        progress: PageProgress | None,
        read: CropReader,
    ) -> tuple[list[tuple[str, str, str]], int]:
        """Compute what the cache lacks; pages that failed, and the number of pictures."""
        is_missing = self.images.find(keys) < 0
        todo = [number for number in range(len(pages)) if is_missing[offsets[number] : offsets[number + 1]].any()]
        failed: list[tuple[str, str, str]] = []
        fresh = 0
        for done, number in enumerate(todo, 1):
            page = pages[number]
            try:
                crops = read(page)
                self.images.add(keys[offsets[number] : offsets[number + 1]], image_encoder(self.device).encode(crops))
                fresh += len(crops)
            except ItemError as error:
                failed.append((page.page_id, error.reason, error.detail))
            if progress is not None:
                progress(done, len(todo), page.page_id)
        return failed, fresh


def panel_pictures(page: PageExample) -> list[BgrImage]:
    """The pictures of a page's panels, read from the image that its hash tells.

    Raises:
        ItemError: the image cannot be read or decoded; ``image_changed`` when it is another one.
    """
    data = read_image_bytes(page.image)
    image = decode_bgr(data)
    actual = hashlib.sha256(data).hexdigest()
    if page.sha256 not in ("", actual):
        raise ItemError("image_changed", f"{page.image}: sha256 {actual[:16]}.., the DataSpec has {page.sha256[:16]}..")
    return panel_crops(image, page)


def panel_crops(image: BgrImage, page: PageExample) -> list[BgrImage]:
    """The pictures of a page's panels, each at least one pixel wide and high.

    Args:
        image: ``(h, w, 3)`` uint8; its size may differ from the page's, boxes are scaled along.
    """
    height, width = image.shape[:2]
    crops = []
    for box in page.boxes:
        scaled = box.scaled(width / page.width, height / page.height)
        left, top = min(int(scaled.x), width - 1), min(int(scaled.y), height - 1)
        right, bottom = max(left + 1, round(scaled.r)), max(top + 1, round(scaled.b))
        crops.append(image[top:bottom, left:right])
    return crops


def _hash_of(page: PageExample) -> str:
    """The hash of a page's image where its DataSpec does not tell it; of an unreadable one a text that no image has."""
    try:
        return image_hash(page.image)
    except ItemError:
        return f"none of {page.page_id}"


def _rounded(box: Box) -> list[float]:
    return [round(value, 1) for value in box.xywh]
