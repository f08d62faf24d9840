"""Makes the tiny Grounding DINO that ``tests/detect/adapters`` loads: it knows the two drawn pages by heart.

    python benchmarks/tiny_grounding_dino.py tests/detect/adapters/tiny_grounding_dino

A Swin of three small stages, a BERT of one layer that knows two words, queries for nearly every place; about two minutes on one
processor, in half precision on disk. Prints the IoU of every panel after loading it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertTokenizerFast,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    SwinConfig,
)

from comix.detect.adapters.grounding import GroundingDinoDetector

TESTS = Path(__file__).resolve().parents[1] / "tests" / "detect"
sys.path += [str(TESTS), str(TESTS / "adapters")]
from drawn_panels import PAGES, PANELS, are_panels  # noqa: E402
from test_adapters import SIZE, shown, taught  # noqa: E402

WORDS = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 999: "comic", 1000: "panel", 1012: ".", 1029: "?"}
"""The ids that Grounding DINO's loss takes for granted."""
STEPS, RATE = 1800, 1.3e-3


def network() -> GroundingDinoForObjectDetection:
    """Grounding DINO, tiny, with random weights; without dropout."""
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    swin = SwinConfig(
        image_size=96, patch_size=4, embed_dim=16, depths=[1, 1, 1], num_heads=[2, 2, 2], window_size=4, drop_path_rate=0.0,
        out_features=["stage2", "stage3"], **still,
    )  # fmt: skip
    words = BertConfig(
        vocab_size=1030, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, **still,
    )  # fmt: skip
    return GroundingDinoForObjectDetection(
        GroundingDinoConfig(
            backbone_config=swin, text_config=words, d_model=64, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
            decoder_ffn_dim=64, encoder_attention_heads=4, decoder_attention_heads=4, num_queries=100, num_feature_levels=2,
            max_text_len=16, dropout=0.0, attention_dropout=0.0, fusion_dropout=0.0, fusion_droppath=0.0, auxiliary_loss=True,
        )
    )  # fmt: skip


def main(folder: Path) -> None:
    """Train, save, load again and look."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = network()
    tokenizer = BertTokenizerFast(vocab={WORDS.get(number, f"[unused{number}]"): number for number in range(1030)})
    processor = GroundingDinoProcessor(GroundingDinoImageProcessor(size=SIZE), tokenizer)
    inputs = processor(images=shown(), text=["comic panel."] * len(PAGES), return_tensors="pt")
    taught(model, dict(inputs), STEPS, RATE)
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    detector = GroundingDinoDetector(str(folder), {"comic panel": "panel"}, device="cpu")
    for number, found in enumerate(detector.detect_many(list(PAGES))):
        best = [max((one.box.iou(panel) for one in found), default=0.0) for panel in PANELS[number]]
        print(f"page {number}: {len(found)} boxes, {are_panels(found, number)}, IoU {[round(one, 2) for one in best]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
