"""torchvision's Faster R-CNN ResNet-50-FPN with weights of others: the five classes of the CoMix benchmark.

Source: https://github.com/emanuelevivoli/CoMix, whose checkpoints label 1 panel, 2 character, 3 text, 4 face, on pages
squashed to 1024 x 1024. Here pages keep their shape: they are letterboxed into that square, which is what the network
resizes further by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from comix.core.errors import FileFormatError
from comix.detect.rcnn.canvas import Placement, placed
from comix.detect.rcnn.predict import Found, on_page

CATEGORIES = {1: "panel", 2: "character", 3: "text", 4: "face"}
"""Label of the network to COCO category name."""
SIDE = 1024


def load_foreign(path: Path) -> nn.Module:
    """The network with the weights of a state dictionary, alone or under ``model``, ``state_dict`` or ``model_state_dict``.

    Raises:
        FileFormatError: not weights only, or of another network.
    """
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise FileFormatError(f"{path}: not a file of weights only ({type(error).__name__}: {error})") from error
    state = _state_of(content)
    head = state.get("roi_heads.box_predictor.cls_score.weight")
    if head is None:
        raise FileFormatError(f"{path}: not a state dictionary of torchvision's fasterrcnn_resnet50_fpn")
    network: nn.Module = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=int(head.shape[0]))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise FileFormatError(f"{path}: not weights of torchvision's fasterrcnn_resnet50_fpn ({error})") from error
    return network


def _state_of(content: Any) -> dict[str, Any]:
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    return dict(content) if isinstance(content, Mapping) else {}


def predict_foreign(network: nn.Module, images: Sequence[NDArray[np.uint8]], side: int = SIDE) -> list[Found]:
    """Boxes of pages, one after another, as `predict` gives them."""
    device = next(network.parameters()).device
    found = []
    for image in images:
        high, wide = image.shape[:2]
        scale = side / max(high, wide)
        where = Placement(side, side, scale, (side - round(wide * scale)) // 2, (side - round(high * scale)) // 2)
        rgb = np.ascontiguousarray(placed(image, where)[..., ::-1].transpose(2, 0, 1))
        with torch.inference_mode():
            answer = network([torch.from_numpy(rgb).to(device).float() / 255])[0]
        found.append(on_page(answer, where, (high, wide)))
    return found
