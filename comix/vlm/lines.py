"""Lines of text on a page: the OCR engine behind one small door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box

Image = NDArray[np.uint8]
Quad = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextLine:
    """One printed line, or one column of vertical writing.

    Attributes:
        text: as recognised, in reading order of the line.
        quad: corners ``((x, y), ...)`` from the top left clockwise along the reading baseline, page pixels.
        confidence: 0 to 1, mean over the characters.
        vertical: whether the characters run from top to bottom.
    """

    text: str
    quad: tuple[tuple[float, float], ...]
    confidence: float
    vertical: bool = False

    @property
    def box(self) -> Box:
        """The upright box around the quad."""
        xs, ys = [x for x, _ in self.quad], [y for _, y in self.quad]
        return Box.from_xyxy(min(xs), min(ys), max(xs), max(ys))

    @property
    def size(self) -> float:
        """Height of a line, width of a column: the size of the lettering in pixels, about 1.3 times the letters."""
        (ax, ay), (bx, by), (cx, cy), _ = self.quad
        across = float(np.hypot(bx - ax, by - ay)) if self.vertical else float(np.hypot(cx - bx, cy - by))
        return max(1.0, across)

    @property
    def slant(self) -> float:
        """Angle of the baseline in degrees, 0 for upright lettering, at most 90."""
        (ax, ay), (bx, by), (cx, cy), _ = self.quad
        dx, dy = (cx - bx, cy - by) if self.vertical else (bx - ax, by - ay)
        along, off = (abs(dy), abs(dx)) if self.vertical else (abs(dx), abs(dy))
        return float(np.degrees(np.arctan2(off, along)))


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows ``top`` to ``bottom`` of a page, looked at by themselves."""

    top: int
    bottom: int


def tiles_of(width: int, height: int, max_ratio: float = 2.2, overlap: float = 0.25) -> list[Tile]:
    """Rows to look at one after another: the whole page, or overlapping windows of a tall strip.

    Args:
        width: pixels of the page, likewise ``height``.
        max_ratio: a page higher than this many widths is cut into windows of 1.6 widths.
        overlap: rows shared by neighbouring windows, in widths.

    >>> tiles_of(100, 150)
    [Tile(top=0, bottom=150)]
    >>> tiles_of(100, 300)
    [Tile(top=0, bottom=160), Tile(top=135, bottom=295), Tile(top=140, bottom=300)]
    """
    if height <= max_ratio * width:
        return [Tile(0, height)]
    window, step = max(1, round(1.6 * width)), max(1, round((1.6 - overlap) * width))
    tops = list(range(0, height - window, step))
    return [Tile(top, top + window) for top in tops] + [Tile(height - window, height)]


