"""Boxes of pages out of a network: on canvases, in groups of one size, back in page pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from comix.detect.rcnn.canvas import Placement, pixels_of, placed, placement


@dataclass(frozen=True, slots=True)
class Found:
    """What the network says of one page, surest first.

    Attributes:
        boxes: ``(k, 4)`` float64 xyxy, pixels of the page, clipped to it.
        labels: ``(k,)`` int64, from 1; ``scores`` ``(k,)`` float64, 0 to 1.
    """

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


def predict(network: nn.Module, images: Sequence[NDArray[np.uint8]], area: float, batch_size: int = 8) -> list[Found]:
    """Boxes of pages, in their order; the same whatever pages are asked for together.

    Args:
        network: in evaluation mode; see `light_network`.
        images: ``(h, w, 3)`` uint8 blue-green-red, any sizes, any number.
        area: of the canvas, the one it was trained with.
        batch_size: pages that go through it at once, at most.
    """
    device = next(network.parameters()).device
    places = [placement(image.shape[1], image.shape[0], area) for image in images]
    groups: dict[tuple[int, int], list[int]] = {}
    for number, where in enumerate(places):
        groups.setdefault((where.height, where.width), []).append(number)
    found: dict[int, Found] = {}
    for members in groups.values():
        for start in range(0, len(members), batch_size):
            chosen = members[start : start + batch_size]
            pixels = torch.from_numpy(pixels_of([placed(images[number], places[number]) for number in chosen]))
            with torch.inference_mode():
                answers = network(pixels.to(device, memory_format=torch.channels_last))
            for number, answer in zip(chosen, answers, strict=True):
                found[number] = on_page(answer, places[number], images[number].shape[:2])
    return [found[number] for number in range(len(images))]


def on_page(answer: dict[str, torch.Tensor], where: Placement, size: tuple[int, ...]) -> Found:
    """torchvision's answer in pixels of the page, whose height and width are ``size``."""
    boxes = (answer["boxes"].double().cpu().numpy() - np.array([where.left, where.top] * 2)) / where.scale
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, size[1])
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, size[0])
    return Found(boxes, answer["labels"].cpu().numpy(), answer["scores"].double().cpu().numpy())
