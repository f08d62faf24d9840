"""``comix detect``: replayed boxes, thresholds, drawn pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pycocotools.coco import COCO

from comix.io.coco import read_predictions


def test_predictions_are_coco(finished: Path) -> None:
    coco = COCO(str(finished / "detections" / "ensemble" / "predictions.json"))
    assert len(coco.imgs) == 6
    for annotation in coco.anns.values():
        image = coco.imgs[annotation["image_id"]]
        x, y, w, h = annotation["bbox"]
        assert 0 <= x < x + w <= image["width"]
        assert 0 <= y < y + h <= image["height"]
        assert annotation["area"] > 0


def test_replay_matches_by_page_id_or_image_path_and_never_guesses(
    workspace_copy: Path, comix: Callable[..., object], tmp_path: Path
) -> None:
    document = json.loads((workspace_copy / "detections/ensemble/predictions.json").read_text(encoding="utf-8"))
    images = document["images"]
    kept = images[:5]
    del kept[0]["page_id"]  # this one goes by its path in the workspace
    kept[1]["width"], kept[1]["height"] = kept[1]["width"] * 2, kept[1]["height"] * 2  # made at another size
    kept.append({"id": 99, "file_name": "elsewhere/0001.jpg", "width": 10, "height": 10})
    boxes = [one for one in document["annotations"] if one["image_id"] in {image["id"] for image in kept}]
    (tmp_path / "theirs.json").write_text(json.dumps(document | {"images": kept, "annotations": boxes}), encoding="utf-8")
    ran = comix("detect", "detector=replay", f"detector.path={tmp_path / 'theirs.json'}", f"workspace={workspace_copy}")
    assert ran.code == 1
    assert "6 pages = 5 done + 1 failed" in ran.out
    assert "1 images of the replayed file match no page, first: 'elsewhere/0001'" in ran.out
    ours = read_predictions(workspace_copy / "detections/ensemble/predictions.json")
    replayed = read_predictions(workspace_copy / "detections/replay/predictions.json")
    whole, half = images[2]["page_id"], kept[1]["page_id"]
    assert [one.box for one in replayed[whole].detections] == [one.box for one in ours[whole].detections]
    assert [round(one.box.w * 2) for one in replayed[half].detections] == [round(one.box.w) for one in ours[half].detections]


def test_drawn_pages_and_threshold(workspace_copy: Path, comix: Callable[..., object]) -> None:
    comix("detect", f"workspace={workspace_copy}", "save_vis=2", "conf_threshold=0.97")
    assert len(list((workspace_copy / "detections/ensemble/vis").rglob("*.jpg"))) >= 2
    found = read_predictions(workspace_copy / "detections/ensemble/predictions.json")
    assert len(found) == 6
    assert all(one.score >= 0.97 for page in found.values() for one in page.detections)
