"""The network: torchvision's Faster R-CNN with a light pyramid and a small box head, on pages already on their canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign

from comix.detect.rcnn.backbone import PyramidLite0


@dataclass(frozen=True, slots=True)
class Shape:
    """What of the network its weights depend on.

    Attributes:
        n_classes: background included.
        channels: of the pyramid.
        hidden: width of the box head.
        anchor_sides: of the strides 16, 32 and 64, pixels of the canvas, smallest first; as many per stride.
        anchor_ratios: height over width.
    """

    n_classes: int = 2
    channels: int = 64
    hidden: int = 256
    anchor_sides: tuple[tuple[int, ...], ...] = ((40, 64), (96, 144), (216, 324))
    anchor_ratios: tuple[float, ...] = (0.4, 1.0, 2.5)


class OnCanvas(nn.Module):
    """In the place of torchvision's resizing: pages come letterboxed and normalised, boxes leave in canvas pixels."""

    def forward(self, images: Tensor, targets: Any = None) -> tuple[ImageList, Any]:
        """``(n, 3, h, w)`` and targets, as they are."""
        return ImageList(images, [(images.shape[2], images.shape[3])] * images.shape[0]), targets

    def postprocess(self, result: list[dict[str, Tensor]], _sizes: Any, _originals: Any) -> list[dict[str, Tensor]]:
        """The result as it is."""
        return result


class _CoarseProposals(RegionProposalNetwork):  # type: ignore[misc]  # torchvision has no types
    """Proposals from strides 16 and up: panels are large, and the finest map would cost as much as all else together."""

    def forward(self, images: ImageList, features: dict[str, Tensor], targets: Any = None) -> Any:
        """As torchvision's; the finest map is for the box head."""
        return super().forward(images, {name: one for name, one in features.items() if name != "0"}, targets)


def light_network(shape: Shape, n_frozen: int = 0) -> GeneralizedRCNN:
    """Faster R-CNN on EfficientNet-Lite0, weights random.

    Called with pixels ``(n, 3, h, w)``, h and w multiples of 32, it gives per page boxes ``(k, 4)`` xyxy, labels and
    scores ``(k,)``; in training mode, with targets, its losses.

    Args:
        shape: sizes.
        n_frozen: see `PyramidLite0`.
    """
    backbone = PyramidLite0(shape.channels, n_frozen)
    sides = shape.anchor_sides
    anchors = AnchorGenerator(sides, (shape.anchor_ratios,) * len(sides))
    proposals = _CoarseProposals(
        anchors, RPNHead(shape.channels, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7, bg_iou_thresh=0.3, batch_size_per_image=128, positive_fraction=0.5,
        pre_nms_top_n={"training": 400, "testing": 300}, post_nms_top_n={"training": 200, "testing": 100}, nms_thresh=0.7,
    )  # fmt: skip
    heads = RoIHeads(
        MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2, canonical_scale=320, canonical_level=4),
        TwoMLPHead(shape.channels * 49, shape.hidden), FastRCNNPredictor(shape.hidden, shape.n_classes),
        fg_iou_thresh=0.5, bg_iou_thresh=0.5, batch_size_per_image=64, positive_fraction=0.33, bbox_reg_weights=None,
        score_thresh=0.02, nms_thresh=0.5, detections_per_img=60,
    )  # fmt: skip
    return GeneralizedRCNN(backbone, proposals, heads, OnCanvas())
