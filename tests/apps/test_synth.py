"""``comix synth``: a series of pages and its COCO file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from pycocotools.coco import COCO

from comix.data.lists import load_pages
from comix.io.coco import read_predictions
from comix.io.dataspec import read_dataspec


def make(comix: Callable[..., object], workspace: Path, *more: str) -> object:
    return comix("synth", f"workspace={workspace}", "long_side=300", "n_pages=12", "seed=5", *more)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_series_is_the_same_with_any_workers_and_resumes(comix: Callable[..., object], workspace_copy: Path) -> None:
    ran = make(comix, workspace_copy, "name=a", "workers=0", "save_vis=1")
    assert ran.code == 0 and "12 pages = 12 done + 0 failed" in ran.out
    first = workspace_copy / "synth" / "a"
    assert len(list((first / "vis").iterdir())) == 1
    made = bytes_of(first / "images")
    for number in (2, 7):
        (first / "images" / f"{number:06d}.jpg").unlink()
    again = make(comix, workspace_copy, "name=a", "workers=0", "save_vis=1")
    assert "(2 worked on now" in again.out and bytes_of(first / "images") == made
    make(comix, workspace_copy, "name=b", "workers=2", "limit=5")
    make(comix, workspace_copy, "name=b", "workers=2")
    assert bytes_of(workspace_copy / "synth" / "b" / "images") == made
    documents = [json.loads((workspace_copy / "synth" / name / "predictions.json").read_text()) for name in "ab"]
    assert documents[0] == documents[1]


def test_the_file_is_coco_with_order_and_provenance(comix: Callable[..., object], workspace_copy: Path) -> None:
    make(comix, workspace_copy, "workers=0")
    path = workspace_copy / "synth" / "pages" / "predictions.json"
    coco = COCO(str(path))
    pages = read_predictions(path)
    known = set(read_predictions(workspace_copy / "detections" / "ensemble" / "predictions.json"))
    assert len(coco.imgs) == 12 == len(pages)
    for image_id, image in coco.imgs.items():
        assert (path.parent / image["file_name"]).is_file()
        assert {"family", "strength", "seed", "index", "reading_direction"} <= set(image)
        panels = [one for one in coco.imgToAnns[image_id] if one["category_id"] == 1]
        assert [one["order"] for one in panels] == list(range(len(panels)))
        assert [one.box.xywh for one in pages[image["page_id"]].panels()] == [one["bbox"] for one in panels]
        assert {one["source_page_id"] for one in panels} <= known


def test_mistakes_are_one_line(comix: Callable[..., object], workspace_copy: Path, tmp_path: Path) -> None:
    cases = {
        f"art={tmp_path / 'none.json'}": "go together",
        f"split={tmp_path / 'none.yaml'}": "none.yaml",
        "detections=nobody": "nobody",
        "factory.version=2": "version is 2",
        "n_pages=0": "n_pages",
    }
    for word, wanted in cases.items():
        ran = comix("synth", f"workspace={workspace_copy}", "workers=0", word)
        assert ran.code == 2 and wanted in ran.err and len(ran.err.strip().splitlines()) == 1, (word, ran)
    (tmp_path / "split.yaml").write_text("tune: [no such book]\n")
    ran = comix("synth", f"workspace={workspace_copy}", "workers=0", f"split={tmp_path / 'split.yaml'}")
    assert ran.code == 2 and "no such book" in ran.err


def test_composed_pages_bring_the_words_of_their_panels(comix: Callable[..., object], workspace_copy: Path) -> None:
    words = (
        "name=told",
        "workers=0",
        "in_sequence=true",
        "dataspec=true",
        "factory.families.cover=0",
        "factory.families.text=0",
    )
    ran = make(comix, workspace_copy, *words)
    assert ran.code == 0 and "12 DataSpecs with words" in ran.out, ran
    folder = workspace_copy / "synth" / "told"
    pages, rejected = load_pages([folder / "lists" / "all.txt"], workspace_copy)
    assert len(pages) == 12 and not rejected
    composed = read_predictions(folder / "predictions.json")
    said = {}
    for path in (workspace_copy / "dataspec").rglob("*.json"):
        spec = read_dataspec(path)
        said |= {(spec.page_id, panel.order): panel.text.all() for panel in spec.panels}
    notes = {one["id"]: one for one in json.loads((folder / "predictions.json").read_text())["images"]}
    whole = shown = 0
    for one in json.loads((folder / "predictions.json").read_text())["annotations"]:
        if one["category_id"] == 1:
            number = notes[one["image_id"]]["index"]
            page = next(page for page in pages if page.page_id.endswith(f"/told-{number:06d}"))
            wanted = said[one["source_page_id"], one["source_panel"]]
            found = page.texts[one["order"]].split("\n") if page.texts[one["order"]] else []
            assert set(found) <= {line for text in wanted for line in text.split("\n")}
            whole += found != [] and set(found) == {line for text in wanted for line in text.split("\n")}
            shown += bool(found)
            assert page.book_id == one["source_page_id"].rpartition("/")[0]
    assert shown > 5 and whole > shown / 2
    assert all(not page.order_is_weak for page in pages) and len(composed) == 12
    lists = {path.stem for path in (folder / "lists").iterdir()}
    assert any(name.startswith("strength_") for name in lists) and any(name.startswith("family_") for name in lists)
    for word, wanted in (("in_sequence=false", "in_sequence=true"), ("factory.families.grid=many", "wanted a number")):
        refused = make(comix, workspace_copy, *words, word)
        assert refused.code == 2 and wanted in refused.err, refused
    (next((workspace_copy / "dataspec").rglob("*.json"))).rename(workspace_copy / "gone.json")
    lacking = make(comix, workspace_copy, *words)
    assert lacking.code == 2 and "no DataSpec of" in lacking.err, lacking


def test_a_run_that_starts_in_the_same_second_has_a_folder_of_its_own(
    comix: Callable[..., object], workspace_copy: Path
) -> None:
    taken = workspace_copy / "runs" / "synth"
    start = datetime.now()
    for second in range(30):
        (taken / f"{start + timedelta(seconds=second):%Y-%m-%d_%H-%M-%S}").mkdir(parents=True)
    assert make(comix, workspace_copy, "workers=0").code == 0
    (own,) = [one for one in taken.iterdir() if any(one.iterdir())]
    assert own.name.endswith("_2") and (own / ".hydra" / "config.yaml").is_file()
