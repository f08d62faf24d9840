"""Several looks at one page, at other sizes and mirrored, made into one answer: what all of them see counts most."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.geometry import Box
from comix.core.page import Detection

_SAME = 0.6
"""IoU from which boxes of two looks are of the same thing."""


def mirrored(found: Sequence[Detection], width: float) -> list[Detection]:
    """Boxes of a mirrored page of so many pixels, where they lie on the page itself.

    >>> mirrored([Detection(Box(10, 0, 20, 5), 0.9)], 100)[0].box.xywh
    [70, 0, 20, 5]
    """
    return [one._replace(box=one.box._replace(x=width - one.box.r)) for one in found]


def averaged(looks: Sequence[Sequence[Detection]]) -> list[Detection]:
    """The boxes of all looks, those of the same thing averaged, surest first.

    A box is the mean of its boxes, weighed by their squared scores. Its score is their sum shared among all looks, so what
    only one of two sees is at most half sure.

    >>> a, b = Detection(Box(0, 0, 100, 100), 0.8), Detection(Box(0, 0, 110, 100), 0.8)
    >>> [(one.box.xywh, one.score) for one in averaged([[a], [b, Detection(Box(300, 0, 50, 50), 0.6)]])]
    [([0.0, 0.0, 105.0, 100.0], 0.8), ([300, 0, 50, 50], 0.3)]
    """
    groups: list[list[Detection]] = []
    means: list[Box] = []
    for look in looks:
        taken: set[int] = set()
        for one in look:
            place = next(
                (
                    place
                    for place, mean in enumerate(means)
                    if place not in taken and groups[place][0].category == one.category and mean.iou(one.box) >= _SAME
                ),
                len(groups),
            )
            if place == len(groups):
                groups.append([])
                means.append(one.box)
            taken.add(place)
            groups[place].append(one)
            means[place] = _mean(groups[place])
    out = [
        group[0]._replace(box=mean, score=sum(one.score for one in group) / len(looks))
        for group, mean in zip(groups, means, strict=True)
    ]
    return sorted(out, key=lambda one: -one.score)


def _mean(group: Sequence[Detection]) -> Box:
    total = sum(one.score**2 for one in group)
    if len(group) == 1 or total <= 0:
        return group[0].box
    sides = [sum(one.score**2 * one.box.xyxy[side] for one in group) / total for side in range(4)]
    return Box.from_xyxy(*sides)
