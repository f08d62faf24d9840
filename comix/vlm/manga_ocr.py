"""Recognisers that read a whole balloon from its picture, as manga-ocr does (Apache-2.0), by transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.errors import MissingInputError, UsageError
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.io.analysis import Analysis
from comix.vlm.balloons import Balloon, balloons_of
from comix.vlm.lettering import is_wide
from comix.vlm.lines import LineEngine
from comix.vlm.ocr import analysis_of, kept_lines

_MARGIN = 0.08
"""Air left around a balloon's lettering, of its shorter side."""
_MOST_TOKENS = 300

Letters = Literal["wide", "all"]


class MangaOcrReader:
    """Finds lines and balloons as `comix.vlm.ocr.OcrReader` does, then lets another model read every balloon in one piece.

    Args:
        path: checkpoint folder of an image-to-text encoder-decoder as ``save_pretrained`` writes it, or a hub name.
        letters: ``wide`` has balloons of mostly Japanese or Chinese letters read anew, ``all`` every balloon.
        batch_size: balloons read at once.
        device: ``cpu``, ``cuda`` or ``auto``.
        det_side: see `comix.vlm.ocr.OcrReader`; likewise ``max_upscale``, ``min_confidence`` and ``n_threads``.

    Raises:
        MissingInputError: no such checkpoint on this machine, or a package that its tokenizer needs is absent.
        UsageError: ``letters`` is something else.
    """

    name = "manga_ocr"
    needs_panels = True

    def __init__(
        self,
        path: str,
        letters: Letters = "wide",
        batch_size: int = 8,
        device: str = "auto",
        det_side: int = 1280,
        max_upscale: float = 2.0,
        min_confidence: float = 0.5,
        n_threads: int = 1,
    ) -> None:
        if letters not in ("wide", "all"):
            raise UsageError(f"vlm.letters={letters}: wanted wide or all")
        self._engine = LineEngine(det_side=det_side, max_upscale=max_upscale, n_threads=n_threads)
        self._reader = BalloonReader(path, batch_size, device)
        self._letters, self._min_confidence = letters, min_confidence
        self.version = f"1 with {Path(path).name}"

    def read(self, image: NDArray[np.uint8], panels: Sequence[Box], page: PageRecord) -> Analysis:
        """Text of a ``(h, w, 3)`` uint8 BGR page, each balloon in its panel."""
        lines = kept_lines(self._engine.lines(image), self._min_confidence)
        balloons = self._reader.read_again(image, balloons_of(image, lines), self._letters)
        found = analysis_of(balloons, panels, page, image.shape[1], image.shape[0])
        info = found.reader.model_copy(update={"name": self.name, "model": self._reader.name, "version": self.version})
        return found.model_copy(update={"reader": info})


class BalloonReader:
    """An image-to-text model for crops.

    Args:
        path: see `MangaOcrReader`; likewise ``batch_size`` and ``device``.

    Raises:
        MissingInputError: see `MangaOcrReader`.
    """

    def __init__(self, path: str, batch_size: int = 8, device: str = "auto") -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        import torch
        from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

        where = str(Path(path).expanduser()) if Path(path).expanduser().is_dir() else path
        try:
            self._images = AutoImageProcessor.from_pretrained(where)
            self._tokenizer = AutoTokenizer.from_pretrained(where)
            model = VisionEncoderDecoderModel.from_pretrained(where)
        except ImportError as error:
            raise MissingInputError(
                f'vlm.path={path}: its tokenizer needs another package: pip install "comix[manga-ocr]" ({error})'
            ) from error
        except (OSError, ValueError) as error:
            raise MissingInputError(
                f"vlm.path={path}: no checkpoint of a crop reader on this machine; wanted a folder as save_pretrained "
                f"writes it, or allow the download of a hub name: HF_HUB_OFFLINE=0 comix analyze ... "
                f"({str(error).splitlines()[0]})"
            ) from error
        self.name = Path(path).name
        self._device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self._model = model.to(self._device).eval()
        self._batch_size = batch_size

    def read_again(self, image: NDArray[np.uint8], balloons: Sequence[Balloon], letters: Letters) -> list[Balloon]:
        """The balloons of a ``(h, w, 3)`` BGR page, those of the wanted letters with what this model reads in them.

        A balloon in which it reads nothing keeps its text.
        """
        chosen = [index for index, one in enumerate(balloons) if letters == "all" or is_mostly_wide(one.text)]
        out = list(balloons)
        for start in range(0, len(chosen), self._batch_size):
            batch = chosen[start : start + self._batch_size]
            crops = [crop_of(image, balloons[index].box) for index in batch]
            for index, (text, confidence) in zip(batch, self.texts(crops), strict=True):
                if text:
                    out[index] = replace(out[index], text=text, confidence=round(confidence, 3))
        return out

    def texts(self, crops: Sequence[NDArray[np.uint8]]) -> list[tuple[str, float]]:
        """What each ``(h, w, 3)`` BGR crop says, and the geometric mean of its tokens' probabilities."""
        import torch

        grey = [cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB) for crop in crops]  # as it was trained
        pixels = self._images(images=grey, return_tensors="pt").pixel_values.to(self._device)
        with torch.inference_mode():
            made = self._model.generate(
                pixels, max_new_tokens=_MOST_TOKENS, num_beams=1, do_sample=False, output_scores=True,
                return_dict_in_generate=True,
            )  # fmt: skip
            steps = self._model.compute_transition_scores(made.sequences, made.scores, normalize_logits=True)
        tokens = made.sequences[:, -steps.shape[1] :]
        special = torch.tensor(sorted(set(self._tokenizer.all_special_ids)), device=tokens.device)
        real = ~torch.isin(tokens, special)
        means = (steps.masked_fill(~real, 0).sum(1) / real.sum(1).clamp(min=1)).exp()
        words = self._tokenizer.batch_decode(made.sequences, skip_special_tokens=True)
        return [(unspaced(text), float(mean)) for text, mean in zip(words, means, strict=True)]


def is_mostly_wide(text: str) -> bool:
    """Whether more letters are Japanese or Chinese than not.

    >>> is_mostly_wide("そうか ok"), is_mostly_wide("OK!"), is_mostly_wide("...")
    (True, False, False)
    """
    letters = [character for character in text if character.isalnum()]
    return sum(map(is_wide, letters)) * 2 > len(letters)


def unspaced(text: str) -> str:
    """Text without the spaces that tokenizers put between wide characters.

    >>> unspaced("そ う か … OK then")
    'そうか…OK then'
    """
    words = text.split()
    out = "".join(words[:1])
    for word in words[1:]:
        narrow = not is_wide(out[-1]) and not is_wide(word[0]) and out[-1] not in "…！？"
        out += f" {word}" if narrow and word[0] not in "…！？" else word
    return out


def crop_of(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The pixels of a box with a little air, within the page."""
    air = _MARGIN * min(box.w, box.h)
    height, width = image.shape[:2]
    left, top = max(0, int(box.x - air)), max(0, int(box.y - air))
    right, bottom = min(width, round(box.r + air)), min(height, round(box.b + air))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]
