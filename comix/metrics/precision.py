"""Average precision of scored boxes."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.geometry import Box


def average_precision(
    found: Sequence[Sequence[tuple[float, Box]]], truth: Sequence[Sequence[Box]], threshold: float = 0.5
) -> float:
    """Area under precision over recall, read at 101 recalls, as COCO does.

    Args:
        found: per page, score and box.
        truth: per page, as many pages.
        threshold: least IoU of a match.

    Returns:
        0 to 1; 1 when there was nothing to find and nothing was found.

    Source: https://github.com/cocodataset/cocoapi (COCOeval), for one class and no crowds.

    >>> average_precision([[(0.9, Box(0, 0, 10, 10)), (0.8, Box(50, 0, 10, 10))]], [[Box(0, 0, 10, 9), Box(50, 0, 10, 10)]])
    1.0
    """
    n_truth = sum(map(len, truth))
    if not n_truth:
        return float(not any(found))
    hits: list[tuple[float, bool]] = []
    for scored, boxes in zip(found, truth, strict=True):
        free = list(boxes)
        for score, box in sorted(scored, key=lambda pair: -pair[0]):
            best = max(free, key=box.iou, default=None)
            is_hit = best is not None and box.iou(best) >= threshold
            if best is not None and is_hit:
                free.remove(best)
            hits.append((score, is_hit))
    hits.sort(key=lambda hit: -hit[0])
    right, curve = 0, []
    for number, (_, is_hit) in enumerate(hits, start=1):
        right += is_hit
        curve.append((right / n_truth, right / number))
    ceiling = 0.0
    for place in range(len(curve) - 1, -1, -1):
        ceiling = max(ceiling, curve[place][1])
        curve[place] = (curve[place][0], ceiling)
    total, place = 0.0, 0
    for step in range(101):
        while place < len(curve) and curve[place][0] < step / 100 - 1e-12:
            place += 1
        total += curve[place][1] if place < len(curve) else 0.0
    return total / 101