class LineEngine:
    """Finds and recognises lines with the PP-OCR models inside the rapidocr wheel; nothing is downloaded.

    Building one is cheap: the networks load at the first `lines` call, and stay.

    Args:
        det_side: longer side, pixels, of the picture the line finder sees; tiles of a strip count by themselves.
        max_upscale: small pages are enlarged towards ``det_side``, at most this many times.
        n_threads: threads of the networks; 1 when several processes read pages beside each other.
        min_score: 0 to 1, how sure the line finder must be that there is text.
    """

    def __init__(self, det_side: int = 1280, max_upscale: float = 2.0, n_threads: int = 1, min_score: float = 0.5) -> None:
        self._det_side = det_side
        self._max_upscale = max_upscale
        self._n_threads = n_threads
        self._min_score = min_score
        self._engine: Any = None

    def lines(self, image: Image) -> list[TextLine]:
        """Every line found on a ``(h, w, 3)`` uint8 BGR page, unfiltered, in no order; empty for a blank page."""
        height, width = image.shape[:2]
        if min(height, width) < 8:
            return []
        quads: list[Quad] = []
        tiles = tiles_of(width, height)
        for tile in tiles:
            found = self._find(image[tile.top : tile.bottom])
            quads += [quad + np.array([0, tile.top], dtype=np.float32) for quad in found]
        lines = self._recognise(image, without_repeats(quads) if len(tiles) > 1 else quads)
        for doubtful in doubtful_lines(lines):
            closer = self._second_look(image, doubtful, [line for line in lines if line is not doubtful])
            if closer:
                lines = [line for line in lines if line is not doubtful] + closer
        return lines

    def _second_look(self, image: Image, doubtful: TextLine, others: Sequence[TextLine]) -> list[TextLine]:
        """The lines in an enlarged cut-out around a badly read one, if they read better; else nothing."""
        box, margin = doubtful.box, 0.3 * doubtful.size
        wide = Box(box.x - margin, box.y - margin, box.w + 2 * margin, box.h + 2 * margin)
        wide = wide.clipped(image.shape[1], image.shape[0])
        left, top = int(wide.x), int(wide.y)
        cut = image[top : int(wide.b), left : int(wide.r)]
        if min(cut.shape[:2]) < 8:
            return []
        quads = [quad + np.array([left, top], dtype=np.float32) for quad in self._find(cut, 2 * max(cut.shape[:2]))]
        taken = [line.box for line in others]
        new = [quad for quad in quads if not _covered(_quad_box(quad), taken)]
        lines = self._recognise(image, new)
        longer = sum(len(line.text) for line in lines) >= len(doubtful.text)
        return lines if longer and _sureness(lines) > doubtful.confidence + 0.08 else []

    def _find(self, image: Image, side: int = 0) -> list[Quad]:
        scale = min((side or self._det_side) / max(image.shape[:2]), self._max_upscale)
        small = image
        if abs(scale - 1) > 0.05:
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=method), dtype=np.uint8)
        result = self._started()(small, use_det=True, use_cls=False, use_rec=False)
        boxes = getattr(result, "boxes", None)
        if boxes is None:
            return []
        ratio = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], dtype=np.float32)
        return [np.asarray(box, dtype=np.float32) * ratio for box in boxes]

    def _recognise(self, image: Image, quads: Sequence[Quad]) -> list[TextLine]:
        if not quads:
            return []
        lines = [_blank_line(quad) for quad in quads]
        texts = self._read([_straightened(image, line) for line in lines])
        turned = {
            index: replace(line, vertical=not line.vertical)
            for index, line in enumerate(lines)
            if texts[index][1] < 0.85 and _nearly_square(line)
        }
        again = self._read([_straightened(image, line) for line in turned.values()])
        for (index, line), (text, confidence) in zip(turned.items(), again, strict=True):
            if confidence > texts[index][1] + 0.1:
                lines[index], texts[index] = line, (text, confidence)
        return [
            replace(line, text=text, confidence=confidence)
            for line, (text, confidence) in zip(lines, texts, strict=True)
            if text
        ]

    def _read(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        if not crops:
            return []
        result = self._started().recognize_txt(list(crops))
        return [(text.strip(), float(score)) for text, score in zip(result.txts, result.scores, strict=True)]

    def _started(self) -> Any:
        if self._engine is None:
            from rapidocr import RapidOCR

            runtime = "EngineConfig.onnxruntime."
            self._engine = RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.max_side_len": 1_000_000,
                    "Det.limit_type": "max",
                    "Det.limit_side_len": 1_000_000,
                    "Det.box_thresh": self._min_score,
                    "Rec.rec_batch_num": 4,
                    runtime + "intra_op_num_threads": self._n_threads,
                    runtime + "inter_op_num_threads": 1,
                    runtime + "enable_cpu_mem_arena": True,
                }
            )
        return self._engine


def doubtful_lines(lines: Sequence[TextLine], limit: int = 8) -> list[TextLine]:
    """Lines that may be several run together: badly read and far higher than the page's lettering; the worst first."""
    sure = [line.size for line in lines if line.confidence >= 0.9]
    usual = float(np.median(sure)) if sure else 0.0
    found = [line for line in lines if line.confidence < 0.9 and line.size > 1.5 * usual and not line.vertical]
    return sorted(found, key=lambda line: line.confidence)[:limit]


def _sureness(lines: Sequence[TextLine]) -> float:
    """Mean confidence over characters, 0 without lines."""
    n_characters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / n_characters if n_characters else 0.0


def _covered(box: Box, others: Sequence[Box]) -> bool:
    return any(box.intersection(other) > 0.5 * min(box.area, other.area) for other in others)


def _nearly_square(line: TextLine) -> bool:
    width, height = line.box.w, line.box.h
    return 1.1 * width < height < 2.2 * width


def without_repeats(quads: Sequence[Quad]) -> list[Quad]:
    """The quads with each text kept once: of two that share most of the smaller one's area, the larger stays.

    Quads are ``(4, 2)`` float32 corners in pixels. Repeats come from the overlap of tiles, where a line cut by the
    edge of one tile is whole in the next.
    """
    kept: list[Quad] = []
    for quad in sorted(quads, key=lambda item: -_quad_box(item).area):
        box = _quad_box(quad)
        if all(box.intersection(_quad_box(other)) < 0.6 * box.area for other in kept):
            kept.append(quad)
    return kept


def _quad_box(quad: Quad) -> Box:
    (left, top), (right, bottom) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
    return Box.from_xyxy(left, top, right, bottom)


def _blank_line(quad: Quad) -> TextLine:
    """A line without text yet; a quad half as high again as wide is a column."""
    width = max(float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[2] - quad[3])))
    height = max(float(np.linalg.norm(quad[3] - quad[0])), float(np.linalg.norm(quad[2] - quad[1])))
    corners = tuple((float(x), float(y)) for x, y in quad)
    return TextLine("", corners, 0.0, vertical=height >= 1.5 * width)


def _straightened(image: Image, line: TextLine) -> Image:
    """The pixels of a line turned upright, as wide as the baseline; columns lie on their left side for the model."""
    quad = np.asarray(line.quad, dtype=np.float32)
    width = max(4, round(float(max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3])))))
    height = max(4, round(float(max(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1])))))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(quad, target)
    crop = cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    turned = np.rot90(crop) if line.vertical else crop
    return np.ascontiguousarray(turned, dtype=np.uint8)
