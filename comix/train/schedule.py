"""The learning rate over the steps: up, then down along a cosine; planned anew when a run is given more epochs."""

from __future__ import annotations

import math


class WarmupCosine:
    """The factor of the learning rate at a step.

    Its state (all attributes) is saved with the scheduler by torch, because it is an object and not a function.

    Args:
        total: steps of the whole run.
        warmup: steps of the linear rise.
        floor: factor at the end.

    >>> plan = WarmupCosine(100, 10, 0.1)
    >>> [round(plan(step), 3) for step in (0, 9, 10, 100)]
    [0.1, 1.0, 1.0, 0.1]
    """

    def __init__(self, total: int, warmup: int, floor: float) -> None:
        self.total, self.warmup, self.floor = total, warmup, floor
        self.anchor_step, self.anchor_value = warmup, 1.0

    def __call__(self, step: int) -> float:
        """The factor at a step, counting from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        span = max(1, self.total - self.anchor_step)
        progress = min(1.0, max(0.0, (step - self.anchor_step) / span))
        return self.floor + (self.anchor_value - self.floor) * (1 + math.cos(math.pi * progress)) / 2

    def replan(self, total: int, step: int) -> None:
        """Go on from today's value to the floor at the new end; nothing changes when the end is the same.

        >>> plan = WarmupCosine(100, 10, 0.1)
        >>> before = plan(90); plan.replan(200, 90)
        >>> plan(90) == before, plan(150) < before, round(plan(200), 3)
        (True, True, 0.1)
        """
        if total == self.total:
            return
        if step > self.warmup:
            self.anchor_value, self.anchor_step = self(step), step
        self.total = total
