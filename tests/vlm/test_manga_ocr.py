"""``vlm=manga_ocr`` with a small checkpoint that has learned two balloons by heart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from comix.core.errors import MissingInputError
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.vlm.balloons import balloons_of
from comix.vlm.lines import LineEngine
from comix.vlm.manga_ocr import BalloonReader, MangaOcrReader, crop_of

SAID = ("彗星はどこ", "山の後ろだ")
"""What the left and the right balloon are taught to say."""
PANELS = [Box(0, 0, 500, 400), Box(500, 0, 500, 400)]


@pytest.fixture(scope="module")
def image() -> Any:
    page = Image.new("RGB", (1000, 400), (200, 220, 235))
    draw = ImageDraw.Draw(page)
    for left, words in ((60, "WHERE IS\nTHE COMET?"), (560, "BEHIND THE\nMOUNTAIN")):
        draw.ellipse((left, 80, left + 340, 260), fill="white", outline="black", width=2)
        middle = (left + 170, 170)
        draw.multiline_text(middle, words, fill="black", font=ImageFont.load_default(size=30), anchor="mm", align="center")
    return np.ascontiguousarray(np.asarray(page)[:, :, ::-1])


@pytest.fixture(scope="module")
def checkpoint(image: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT that looks and a one-layer BERT that writes, trained on the two crops; saved as transformers does."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        BertConfig,
        PreTrainedTokenizerFast,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    folder = tmp_path_factory.mktemp("checkpoint")
    words = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", *sorted(set("".join(SAID)))]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    processor = ViTImageProcessor(size={"height": 32, "width": 64})
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(image_size=(32, 64), patch_size=16, **sizes), BertConfig(vocab_size=len(words), **sizes)
    )
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 1, 3
    model = VisionEncoderDecoderModel(config)
    model.generation_config.decoder_start_token_id, model.generation_config.pad_token_id = 2, 1
    model.generation_config.eos_token_id = 3
    balloons = sorted(balloons_of(image, LineEngine().lines(image)), key=lambda balloon: balloon.box.x)
    crops = [crop_of(image, balloon.box) for balloon in balloons]
    pixels = processor(images=crops, return_tensors="pt").pixel_values
    labels = torch.tensor([[words.index(character) for character in text] + [3] for text in SAID])
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    model.train()
    for _ in range(80):
        optimiser.zero_grad()
        loss = model(pixel_values=pixels, labels=labels).loss
        loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def test_balloons_are_read_in_one_piece_and_stay_in_their_panels(image: Any, checkpoint: Path) -> None:
    values: dict[str, Any] = {one.name: "" if one.type == "str" else 0 for one in fields(PageRecord)}
    page = PageRecord(**(values | {"page_id": "b/0001"}))
    found = MangaOcrReader(str(checkpoint), letters="all", device="cpu").read(image, PANELS, page)
    assert (found.reader.name, found.reader.model) == ("manga_ocr", checkpoint.name)
    texts = [[item.text for kind in ("dialogue", "narration") for item in getattr(panel, kind)] for panel in found.panels]
    assert texts == [[text] for text in SAID]
    latin = MangaOcrReader(str(checkpoint), device="cpu").read(image, PANELS, page)
    kept = " ".join(item.text for panel in latin.panels for item in (*panel.dialogue, *panel.narration))
    assert "COMET" in kept and "MOUNTAIN" in kept


def test_a_batch_reads_what_single_crops_read(image: Any, checkpoint: Path) -> None:
    balloons = balloons_of(image, LineEngine().lines(image))
    together, alone = (BalloonReader(str(checkpoint), size, "cpu").read_again(image, balloons, "all") for size in (8, 1))
    assert [one.text for one in together] == [one.text for one in alone]
    assert all(0.5 < one.confidence <= 1 for one in together)


def test_a_checkpoint_that_is_not_there(tmp_path: Path, comix: Callable[..., Any], workspace_copy: Path) -> None:
    with pytest.raises(MissingInputError, match="no checkpoint of a crop reader on this machine"):
        BalloonReader(str(tmp_path))
    ran = comix("analyze", f"workspace={workspace_copy}", "vlm=manga_ocr")
    assert (ran.code, "HF_HUB_OFFLINE=0" in ran.err) == (2, True), ran.err
