"""``detector=faster_rcnn``: panels by a learned network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comix.core.files import digest
from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.adapters.checkpoint import trusted
from comix.detect.rcnn.clean import without_doubles
from comix.detect.rcnn.looks import averaged, mirrored
from comix.detect.rcnn.weights import Card, read_card, read_state

if TYPE_CHECKING:
    from comix.detect.rcnn.predict import Found

SHIPPED = Path(__file__).parent / "shipped" / "panels"
"""Stem of the weights that come with CoMix."""
_FOREIGN = (".pth", ".pt", ".ckpt")
_VERSION = 2


class FasterRcnnDetector:
    """A Faster R-CNN: the one that ships, one trained by ``comix train``, or torchvision's ResNet-50-FPN.

    Args:
        weights: "" for those that ship; ``FOLDER/panels`` or its ``.safetensors``, as ``comix train`` writes; or a state
            dictionary of torchvision's ``fasterrcnn_resnet50_fpn`` (``.pth``, ``.pt``).
        sha256: of such a foreign file; without it the file is not opened.
        min_score: boxes less sure are left out.
        overlap: of two boxes that share more of the smaller one than this, the less sure one is left out.
        second_look: the page is looked at again, mirrored and on a canvas of this share of the area, see `averaged`; 0 for
            once. Not for foreign weights.
        constant_score: every score becomes 1, as in published tables made by other programs; for their reproduction only.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: folder below ``detections/``.

    Raises:
        MissingInputError, FileFormatError: weights that are not there, or not what they say.
        UsageError: a foreign file without its sha256.
    """

    def __init__(
        self, weights: str = "", sha256: str = "", min_score: float = 0.6, overlap: float = 0.8, second_look: float = 0.6,
        constant_score: bool = False, device: str = "auto", name: str = "faster_rcnn",
    ) -> None:  # fmt: skip
        self.name, self.min_score, self.overlap = name, min_score, overlap
        self.second_look, self.constant_score, self.device = second_look, constant_score, device
        self._path = Path(weights).expanduser() if weights else SHIPPED
        self._network: Any = None
        self.is_foreign = self._path.suffix in _FOREIGN
        if self.is_foreign:
            self.sha256 = trusted(self._path, sha256)
            self.card: Card | None = None
        else:
            self._path = self._path.with_suffix("") if self._path.suffix == ".safetensors" else self._path
            self.card = read_card(self._path)
            self.sha256 = str(self.card.facts["sha256"])
        self.version = digest(_VERSION, self.sha256, min_score, overlap, second_look, constant_score)

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """What is on a ``(h, w, 3)`` uint8 BGR page, surest first; an empty list when there is nothing."""
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[NDArray[np.uint8]], batch_size: int = 8) -> list[list[Detection]]:
        """As `detect`, for any number of pages at once; the same as one after another.

        Args:
            batch_size: pages of one shape that go through the network together, at most.
        """
        if self._network is None:
            self._network = self._load()
        return [self._kept(found) for found in self._looks(images, batch_size)]

    def _looks(self, images: Sequence[NDArray[np.uint8]], batch_size: int) -> list[list[Detection]]:
        """Everything the network sees, of both looks."""
        if self.card is None:
            from comix.detect.rcnn.foreign import predict_foreign

            return [self._named(found) for found in predict_foreign(self._network, images)]
        from comix.detect.rcnn.predict import predict

        area = self.card.canvas_area
        first = [self._named(found) for found in predict(self._network, images, area, batch_size)]
        if not self.second_look:
            return first
        turned = [np.ascontiguousarray(image[:, ::-1]) for image in images]
        again = [self._named(found) for found in predict(self._network, turned, self.second_look * area, batch_size)]
        return [
            averaged([one, mirrored(other, image.shape[1])]) for one, other, image in zip(first, again, images, strict=True)
        ]

    def _load(self) -> Any:
        import torch

        if self.card is None:
            from comix.detect.rcnn.foreign import load_foreign

            network: Any = load_foreign(self._path)
        else:
            from comix.detect.rcnn.network import light_network

            network = light_network(self.card.shape)
            network.load_state_dict(read_state(self._path, self.sha256))
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
        device = wanted if self.device == "auto" else self.device
        return network.eval().to(device, memory_format=torch.channels_last)

    def _named(self, found: Found) -> list[Detection]:
        from comix.detect.rcnn.foreign import CATEGORIES

        names = dict(enumerate(self.card.classes, 1)) if self.card is not None else CATEGORIES
        return [
            Detection(Box.from_xyxy(*box), score, names[label])
            for box, label, score in zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
            if label in names
        ]

    def _kept(self, found: Sequence[Detection]) -> list[Detection]:
        out = [one._replace(score=1.0) if self.constant_score else one for one in found if one.score >= self.min_score]
        panels = without_doubles([one for one in out if one.category == "panel"], self.overlap)
        return panels + [one for one in out if one.category != "panel"]
