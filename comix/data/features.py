"""Features of the frozen encoders for every panel, computed once and kept by content hash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import ItemError
from comix.core.geometry import Box
from comix.data.cache import FeatureCache, key_of
from comix.data.page import PageExample
from comix.io.images import BgrImage, read_bgr
from comix.models.frozen import IMAGE_DIM, IMAGE_ENCODER, TEXT_DIM, TEXT_ENCODER, image_encoder, text_encoder

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
PageProgress = Callable[[int, int, str], None]

_FLUSH = 1024
"""Panels between two shards of the cache: what a killed run has to compute again at most."""


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
        fresh: how many pictures and texts were computed now, not found in the cache.
    """

    image: Floats
    text: Floats
    has_image: Bools
    has_text: Bools
    offsets: Ints
    failed: tuple[tuple[str, str, str], ...] = ()
    fresh: int = 0

    def of(self, pages: Sequence[int]) -> PanelFeatures:
        """The features of some pages, by their positions, in the order given."""
        spans = [np.arange(self.offsets[page], self.offsets[page + 1]) for page in pages]
        rows = np.concatenate([np.zeros(0, np.int64), *spans])
        offsets = np.cumsum([0, *(len(span) for span in spans)])
        return PanelFeatures(self.image[rows], self.text[rows], self.has_image[rows], self.has_text[rows], offsets)


def panel_features(pages: Sequence[PageExample], cache_dir: Path, progress: PageProgress | None = None) -> PanelFeatures:
    """Image and text features of every panel, from the cache where it has them.

    A picture's key is the page's content hash, the box and the encoder; a text's key is the text and the encoder. What one
    stage computed the next one finds, and vectors are the same whether fresh or kept.

    Args:
        pages: any number, zero-panel pages included.
        cache_dir: ``workspace/cache/features``; shared by `train`, `embed` and `search`.
        progress: called with (pages done, pages, page id) after each page whose pictures had to be computed.
    """
    counts = [len(page.boxes) for page in pages]
    offsets = np.cumsum([0, *counts]).astype(np.int64)
    image, has_image, failed, fresh = _image_features(pages, offsets, cache_dir / IMAGE_ENCODER, progress)
    texts = [text.strip() for page in pages for text in page.texts]
    text, fresh_texts = text_features(texts, cache_dir)
    has_text = np.array([bool(one) for one in texts], np.bool_)
    return PanelFeatures(image, text, has_image, has_text, offsets, tuple(failed), fresh + fresh_texts)


def text_features(texts: Sequence[str], cache_dir: Path) -> tuple[Floats, int]:
    """Text features ``(n, 384)``, zeros for empty texts, and how many were computed now."""
    cache = FeatureCache(cache_dir / TEXT_ENCODER, TEXT_DIM)
    keys = [key_of(TEXT_ENCODER, text) if text else b"" for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key and key not in cache}
    names, words = list(missing), list(missing.values())
    for start in range(0, len(names), _FLUSH):
        cache.add(names[start : start + _FLUSH], text_encoder().encode(words[start : start + _FLUSH]))
    out = np.zeros((len(texts), TEXT_DIM), np.float32)
    for row, key in enumerate(keys):
        if key:
            out[row] = cache.get(key)
    return out, len(missing)


def _image_features(
    pages: Sequence[PageExample], offsets: Ints, folder: Path, progress: PageProgress | None
) -> tuple[Floats, Bools, list[tuple[str, str, str]], int]:
    cache = FeatureCache(folder, IMAGE_DIM)
    keys = [[key_of(IMAGE_ENCODER, page.sha256, *_rounded(box)) for box in page.boxes] for page in pages]
    todo = [number for number, of_page in enumerate(keys) if any(key not in cache for key in of_page)]
    failed: list[tuple[str, str, str]] = []
    waiting: list[tuple[bytes, Floats]] = []
    fresh = 0
    for done, number in enumerate(todo, 1):
        page = pages[number]
        try:
            crops = panel_crops(read_bgr(page.image), page)
            vectors = image_encoder().encode(crops)
            waiting += zip(keys[number], vectors, strict=True)
            fresh += len(crops)
        except ItemError as error:
            failed.append((page.page_id, error.reason, error.detail))
        if len(waiting) >= _FLUSH or done == len(todo):
            cache.add([key for key, _ in waiting], np.array([vector for _, vector in waiting]))
            waiting = []
        if progress is not None:
            progress(done, len(todo), page.page_id)
    image, has_image = np.zeros((int(offsets[-1]), IMAGE_DIM), np.float32), np.zeros(int(offsets[-1]), np.bool_)
    for number, of_page in enumerate(keys):
        for row, key in enumerate(of_page, int(offsets[number])):
            if key in cache:
                image[row], has_image[row] = cache.get(key), True
    return image, has_image, failed, fresh


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


def _rounded(box: Box) -> list[float]:
    return [round(value, 1) for value in box.xywh]
