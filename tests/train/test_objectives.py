"""The losses mean what their names say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from comix.core.errors import UsageError
from comix.data.batch import collate
from comix.data.features import PanelFeatures
from comix.data.page import PageExample
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, closure_lite_mini
from comix.train.augment import varied
from comix.train.baselines import baselines
from comix.train.evaluate import evaluate
from comix.train.objectives import losses, mpm_guesses, next_labels, objective, pop_pairs, rpp_loss

VARIANTS = {
    "base": {},
    "denoise": {"weight": 0.1, "denoise": True},
    "context_recon": {"weight": 0.1, "context_recon": True},
    "denoise_context": {"weight": 0.1, "denoise": True, "context_recon": True},
}


@pytest.fixture
def batch(pages: list[PageExample], features: PanelFeatures) -> Batch:
    chosen = list(range(8))
    return collate([pages[i] for i in chosen], features.of(chosen), seed=1)


def small(*heads: str) -> ClosureLite:
    torch.manual_seed(0)
    return closure_lite_mini(dim=16, image_features=24, text_features=24, num_heads=2, heads=heads)


def test_labels_follow_the_reading_order_to_the_end(batch: Batch) -> None:
    labels = next_labels(batch)
    width = batch.mask.shape[1]
    for page, count in enumerate(batch.n_panels.tolist()):
        own = labels[page, :count]
        if count == 1:
            assert own.tolist() == [-100]
            continue
        order = batch.order[batch.page_index == page]
        assert (own == width).sum() == 1
        for slot, label in enumerate(own.tolist()):
            assert label == width or order[label] == order[slot] + 1


def test_untrained_rpp_is_over_all_panels_and_the_end(batch: Batch) -> None:
    logits = torch.zeros(*batch.mask.shape, batch.mask.shape[1] + 1)
    allowed = batch.mask[:, :, None] & batch.mask[:, None, :] & ~torch.eye(batch.mask.shape[1], dtype=torch.bool)
    logits[..., :-1].masked_fill_(~allowed, -math.inf)
    several = [count for count in batch.n_panels.tolist() if count > 1]
    expected = sum(count * math.log(count) for count in several) / sum(several)  # count - 1 others and the end
    assert float(rpp_loss(logits, batch)) == pytest.approx(expected, rel=1e-5)


def test_pop_pairs_never_pair_a_panel_with_its_own_page_as_wrong(batch: Batch) -> None:
    right, same, other = pop_pairs(batch)
    page, books = batch.page_index, batch.books[batch.page_index]
    assert right.sum() == (batch.n_panels[page] > 1).sum()
    assert not (same & (page[:, None] == page[None, :])).any()
    assert (books[:, None] == books[None, :])[same].all()
    assert (books[:, None] != books[None, :])[other].all()


def test_pop_judges_a_panel_by_a_page_that_lacks_it(batch: Batch) -> None:
    model = small("pop").eval()
    content = model.encode(batch).content.detach().requires_grad_()
    assert model.pop is not None
    pages_without = model.pages_without_each(content, batch)
    model.pop(content.detach(), pages_without)[0, 0].backward()
    assert content.grad is not None
    assert content.grad[0].abs().sum() == 0
    assert content.grad[batch.page_index == 0].abs().sum() > 0


@pytest.mark.parametrize("head", ["denoise", "context"])
def test_mpm_guesses_do_not_see_the_hidden_panel(batch: Batch, head: str) -> None:
    model = small(head).eval()
    encoded = model.encode(batch)
    changed = encoded.content.clone()
    changed[2] += 5
    torch.manual_seed(1)
    (before,) = mpm_guesses(model, batch, encoded, 0.1)
    torch.manual_seed(1)
    (after,) = mpm_guesses(model, batch, replace(encoded, content=changed), 0.1)
    assert torch.equal(before[2], after[2])
    same_page = (batch.page_index == batch.page_index[2]).nonzero()[:, 0].tolist()
    assert not torch.equal(before[same_page], after[same_page])


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_only_its_own_loss_and_heads(batch: Batch, variant: str) -> None:
    goal = objective(mpm=VARIANTS[variant])
    model = small(*goal.heads).eval()
    parts = losses(model, batch, model.encode(batch), goal)
    mpm_heads = {name.split(".")[0] for name, _ in model.named_parameters()} & {"denoise", "context"}
    wanted = {"denoise": {"denoise"}, "context_recon": {"context"}, "denoise_context": {"denoise", "context"}}
    assert mpm_heads == wanted.get(variant, set())
    assert (parts.mpm.item() > 0) == (variant != "base")
    expected = 0.5 * parts.rpp + 0.3 * parts.pop + goal.mpm.weight * parts.mpm
    assert parts.total.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("variant", ["denoise", "context_recon"])
def test_mpm_alone_reaches_the_encoders(batch: Batch, variant: str) -> None:
    goal = objective(mpm=VARIANTS[variant])
    model = small(*goal.heads)
    losses(model, batch, model.encode(batch), goal).mpm.backward()
    grads = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    assert float(grads["image.linear.weight"].abs().sum()) > 0
    assert float(grads["text.linear.weight"].abs().sum()) > 0


def test_one_batch_overfits(batch: Batch) -> None:
    goal = objective(mpm=VARIANTS["denoise_context"])
    model = small(*goal.heads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    first = None
    for _ in range(150):
        parts = losses(model, batch, model.eval().encode(batch), goal)
        first = first or parts
        optimizer.zero_grad()
        parts.total.backward()
        optimizer.step()
    assert first is not None
    assert float(parts.rpp) < 0.05 < 0.5 < float(first.rpp)
    assert float(parts.pop) < 0.1 < float(first.pop)
    assert float(parts.mpm) < 0.7 * float(first.mpm)
    figures = evaluate(model, [batch], goal)
    assert figures["rpp_page_exact"] == 1.0
    assert figures["rpp_next_accuracy"] == 1.0


def test_one_page_or_one_panel_gives_zero_not_nan(pages: list[PageExample], features: PanelFeatures) -> None:
    goal = objective(mpm=VARIANTS["denoise_context"])
    model = small(*goal.heads)
    lone = next(index for index, page in enumerate(pages) if len(page.boxes) == 1)
    for chosen in ([lone], [0]):
        batch = collate([pages[i] for i in chosen], features.of(chosen))
        parts = losses(model, batch, model.encode(batch), goal)
        assert torch.isfinite(parts.total)
        parts.total.backward()
        assert all(torch.isfinite(one.grad).all() for one in model.parameters() if one.grad is not None)
    assert float(parts.pop) == 0.0
    assert evaluate(model, [batch], goal)["pop_auc"] is None


def test_varied_pages_keep_their_labels_and_turn_their_direction(batch: Batch) -> None:
    torch.manual_seed(0)
    turned = varied(batch, 1.0, 0.0)
    assert torch.equal(turned.layout[:, 8], -batch.layout[:, 8])
    assert torch.allclose(turned.layout[:, 9], batch.layout[:, 9], atol=1e-6)
    assert torch.equal(turned.order, batch.order)
    assert baselines([turned]).figures["rows"]["rpp_page_exact"] == baselines([batch]).figures["rows"]["rpp_page_exact"] == 1.0


def test_stretched_pages_keep_their_layout_consistent(batch: Batch) -> None:
    torch.manual_seed(0)
    stretched = varied(batch, 0.0, 0.3).layout
    x, y, w, h, cx, cy, area, aspect, direction, lead = stretched.unbind(1)
    before = batch.layout
    for now, wanted in ((cx, x + w / 2), (cy, y + h / 2), (area, w * h), (lead, torch.where(direction > 0, x, 1 - x - w))):
        assert torch.allclose(now, wanted, atol=1e-5)
    grown_w, grown_h = w / before[:, 2], h / before[:, 3]
    assert torch.allclose(aspect - before[:, 7], grown_w.log() - grown_h.log(), atol=1e-4)
    for grown in (grown_w, grown_h):
        assert 0.69 < float(grown.min()) < 0.95 < 1.05 < float(grown.max()) < 1.32
        for page in range(batch.n_pages):  # one stretch a page, panels only shaken by a hundredth
            own = grown[batch.page_index == page]
            assert float(own.max() / own.min()) < 1.05


def test_wrong_settings_are_named() -> None:
    with pytest.raises(UsageError, match=r"objective\.mpm\.weigth"):
        objective(mpm={"weigth": 1})
    with pytest.raises(UsageError, match="neither denoise nor context_recon"):
        objective(mpm={"weight": 0.1})
    with pytest.raises(UsageError, match="wanted 0 or more"):
        objective(pop={"weight": -1})
