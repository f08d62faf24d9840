"""``detector=magi``: the manga models of Sachdeva et al., whose code comes with their weights."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import digest
from comix.core.page import Detection
from comix.detect.adapters.checkpoint import (
    Image,
    Loaded,
    batches,
    detection,
    device_of,
    fingerprint_of,
    rgb,
    transformers_folder,
)

_FOUND = {"panels": "panel", "texts": "text", "characters": "character"}
"""The lists in Magi's answer to our categories."""


class MagiDetector:
    """Magi v1 or v2 (https://github.com/ragavsachdeva/magi); academic use only, by the word of its authors.

    Loading it runs Python code out of the checkpoint. Its answers hold no scores: every box gets 1, and average precision
    means little for it.

    Args:
        path: checkpoint folder with its code, or a hub's name (``ragavsachdeva/magi``).
        run_its_code: has to be true: the user agrees to run the checkpoint's code, and to its licence.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: folder below ``detections/``.

    Raises:
        UsageError: the user has not agreed.
        MissingInputError: no such checkpoint on this machine.
    """

    def __init__(self, path: str, run_its_code: bool = False, device: str = "auto", name: str = "magi") -> None:
        if not run_its_code:
            raise UsageError(
                "detector=magi runs Python code out of its checkpoint, and its models are for academic research only; "
                "if you agree to both, give detector.run_its_code=true"
            )
        self.name, self.device = name, device
        self.folder = transformers_folder(path)
        self.version = digest(1, fingerprint_of(self.folder))
        self._model: Loaded = None

    def detect(self, image: Image, page_id: str = "") -> list[Detection]:
        """Panels, texts and characters of a ``(h, w, 3)`` uint8 BGR page, each with score 1.

        Raises:
            FileFormatError: not a checkpoint of Magi.
        """
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[Image], batch_size: int = 2) -> list[list[Detection]]:
        """As `detect`, for any number of pages."""
        import torch

        self._load()
        out: list[list[Detection]] = []
        for batch in batches(images, batch_size):
            with torch.inference_mode():
                answers = self._model.predict_detections_and_associations([rgb(image) for image in batch])
            out += [
                [detection(box, 1.0, category) for key, category in _FOUND.items() for box in answer.get(key, ())]
                for answer in answers
            ]
        return out

    def _load(self) -> None:
        if self._model is not None:
            return
        from transformers import AutoModel

        try:
            model = AutoModel.from_pretrained(self.folder, trust_remote_code=True, local_files_only=True)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise FileFormatError(f"detector.path={self.folder}: its model does not load ({error})") from error
        if not hasattr(model, "predict_detections_and_associations"):
            raise FileFormatError(
                f"detector.path={self.folder}: {type(model).__name__} is no Magi v1 or v2: it has no "
                "predict_detections_and_associations"
            )
        self._model = model.to(device_of(self.device)).eval()
