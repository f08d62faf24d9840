"""Closure-Lite: what it sees, what it must not see, and what it does when something is missing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.models.batch import Batch
from comix.models.closure_lite import closure_lite_mini, closure_lite_simple, restore
from comix.models.decode import decode_order
from comix.models.pooling import AttentionPooling


def random_batch(counts: tuple[int, ...] = (3, 1, 5), seed: int = 0) -> Batch:
    g = torch.Generator().manual_seed(seed)
    n = sum(counts)
    x, y, w, h = (torch.rand(n, generator=g) * 0.5 for _ in range(4))
    one = torch.ones(n)
    layout = torch.stack([x, y, w + 0.1, h + 0.1, x + w / 2, y + h / 2, w * h, w - h, one, x], dim=1)
    yes = torch.ones(n, dtype=torch.bool)
    return Batch(
        page_ids=tuple(f"b/{i}" for i in range(len(counts))),
        books=torch.arange(len(counts)) % 2,
        page_index=torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)),
        n_panels=torch.tensor(counts),
        layout=layout,
        order=torch.cat([torch.randperm(count, generator=g) for count in counts]),
        rule=torch.full((n,), -1),
        has_image=yes,
        has_text=yes.clone(),
        has_layout=yes.clone(),
        image=torch.rand(n, 1280, generator=g),
        text=torch.nn.functional.normalize(torch.randn(n, 384, generator=g), dim=1),
    )


def test_shapes_and_sums() -> None:
    batch, model = random_batch(), closure_lite_mini(heads=("pop", "denoise", "context")).eval()
    encoded = model.encode(batch)
    assert encoded.panels.shape == encoded.content.shape == encoded.image.shape == encoded.text.shape == (9, 384)
    assert encoded.page.shape == (3, 384)
    assert torch.allclose(encoded.gate.sum(1), torch.ones(9))
    assert torch.allclose(torch.zeros(3).index_add(0, batch.page_index, encoded.attention), torch.ones(3), atol=1e-5)
    logits = model.next_panel_logits(encoded, batch)
    assert logits.shape == (3, 5, 6)
    finite = torch.isfinite(logits)
    assert finite[0, 0].tolist() == [False, True, True, False, False, True]  # not itself, not padding, but the end
    assert finite[1, 0].tolist() == [False] * 5 + [True]


def test_page_embedding_and_next_panel_do_not_depend_on_the_row_order() -> None:
    batch, model = random_batch((5,)), closure_lite_mini().eval()
    turn = torch.tensor([3, 0, 4, 2, 1])
    names = ("layout", "order", "has_image", "has_text", "has_layout", "image", "text")
    turned = replace(batch, **{name: getattr(batch, name)[turn] for name in names})
    one, other = model.encode(batch), model.encode(turned)
    assert torch.allclose(one.page, other.page, atol=1e-5)
    logits, turned_logits = model.next_panel_logits(one, batch)[0], model.next_panel_logits(other, turned)[0]
    columns = torch.cat([turn, torch.tensor([5])])
    assert torch.allclose(logits[turn][:, columns], turned_logits, atol=1e-4)


def test_the_page_without_a_panel_knows_nothing_of_it() -> None:
    batch, model = random_batch((4, 2)), closure_lite_mini().eval()
    with torch.no_grad():  # away from the mean that pooling starts as
        model.pooling.score.weight.normal_()
    content = model.encode(batch).content.detach().requires_grad_()
    without = model.pages_without_each(content, batch)
    without[1].square().sum().backward()
    assert content.grad is not None
    reached = content.grad.abs().sum(1) > 0
    assert reached.tolist() == [True, False, True, True, False, False]


def test_pooling_without_each_equals_pooling_of_the_rest() -> None:
    torch.manual_seed(0)
    pooling, panels = AttentionPooling(16, 4), torch.randn(1, 4, 16)
    without = pooling.without_each(panels, torch.ones(1, 4, dtype=torch.bool))
    rest, _ = pooling(panels[:, [0, 1, 3]], torch.ones(1, 3, dtype=torch.bool))
    assert torch.allclose(without[0, 2], rest[0], atol=1e-6)
    alone = pooling.without_each(panels[:, :1], torch.ones(1, 1, dtype=torch.bool))
    assert torch.equal(alone, torch.zeros(1, 1, 16))


def test_missing_modalities_get_no_weight_and_their_values_do_not_matter() -> None:
    batch, model = random_batch(), closure_lite_mini().eval()
    silent = batch.has_text.clone()
    silent[0] = False
    batch = replace(batch, has_text=silent)
    encoded = model.encode(batch)
    assert encoded.gate[0, 1] == 0
    assert batch.text is not None
    noise = batch.text.clone()
    noise[0] = 99.0
    assert torch.equal(model.encode(replace(batch, text=noise)).panels, encoded.panels)


def test_text_only_and_image_only_queries_are_encoded() -> None:
    batch, model = random_batch((1,)), closure_lite_mini().eval()
    no = torch.zeros(1, dtype=torch.bool)
    text_only = model.encode(replace(batch, has_image=no, has_layout=no))
    assert text_only.gate.tolist() == [[0.0, 1.0, 0.0]]
    nothing = model.encode(replace(batch, has_image=no, has_layout=no, has_text=no))
    assert torch.isfinite(nothing.page).all()
    assert torch.equal(nothing.panels, torch.zeros(1, 384))


def test_content_does_not_see_the_place() -> None:
    batch, model = random_batch(), closure_lite_mini().eval()
    moved = replace(batch, layout=torch.rand_like(batch.layout))
    assert torch.equal(model.encode(batch).content, model.encode(moved).content)
    assert not torch.allclose(model.encode(batch).panels, model.encode(moved).panels)


def test_sixty_panels() -> None:
    batch, model = random_batch((60, 1)), closure_lite_mini(heads=("pop",)).eval()
    encoded = model.encode(batch)
    logits = model.next_panel_logits(encoded, batch)
    order = decode_order(logits[0].detach().numpy(), 60)
    assert sorted(order) == list(range(60))


def test_only_the_wanted_heads_exist() -> None:
    names = {name.split(".")[0] for name in closure_lite_mini(heads=("denoise",)).state_dict()}
    assert "denoise" in names
    assert not names & {"pop", "context"}


def test_restore_and_its_errors() -> None:
    model = closure_lite_mini(num_heads=2, heads=("pop",))
    assert restore(model.settings).state_dict().keys() == model.state_dict().keys()
    with pytest.raises(FileFormatError, match="unknown here; known: closure_lite_mini"):
        restore({"name": "resnet"})
    with pytest.raises(FileFormatError, match="another model"):
        restore({"name": "closure_lite_mini", "depth": 3})


def test_absent_pretrained_weights_say_how_to_give_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingInputError, match=r"model\.text=FOLDER"):
        closure_lite_simple(vision="test_vit", vision_weights="none", text="nobody/nothing-here")
    with pytest.raises(MissingInputError, match=r"model\.vision_weights"):
        closure_lite_simple(vision="test_vit", vision_weights="/nowhere.safetensors")
    with pytest.raises(UsageError, match="timm has no such model"):
        closure_lite_simple(vision="no_such_vit", vision_weights="none")


def test_simple_encodes_pixels_and_tokens_and_freezes() -> None:
    config = {"model_type": "roberta", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
              "intermediate_size": 32}  # fmt: skip
    model = closure_lite_simple(vision="test_vit", vision_weights="none", text_config=config, trainable_blocks=1).eval()
    side = model.image.image_size
    batch = replace(
        random_batch((2,)), image=None, text=None, pixels=torch.rand(2, 3, side, side),
        tokens=torch.randint(3, 50, (2, 7)), tokens_mask=torch.ones(2, 7, dtype=torch.int64),
    )  # fmt: skip
    assert model.encode(batch).page.shape == (1, 384)
    free = [name for name, one in model.text.backbone.named_parameters() if one.requires_grad]
    assert free
    assert all("layer.1." in name for name in free)
    again = restore(model.settings)
    again.load_state_dict(model.state_dict())


def test_the_page_is_made_of_what_the_objectives_train() -> None:
    batch, model = random_batch(), closure_lite_mini(heads=("pop",)).eval()
    encoded, moved = model.encode(batch), model.encode(replace(batch, layout=torch.rand_like(batch.layout)))
    assert torch.equal(encoded.page, moved.page)  # as "panel on page" sees it: by content
    everything = torch.ones(len(batch.page_index), dtype=torch.bool)
    assert torch.allclose(model.pages_of(encoded.content, batch, everything), encoded.page)
    again = model.fused(batch, encoded.image, encoded.text)
    assert torch.equal(again.panels, encoded.panels)


def test_efficientnet_equals_timms_and_does_not_start_it() -> None:
    code = "import sys; from comix.models.frozen import image_encoder; import numpy as np; " \
        "image_encoder().encode([np.zeros((9, 9, 3), np.uint8)]); print('timm' in sys.modules)"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    import timm

    from comix.models.efficientnet import EfficientNetLite0

    theirs, ours = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval(), EfficientNetLite0().eval()
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: value + 0.1 * torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in theirs.state_dict().items()
    }
    theirs.load_state_dict(weights)
    ours.take(weights)
    theirs.reset_classifier(0)
    pixels = torch.rand(1, 3, 75, 64, generator=generator)
    with torch.inference_mode():
        assert torch.equal(ours(pixels), theirs(pixels))


def test_decoding_uses_every_panel_once_and_finds_the_best_path() -> None:
    random = np.random.default_rng(0)
    truth = random.permutation(7)
    logits = random.normal(size=(9, 10)).astype(np.float32)
    for one, other in zip(truth, [*truth[1:], 9], strict=True):
        logits[one, other] += 6
    assert decode_order(logits, 7) == tuple(truth)
    assert decode_order(logits, 1) == (0,)
    assert decode_order(logits, 0) == ()


def test_texts_say_the_same_whatever_stands_beside_them() -> None:
    from comix.models.encoders import PretrainedText

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 50}
    torch.manual_seed(0)
    encoder = PretrainedText("", 8, {"model_type": "roberta", **sizes}).eval()
    lengths = [3, 90, 1, 40, 17, 5, 90]
    mask = (torch.arange(90)[None, :] < torch.tensor(lengths)[:, None]).long()
    tokens = torch.where(mask.bool(), torch.randint(3, 50, mask.shape), 1)
    with torch.no_grad():
        together = encoder(tokens, mask)
        alone = torch.cat([encoder(tokens[row : row + 1], mask[row : row + 1]) for row in range(len(lengths))])
        states = encoder.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state[:, 0]
        padded = encoder.out(encoder.project(states))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together, padded, atol=1e-5, rtol=1e-4)


def test_pixels_are_normalised_as_the_weights_expect() -> None:
    from comix.models.encoders import PretrainedVision

    torch.manual_seed(0)
    encoder = PretrainedVision("test_vit", 8, "none").eval()
    encoder.expect((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    pixels = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    shown = (pixels / 255 - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.5, 0.6, 0.7])[:, None, None]
    with torch.no_grad():
        expected = encoder.out(encoder.project(encoder.backbone(shown)))
        torch.testing.assert_close(encoder(pixels), expected)
    assert not {"shift", "scale"} & encoder.state_dict().keys()
