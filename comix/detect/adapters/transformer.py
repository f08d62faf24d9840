"""``detector=rt_detr``: any object detector of transformers, from its checkpoint folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comix.core.errors import FileFormatError
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
    wanted_labels,
)


class TransformersDetector:
    """A detector that ``AutoModelForObjectDetection`` loads: RT-DETR, D-FINE, DETR, Deformable DETR, YOLOS.

    Args:
        path: checkpoint folder as ``save_pretrained`` writes it, or a hub's name.
        labels: the checkpoint's labels to our categories; boxes of other labels are left out.
        min_score: boxes less sure are left out.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: folder below ``detections/``.

    Raises:
        MissingInputError: no such checkpoint on this machine.
        UsageError: a category that there is not.
    """

    def __init__(
        self, path: str, labels: Mapping[str, str], min_score: float = 0.5, device: str = "auto", name: str = "rt_detr"
    ) -> None:
        self.name, self.min_score, self.device = name, min_score, device
        self.labels = checked_labels(labels)
        self.folder = transformers_folder(path)
        self.version = digest(1, fingerprint_of(self.folder), self.labels, min_score)
        self._model: Loaded = None

    def detect(self, image: Image, page_id: str = "") -> list[Detection]:
        """What is on a ``(h, w, 3)`` uint8 BGR page, surest first; an empty list when there is nothing.

        Raises:
            FileFormatError: not a checkpoint of a detector, or one with none of the labels.
        """
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[Image], batch_size: int = 4) -> list[list[Detection]]:
        """As `detect`, for any number of pages; the same as one after another."""
        import torch

        self._load()
        out: list[list[Detection]] = []
        for batch in batches(images, batch_size):
            inputs = self._processor(images=[rgb(image) for image in batch], return_tensors="pt").to(self._model.device)
            with torch.inference_mode():
                answers = self._model(**inputs)
            sizes = [image.shape[:2] for image in batch]
            out += [self._detections(found) for found in self._boxes(answers, sizes)]
        return out

    def _boxes(self, answers: Loaded, sizes: Sequence[tuple[int, ...]]) -> Loaded:
        return self._processor.post_process_object_detection(answers, threshold=self.min_score, target_sizes=sizes)

    def _detections(self, found: Mapping[str, Loaded]) -> list[Detection]:
        rows = zip(found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True)
        return surest_first(
            detection(box, score, self._categories[label]) for box, score, label in rows if label in self._categories
        )

    def _load(self) -> None:
        if self._model is not None:
            return
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        try:
            self._processor = AutoImageProcessor.from_pretrained(self.folder, local_files_only=True)
            model = AutoModelForObjectDetection.from_pretrained(self.folder, local_files_only=True, dtype="float32")
        except (OSError, ValueError, KeyError) as error:
            raise FileFormatError(f"detector.path={self.folder}: not a checkpoint of an object detector ({error})") from error
        names = {int(place): str(label) for place, label in model.config.id2label.items()}
        wanted = wanted_labels(self.labels, names.values(), f"detector.path={self.folder}")
        self._categories = {place: wanted[label] for place, label in names.items() if label in wanted}
        self._model = model.to(device_of(self.device)).eval()
