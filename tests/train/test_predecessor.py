"""The losses of the documented system: what they ask, and what they cannot see."""

from __future__ import annotations

import math

import pytest
import torch

from comix.models.closure_lite import closure_lite_mini
from comix.train.evaluate import evaluate
from comix.train.objectives import losses, objective
from comix.train.predecessor import masked_rpp, neighbours
from tests.models.test_closure_lite import random_batch


@pytest.mark.parametrize("mpm", [{}, {"weight": 0.1, "denoise": True}, {"weight": 0.1, "denoise": True, "context_recon": True}])
def test_base_mpm_is_nothing_and_each_variant_has_its_head(mpm: dict[str, object]) -> None:
    goal = objective(mpm=mpm, earlier=True)
    torch.manual_seed(0)
    model = closure_lite_mini(dim=16, num_heads=2, heads=goal.heads)
    batch = random_batch((4, 2, 3))
    parts = losses(model, batch, model.encode(batch), goal)
    assert (float(parts.mpm.detach()) > 0) == bool(mpm) and float(parts.align.detach()) == 0
    assert model.pop is None and model.earlier is not None
    figures = evaluate(model, [batch], goal)
    assert "pop_auc" not in figures and 0 < float(figures["loss_rpp_chance"] or 0) < math.log(4)


def test_guessing_among_the_neighbours_is_its_chance() -> None:
    batch = random_batch((4, 3))
    logits = torch.zeros(2, 4, 5)
    found, chance = masked_rpp(logits, batch)
    assert float(found) == pytest.approx(float(chance), rel=1e-5)


def test_neighbours_of_a_grid_are_beside_above_and_below() -> None:
    boxes = torch.tensor([[[c * 0.5, r * 0.5, 0.45, 0.45] for r in range(2) for c in range(2)]])
    found = neighbours(boxes, torch.ones(1, 4, dtype=torch.bool))[0]
    assert found.tolist() == [
        [False, True, True, False],
        [True, False, False, True],
        [True, False, False, True],
        [False, True, True, False],
    ]
    apart = torch.tensor([[[0.0, 0.0, 0.1, 0.1], [0.3, 0.3, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]]])
    assert neighbours(apart, torch.ones(1, 3, dtype=torch.bool))[0].sum(1).tolist() == [2, 2, 2]
