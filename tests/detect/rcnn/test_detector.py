"""The learned detector: a tiny one overfitted by ``comix train``, the one that ships, and torchvision's weights."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from drawn_panels import PANELS, drawn

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.core.geometry import Box
from comix.detect.rcnn.detector import FasterRcnnDetector
from comix.metrics.detection import count_page

TINY = (
    "task=panel_detector", "batch_size=2", "epochs=1", "task.steps=90", "task.data.canvas_area=24576",
    "task.shape.channels=32", "task.shape.hidden=64", "task.optimisation.lr=0.003", "task.optimisation.n_frozen=8",
    "task.optimisation.warmup=5", "task.optimisation.average=0.9", "task.data.vary.zoom=[1.0,1.0]",
    *(f"task.data.vary.{key}=0" for key in ("stretch", "light", "grey", "invert", "jpeg", "blur", "noise", "mirror")),
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two drawn pages, and the stem of weights that ``comix train`` overfitted to them."""
    from comix.cli import main

    root = tmp_path_factory.mktemp("overfitted")
    images, annotations = [], []
    for number, boxes in enumerate(PANELS):
        cv2.imwrite(str(root / f"{number}.png"), drawn(boxes, seed=number))
        images.append({"id": number, "file_name": f"{number}.png", "width": 200, "height": 300})
        annotations += [
            {"id": 10 * number + k, "image_id": number, "category_id": 1, "bbox": b.xywh} for k, b in enumerate(boxes)
        ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "panel"}]}
    (root / "boxes.json").write_text(json.dumps(content))
    (root / "w").mkdir()
    source = f"task.data.train=[{{coco: '{root}/boxes.json', images: '{root}'}}]"
    assert main(["train", f"workspace={root}/w", source, *TINY]) == 0
    return next((root / "w" / "runs" / "train").glob("*/panels.yaml")).with_suffix("")


def test_two_drawn_pages_are_learned_and_kept(trained):
    detector = FasterRcnnDetector(weights=str(trained), min_score=0.5)
    for number, boxes in enumerate(PANELS):
        found = detector.detect(drawn(boxes, seed=number))
        assert count_page([one.box for one in found], boxes, 0.8).exact
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0.5 <= score < 1 for score in scores)


def test_pages_together_give_the_same_as_one_by_one(trained):
    detector = FasterRcnnDetector(weights=str(trained), min_score=0.1)
    pages = [drawn(PANELS[0]), drawn(PANELS[1], width=500, height=200), drawn(PANELS[1], seed=1), drawn(PANELS[0], 400, 600)]
    together, single = detector.detect_many(pages), [detector.detect(page) for page in pages]
    for one, other in zip(together, single, strict=True):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert a.box.xywh == pytest.approx(b.box.xywh, abs=0.05)
            assert a.score == pytest.approx(b.score, abs=1e-3)


def test_constant_score_is_only_written_when_asked_for(trained):
    plain, constant = FasterRcnnDetector(str(trained)), FasterRcnnDetector(str(trained), constant_score=True)
    page = drawn(PANELS[0])
    assert {one.score for one in constant.detect(page)} == {1.0}
    assert [one.box for one in constant.detect(page)] == [one.box for one in plain.detect(page)]
    assert constant.version != plain.version


def test_a_card_and_weights_that_do_not_belong_together_are_refused(trained, tmp_path):
    stem = tmp_path / "panels"
    stem.with_suffix(".yaml").write_bytes(trained.with_suffix(".yaml").read_bytes())
    with pytest.raises(MissingInputError, match="no such file"):
        FasterRcnnDetector(str(stem)).detect(drawn(PANELS[0]))
    stem.with_suffix(".safetensors").write_bytes(trained.with_suffix(".safetensors").read_bytes() + b" ")
    with pytest.raises(FileFormatError, match="do not belong together"):
        FasterRcnnDetector(str(stem)).detect(drawn(PANELS[0]))
    stem.with_suffix(".yaml").write_text("format: 99\n")
    with pytest.raises(FileFormatError, match="install a newer one"):
        FasterRcnnDetector(str(stem))
    with pytest.raises(MissingInputError, match="comix train"):
        FasterRcnnDetector(str(tmp_path / "absent"))


def test_the_shipped_network_finds_a_drawn_page_lying_or_standing():
    detector = FasterRcnnDetector()
    assert detector.name == "faster_rcnn"
    for width, height in ((800, 1200), (1200, 800)):
        boxes = [
            Box(30 + column * (width - 40) / 2, 30 + row * (height - 40) / 2, (width - 80) / 2, (height - 80) / 2)
            for row in range(2)
            for column in range(2)
        ]
        found = detector.detect(drawn(boxes, width, height))
        assert count_page([one.box for one in found], boxes, 0.75).exact
    assert detector.detect(np.full((600, 400, 3), 255, np.uint8)) == []


def test_a_foreign_checkpoint_needs_its_hash_and_weights_only(tmp_path):
    import torch
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    path = tmp_path / "theirs.pth"
    torch.save({"model_state_dict": {"roi_heads.box_predictor.cls_score.weight": torch.zeros(5, 4)}}, path)
    with pytest.raises(UsageError, match=r"detector\.sha256="):
        FasterRcnnDetector(str(path))
    with pytest.raises(UsageError, match="is not that of"):
        FasterRcnnDetector(str(path), sha256="0" * 64)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(FileFormatError, match="fasterrcnn_resnet50_fpn"):
        FasterRcnnDetector(str(path), sha256=sha256).detect(drawn(PANELS[0]))

    torch.manual_seed(0)
    network = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5)
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, std=0.5)
    torch.save({"model": network.state_dict()}, path)
    detector = FasterRcnnDetector(str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), min_score=0.0)
    found = detector.detect(drawn(PANELS[0]))
    assert {one.category for one in found} <= {"panel", "character", "text", "face"}
    assert all(one.box.clipped(200, 300) == one.box for one in found)
