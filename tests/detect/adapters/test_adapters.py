"""Detectors of others: tiny checkpoints that have learned two drawn pages by heart, saved and loaded again."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from drawn_panels import HEIGHT, PAGES, PANELS, WIDTH, are_panels, drawn, relative

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.core.page import Detection
from comix.detect.adapters.grounding import GroundingDinoDetector
from comix.detect.adapters.magi import MagiDetector
from comix.detect.adapters.transformer import TransformersDetector
from comix.detect.adapters.yolo import YoloDetector
from comix.io.coco import read_predictions

SIZE = {"height": 96, "width": 64}


def taught(model: Any, inputs: dict[str, Any], steps: int, peak: float) -> None:
    """Train a detector of transformers on the two pages, all panels of class 0."""
    import torch

    labels = [
        {"class_labels": torch.zeros(len(boxes), dtype=torch.long), "boxes": torch.tensor(relative(boxes))} for boxes in PANELS
    ]
    optimiser = torch.optim.AdamW(model.parameters(), peak, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=steps)
    model.train()
    for _ in range(steps):
        optimiser.zero_grad()
        model(**inputs, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def shown() -> list[Any]:
    return [page[:, :, ::-1].copy() for page in PAGES]


def same(one: Sequence[Detection], other: Sequence[Detection]) -> bool:
    return len(one) == len(other) and all(
        a.category == b.category and a.score == pytest.approx(b.score, abs=1e-3) and a.box.iou(b.box) > 0.99
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def rt_detr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor, RTDetrResNetConfig

    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    model = RTDetrForObjectDetection(
        RTDetrConfig(
            backbone_config=backbone, encoder_in_channels=[32, 48, 64], encoder_hidden_dim=64, encoder_ffn_dim=64,
            encoder_attention_heads=2, d_model=64, decoder_in_channels=[64, 64, 64], decoder_ffn_dim=64, decoder_layers=2,
            decoder_attention_heads=2, num_queries=12, num_denoising=0, hidden_expansion=0.5, freeze_backbone_batch_norms=False,
            id2label={0: "Frame", 1: "speech"}, label2id={"Frame": 0, "speech": 1},
        )
    )  # fmt: skip
    processor = RTDetrImageProcessor(size=SIZE)
    taught(model, {"pixel_values": processor(images=shown(), return_tensors="pt").pixel_values}, 320, 3e-3)
    folder = tmp_path_factory.mktemp("rt_detr")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_rt_detr_finds_what_it_has_learned(rt_detr: Path) -> None:
    detector = TransformersDetector(str(rt_detr), {"frame": "panel"}, device="cpu")
    found = detector.detect_many(PAGES)
    assert all(are_panels(boxes, number) for number, boxes in enumerate(found))
    assert all(0.5 <= one.score < 1 and one.category == "panel" for boxes in found for one in boxes)
    assert all(same(boxes, detector.detect(page)) for boxes, page in zip(found, PAGES, strict=True))
    large = drawn(PANELS[0], seed=0).repeat(2, axis=0).repeat(2, axis=1)
    assert [one.box.w for one in detector.detect(large)] == pytest.approx([2 * one.box.w for one in found[0]], abs=8)


def test_rt_detr_through_the_command(rt_detr: Path, comix: Callable[..., Any], workspace_copy: Path) -> None:
    ran = comix("detect", f"workspace={workspace_copy}", "detector=rt_detr", f"detector.path={rt_detr}", "limit=2")
    assert ran.code == 0, ran.err
    assert len(read_predictions(workspace_copy / "detections" / "rt_detr" / "predictions.json")) == 2


def test_labels_that_a_checkpoint_does_not_have_are_said(rt_detr: Path) -> None:
    with pytest.raises(FileFormatError, match=r"none of the labels panel; it has Frame, speech"):
        TransformersDetector(str(rt_detr), {"panel": "panel"}).detect(PAGES[0])
    with pytest.raises(UsageError, match=r"detector\.labels\.frame=box: no such category; there are panel"):
        TransformersDetector(str(rt_detr), {"frame": "box"})


def test_its_version_changes_with_its_weights(rt_detr: Path, tmp_path: Path) -> None:
    import shutil

    other = Path(shutil.copytree(rt_detr, tmp_path / "other"))
    first = TransformersDetector(str(rt_detr), {"frame": "panel"}).version
    assert TransformersDetector(str(other), {"frame": "panel"}).version == first
    (other / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes() + b"\0")
    assert TransformersDetector(str(other), {"frame": "panel"}).version != first


def test_a_checkpoint_that_is_not_there(tmp_path: Path, comix: Callable[..., Any], workspace_copy: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no config\.json"):
        TransformersDetector(str(tmp_path), {"frame": "panel"})
    ran = comix("detect", f"workspace={workspace_copy}", "detector=grounding_dino")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "HF_HUB_OFFLINE=0" in ran.err


def test_magi_runs_its_code_only_when_told(tmp_path: Path) -> None:
    """Its real checkpoints are not here: a folder with code of the same interface stands for them."""
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "stand_in", "auto_map": {"AutoConfig": "code.StandInConfig", "AutoModel": "code.StandIn"}})
    )
    (tmp_path / "code.py").write_text(
        "import torch\nfrom transformers import PretrainedConfig, PreTrainedModel\n\n"
        "class StandInConfig(PretrainedConfig):\n    model_type = 'stand_in'\n\n"
        "class StandIn(PreTrainedModel):\n    config_class = StandInConfig\n\n"
        "    def __init__(self, config):\n        super().__init__(config)\n        self.one = torch.nn.Linear(1, 1)\n"
        "        self.post_init()\n\n"
        "    def predict_detections_and_associations(self, images):\n"
        "        return [{'panels': [[0, 0, i.shape[1], i.shape[0] / 2]], 'texts': [[1, 2, 3, 4]], 'characters': []}"
        " for i in images]\n"
    )
    import torch
    from safetensors.torch import save_file

    weights = {"one.weight": torch.zeros(1, 1), "one.bias": torch.zeros(1)}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"academic research only.*run_its_code=true"):
        MagiDetector(str(tmp_path))
    found = MagiDetector(str(tmp_path), run_its_code=True, device="cpu").detect(PAGES[0])
    assert [(one.category, one.box.xywh, one.score) for one in found] == [
        ("panel", [0, 0, WIDTH, HEIGHT / 2], 1.0), ("text", [1, 2, 2, 2], 1.0)
    ]  # fmt: skip


def test_yolo_is_opened_by_its_sha256_only(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    with pytest.raises(UsageError, match=r"if you trust the file, give detector\.sha256=[0-9a-f]{64}"):
        YoloDetector(str(tmp_path / "w.pt"), {"panel": "panel"})


@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is not None, reason="it is installed")
def test_yolo_without_its_package_is_said(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "w.pt").write_bytes(b"weights")
    with pytest.raises(MissingInputError, match=r"ultralytics \(AGPL-3\.0\) is not installed: pip install"):
        YoloDetector(str(tmp_path / "w.pt"), {"panel": "panel"}, hashlib.sha256(b"weights").hexdigest())


TINY_GROUNDING_DINO = Path(__file__).parent / "tiny_grounding_dino"
"""Made by benchmarks/tiny_grounding_dino.py; half precision, as many checkpoints are."""


def test_grounding_dino_finds_what_it_has_learned() -> None:
    detector = GroundingDinoDetector(str(TINY_GROUNDING_DINO), {"comic panel": "panel"}, device="cpu")
    found = detector.detect_many(PAGES)
    assert all(are_panels(boxes, number) for number, boxes in enumerate(found))
    assert all(0.3 <= one.score < 1 and one.category == "panel" for boxes in found for one in boxes)
    assert all(same(boxes, detector.detect(page)) for boxes, page in zip(found, PAGES, strict=True))
    both = GroundingDinoDetector(str(TINY_GROUNDING_DINO), {"comic panel": "panel", "panel": "text"}, device="cpu")
    own = [[one for one in boxes if one.category == "panel"] for boxes in both.detect_many(PAGES)]
    assert all(same(boxes, others) for boxes, others in zip(own, found, strict=True))  # a prompt's scores are its own


def test_grounding_dino_wants_prompts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wanted at least one"):
        GroundingDinoDetector(str(tmp_path), {})
