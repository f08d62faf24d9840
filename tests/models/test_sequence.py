"""The next panel by a transformer over the page: blind to the rows' order, deaf to what it was never told, able to learn."""

from __future__ import annotations

import torch

from comix.models.closure_lite import ClosureLite, closure_lite_sequence, restore
from comix.train.objectives import layout_loss
from tests.models.test_closure_lite import random_batch


def small() -> ClosureLite:
    torch.manual_seed(0)
    return closure_lite_sequence(dim=16, num_heads=2, order_layers=2)


def test_shapes_masks_and_the_order_of_rows() -> None:
    batch, model = random_batch((3, 1, 5)), small().eval()
    logits = model.next_panel_logits(model.encode(batch), batch)
    assert logits.shape == (3, 5, 6)
    assert torch.isfinite(logits)[0, 0].tolist() == [False, True, True, False, False, True]
    layout, mask = batch.padded(batch.layout), batch.mask
    panels = torch.zeros(3, 5, 16)
    turn = torch.tensor([2, 0, 1])
    plain = model.next_panel(panels, layout, mask, mask)[0, :3, :3]
    turned = model.next_panel(panels[:1, :3], layout[:1, turn], mask[:1, :3], mask[:1, :3])[0, :, :3]
    assert torch.allclose(plain[turn][:, turn], turned, atol=1e-5)


def test_unknown_places_and_an_untold_rule_say_nothing() -> None:
    batch, model = random_batch((4,)), small().eval()
    panels, layout, mask = torch.zeros(1, 4, 16), batch.padded(batch.layout), batch.mask
    nowhere = torch.zeros_like(mask)
    told = torch.arange(4)[None]
    assert torch.equal(model.next_panel(panels, layout, nowhere, mask), model.next_panel(panels, layout + 1, nowhere, mask))
    torch.nn.init.ones_(model.next_panel.rule.weight)
    silent = model.next_panel(panels, layout, mask, mask, rule=torch.full_like(told, -1))
    assert torch.equal(silent, model.next_panel(panels, layout, mask, mask))
    assert not torch.equal(silent, model.next_panel(panels, layout, mask, mask, rule=told))


def test_a_checkpoints_settings_build_the_same_model() -> None:
    model = small()
    again = restore(model.settings)
    again.load_state_dict(model.state_dict())
    assert again.settings == model.settings


def test_it_learns_the_order_of_layouts() -> None:
    model, g = small(), torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    found = []
    for _ in range(60):
        top = torch.rand(16, 4, generator=g).argsort(1).float() / 4  # four panels below each other, mixed
        one = torch.ones(16, 4)
        layout = torch.stack([one * 0, top, one, one * 0.2, one / 2, top + 0.1, one * 0.2, one, one, one * 0], dim=2)
        order = top.argsort(1).argsort(1)
        loss = layout_loss(model, layout, torch.full_like(order, -1), order)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[0] > 1.2 and found[-1] < 0.2
