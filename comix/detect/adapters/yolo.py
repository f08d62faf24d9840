"""``detector=yolo``: weights of ultralytics, whose package is under the AGPL-3.0 and never installed by default."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import digest
from comix.core.page import Detection
from comix.detect.adapters.checkpoint import (
    Image,
    Loaded,
    checked_labels,
    detection,
    device_of,
    surest_first,
    trusted,
    wanted_labels,
)


class YoloDetector:
    """A YOLO of ultralytics.

    Args:
        weights: a ``.pt`` file; opening one can run code.
        sha256: of that file; without it the file is not opened.
        labels: its labels to our categories; boxes of other labels are left out.
        min_score: boxes less sure are left out.
        side: longer side in pixels that pages are shown at.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: folder below ``detections/``.

    Raises:
        MissingInputError: ultralytics is not installed, or no such file.
        UsageError: the sha256 is missing or another, or a category that there is not.
    """

    def __init__(
        self,
        weights: str,
        labels: Mapping[str, str],
        sha256: str = "",
        min_score: float = 0.25,
        side: int = 1024,
        device: str = "auto",
        name: str = "yolo",
    ) -> None:
        self.name, self.min_score, self.side, self.device = name, min_score, side, device
        self.labels = checked_labels(labels)
        self.weights = Path(weights).expanduser()
        self.version = digest(1, trusted(self.weights, sha256), self.labels, min_score, side)
        os.environ.setdefault("YOLO_OFFLINE", "true")  # it reports home otherwise
        try:
            import ultralytics  # noqa: F401
        except ImportError as error:
            raise MissingInputError(
                'detector=yolo: the package ultralytics (AGPL-3.0) is not installed: pip install "comix[yolo]"'
            ) from error
        self._model: Loaded = None

    def detect(self, image: Image, page_id: str = "") -> list[Detection]:
        """What is on a ``(h, w, 3)`` uint8 BGR page, surest first; an empty list when there is nothing.

        Raises:
            FileFormatError: not weights of a YOLO, or one with none of the labels.
        """
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[Image]) -> list[list[Detection]]:
        """As `detect`, one page after another: ultralytics pads pages differently when others are beside them."""
        self._load()
        out: list[list[Detection]] = []
        for image in images:
            (answer,) = self._model.predict(
                image, conf=self.min_score, imgsz=self.side, device=device_of(self.device), verbose=False
            )
            boxes = answer.boxes
            rows = zip(boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True)
            out.append(
                surest_first(
                    detection(box, score, self._categories[int(label)])
                    for box, score, label in rows
                    if int(label) in self._categories
                )
            )
        return out

    def _load(self) -> None:
        if self._model is not None:
            return
        from ultralytics import YOLO

        try:
            model = YOLO(str(self.weights), task="detect")
            names = {int(place): str(label) for place, label in model.names.items()}
        except Exception as error:  # the package raises what it likes
            raise FileFormatError(f"detector.weights={self.weights}: not weights of a YOLO ({error})") from error
        wanted = wanted_labels(self.labels, names.values(), f"detector.weights={self.weights}")
        self._categories = {place: wanted[label] for place, label in names.items() if label in wanted}
        self._model = model
