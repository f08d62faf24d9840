"""``detector=grounding_dino``: boxes for words, one prompt at a time, so that every score is that of its own box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import digest
from comix.core.page import Detection
from comix.detect.adapters.checkpoint import (
    Image,
    Loaded,
    batches,
    checked_labels,
    detection,
    device_of,
    fingerprint_of,
    rgb,
    surest_first,
    transformers_folder,
)


class GroundingDinoDetector:
    """Grounding DINO, or another zero-shot detector of transformers with its interface (MM-Grounding-DINO).

    Args:
        path: checkpoint folder as ``save_pretrained`` writes it, or a hub's name.
        prompts: what is asked to the category it finds, ``{"comic panel": "panel"}``. Every prompt is asked by itself.
        min_score: boxes less sure are left out; the library's ``threshold``.
        min_word_score: words less sure are not part of a box's label; a box without any word of the prompt is left out.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: folder below ``detections/``.

    Raises:
        MissingInputError: no such checkpoint on this machine.
        UsageError: no prompt, or a category that there is not.
    """

    def __init__(
        self,
        path: str,
        prompts: Mapping[str, str],
        min_score: float = 0.3,
        min_word_score: float = 0.1,
        device: str = "auto",
        name: str = "grounding_dino",
    ) -> None:
        if not prompts:
            raise UsageError("detector.prompts={}: wanted at least one, as detector.prompts={comic panel: panel}")
        self.name, self.min_score, self.min_word_score, self.device = name, min_score, min_word_score, device
        self.prompts = checked_labels(prompts, "detector.prompts")
        self.folder = transformers_folder(path)
        self.version = digest(1, fingerprint_of(self.folder), self.prompts, min_score, min_word_score)
        self._model: Loaded = None

    def detect(self, image: Image, page_id: str = "") -> list[Detection]:
        """What the prompts find on a ``(h, w, 3)`` uint8 BGR page, surest first; an empty list when there is nothing.

        Raises:
            FileFormatError: not a checkpoint of such a detector.
        """
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[Image], batch_size: int = 2) -> list[list[Detection]]:
        """As `detect`, for any number of pages; the same as one after another."""
        self._load()
        out: list[list[Detection]] = []
        for batch in batches(images, batch_size):
            shown = [rgb(image) for image in batch]
            found: list[list[Detection]] = [[] for _ in batch]
            for prompt, category in self.prompts.items():
                for own, answer in zip(found, self._answers(shown, prompt), strict=True):
                    own += [
                        detection(box, score, category)
                        for box, score, words in zip(
                            answer["boxes"].tolist(), answer["scores"].tolist(), answer["text_labels"], strict=True
                        )
                        if words
                    ]
            out += [surest_first(own) for own in found]
        return out

    def _answers(self, images: Sequence[Image], prompt: str) -> Loaded:
        import torch

        text = prompt if prompt.endswith(".") else f"{prompt}."  # a full stop ends what is looked for
        inputs = self._processor(images=list(images), text=[text] * len(images), return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            answers = self._model(**inputs)
        return self._processor.post_process_grounded_object_detection(
            answers, inputs.input_ids, threshold=self.min_score, text_threshold=self.min_word_score,
            target_sizes=[image.shape[:2] for image in images],
        )  # fmt: skip

    def _load(self) -> None:
        if self._model is not None:
            return
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        try:
            self._processor = AutoProcessor.from_pretrained(self.folder, local_files_only=True)
            model = AutoModelForZeroShotObjectDetection.from_pretrained(self.folder, local_files_only=True, dtype="float32")
        except (OSError, ValueError, KeyError) as error:
            raise FileFormatError(f"detector.path={self.folder}: not a checkpoint of a zero-shot detector ({error})") from error
        self._model = model.to(device_of(self.device)).eval()
