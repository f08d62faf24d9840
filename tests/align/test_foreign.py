"""Foreign COCO files and JSONs through the command line: exact joins, what is left out, and the options around them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from comix.io.dataspec import DataSpec, find_dataspec

BOXES = [[20, 20, 180, 180], [220, 20, 180, 180], [20, 220, 380, 180]]
PAGES = [f"{book}/{number:03d}" for book in ("Book A", "Book B, #2") for number in (1, 2, 3)]


def earlier(token: str, n_panels: int = 3, **own: str) -> dict[str, object]:
    """A JSON as the earlier prompt gives it; each balloon opens with the page's token."""
    panels = [
        {
            "panel_number": number + 1, "caption": "a caption of the model's own", "description": "A street.",
            "speakers": [{"character": "Ann", "dialogue": f"{token} says {number}", "speech_type": "dialogue"}],
            "key_elements": ["lamp"], "actions": ["walks"],
        }
        for number in range(n_panels)
    ]  # fmt: skip
    return {"overall_summary": "They talk.", "panels": panels, "summary": {"plot": "p", "dialogue": []}, **own}


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Two books with equal file names, boxes in no order, a JSON per page at the page's own path."""
    for name in PAGES:
        target = tmp_path / "pages" / f"{name}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), np.full((440, 420, 3), 255, np.uint8))
        write(tmp_path / "vlm" / f"{name}.json", earlier(token(name)))
    images = [{"id": f"i{at}", "file_name": f"{name}.jpg", "width": 420, "height": 440} for at, name in enumerate(PAGES)]
    annotations = [
        {"id": 10 * at + number, "image_id": f"i{at}", "category_id": 5, "bbox": box, "score": 0.9}
        for at in range(len(PAGES))
        for number, box in enumerate(reversed(BOXES))
    ]
    annotations += [{"id": 99, "image_id": "i0", "category_id": 4, "bbox": [30, 30, 20, 20], "score": 0.8}]
    categories = [{"id": 5, "name": "Frame"}, {"id": 4, "name": "face"}, {"id": 9, "name": "lamp"}]
    write(tmp_path / "coco.json", {"images": images, "annotations": annotations, "categories": categories})
    return tmp_path


def token(name: str) -> str:
    return name.replace("/", "_").replace(" ", "")


def words(root: Path, *more: str) -> list[str]:
    given = [
        f"coco={root / 'coco.json'}",
        f"vlm_dir={root / 'vlm'}",
        f"image_roots=[{root / 'pages'}]",
        f"workspace={root / 'ws'}",
    ]
    return ["align", *given, *more]


def table(root: Path) -> pd.DataFrame:
    return pd.read_parquet(root / "ws/alignment/alignment.parquet").set_index("page_id")


def unmatched(root: Path) -> dict[str, str]:
    with (root / "ws/alignment/unmatched.csv").open(encoding="utf-8", newline="") as stream:
        return {row["item"]: row["reason"] for row in csv.DictReader(stream)}


def texts(root: Path, page: str) -> list[list[str]]:
    spec = json.loads((root / f"ws/dataspec/{page.replace('#', '#')}.json").read_text(encoding="utf-8"))
    return [panel["text"]["dialogue"] for panel in spec["panels"]]


def test_pages_are_the_images_and_boxes_are_put_in_order(foreign: Path, comix: Callable[..., object]) -> None:
    ran = comix(*words(foreign))
    assert ran.code == 0
    assert "6 pages = 6 done" in ran.out
    rows = table(foreign)
    assert list(rows.index) == PAGES
    assert (rows["quality_score"] == 4).all()
    assert rows["is_perfect_match"].all()
    assert rows["image_exists"].all()
    for name in PAGES:
        assert texts(foreign, name) == [[f"{token(name)} says {number}"] for number in range(3)]
    spec = json.loads((foreign / "ws/dataspec/Book A/001.json").read_text())
    assert [panel["panel_coords"] for panel in spec["panels"]] == BOXES
    assert spec["order_source"] == "rule"
    assert spec["objects"] == [{"category": "face", "bbox": [30.0, 30.0, 20.0, 20.0], "score": 0.8, "panel": None}]
    assert "caption of the model" in spec["panels"][0]["description"]
    listed = (foreign / "ws/lists/dataspec_perfect_list.txt").read_text().splitlines()
    assert all((foreign / "ws/lists" / line).is_file() for line in listed)
    assert len(listed) == 6


def test_nothing_is_guessed(foreign: Path, comix: Callable[..., object]) -> None:
    vlm = foreign / "vlm"
    (vlm / "Book A/001.json").rename(vlm / "Book A/page 001.json")  # same number, another name
    (vlm / "Book A/002.json").unlink()  # neighbours are there
    (vlm / "Book B, #2/001.json").write_bytes((vlm / "Book A/003.json").read_bytes())  # another book's, no identity
    write(vlm / "Book B, #2/002.json", earlier("x", source_image_path="Book A/002.jpg"))  # says where it belongs
    write(vlm / "Book B, #2/003.json", earlier("y", source_image_path="E:\\elsewhere\\001.jpg"))
    comix(*words(foreign))
    rows = table(foreign)
    assert unmatched(foreign) == {
        "Book A/page 001.json": "path_fits_no_page", "Book A/003.json": "same_content_elsewhere",
        "Book B, #2/001.json": "same_content_elsewhere", "Book B, #2/003.json": "names_no_page",
    }  # fmt: skip
    assert rows["has_vlm_data"].to_dict() == {name: name == "Book A/002" for name in PAGES}
    assert texts(foreign, "Book A/002")[0] == ["x says 0"]


def test_two_jsons_for_one_page_are_both_left_out(foreign: Path, comix: Callable[..., object]) -> None:
    write(foreign / "vlm/again.json", earlier("z", page_id="Book A/001"))
    comix(*words(foreign))
    assert unmatched(foreign) == dict.fromkeys(("Book A/001.json", "again.json"), "several_jsons_for_page")
    assert not table(foreign).loc["Book A/001", "has_vlm_data"]


@pytest.mark.parametrize("shape", ["json", "image", "objects", "list", "pairs", "many"])
def test_a_map_in_every_known_shape(foreign: Path, comix: Callable[..., object], shape: str) -> None:
    moved = {name: f"{at}.json" for at, name in enumerate(PAGES)}
    for name, target in moved.items():
        (foreign / "vlm" / f"{name}.json").rename(foreign / "vlm" / target)
    pairs = [(f"E:\\vlm\\{target}", f"/mnt/d/pages/{name}.jpg") for name, target in moved.items()]
    document = {
        "json": dict(pairs), "image": {image: path for path, image in pairs},
        "objects": {str(at): {"json_path": path, "image_path": image} for at, (path, image) in enumerate(pairs)},
        "list": [{"json_path": path, "image_path": image} for path, image in pairs], "pairs": [list(pair) for pair in pairs],
        "many": {image: [path] for path, image in pairs},
    }[shape]  # fmt: skip
    roots = f'root_map={{"E:\\vlm": "{foreign / "vlm"}", "D:\\pages": "{foreign / "pages"}"}}'
    ran = comix(*words(foreign, f"vlm_map={write(foreign / 'map.json', document)}", roots))
    assert ran.code == 0
    assert unmatched(foreign) == {}
    for name in PAGES:
        assert texts(foreign, name)[1] == [f"{token(name)} says 1"]


def test_a_map_that_is_wrong_is_said(foreign: Path, comix: Callable[..., object]) -> None:
    write(foreign / "vlm/Book A/002.json", earlier("t", page_id="Book A/002"))
    document = {"Book A/001.json": "no/such.jpg", "gone.json": "Book A/001.jpg", "Book A/002.json": "Book A/003.jpg"}
    comix(*words(foreign, f"vlm_map={write(foreign / 'map.json', document)}"))
    assert unmatched(foreign) == {
        "Book A/001.json": "map_names_no_page", "Book A/002.json": "map_and_json_disagree", "gone.json": "no_such_json",
    }  # fmt: skip
    write(foreign / "map.json", {"a": 1})
    assert "not a map" not in comix(*words(foreign, f"vlm_map={foreign / 'map.json'}")).out
    ran = comix(*words(foreign, f"vlm_map={foreign / 'map.json'}"))
    assert ran.code == 2
    assert "entry 'a': 1" in ran.err


def test_map_builder_and_back(foreign: Path, comix: Callable[..., object]) -> None:
    write(foreign / "vlm/stray.json", earlier("s"))
    target = foreign / "out" / "json_to_image.json"
    ran = comix("map", f"vlm_dir={foreign / 'vlm'}", f"image_roots=[{foreign / 'pages'}]", f"output={target}")
    assert ran.code == 0
    assert "7 JSONs = 6 mapped + 1 unmatched" in ran.out
    assert json.loads(target.read_text()) == {f"{name}.json": f"{name}.jpg" for name in PAGES}
    assert "stray.json,path_fits_no_page" in (target.parent / "unmatched.csv").read_text()
    assert comix(*words(foreign, f"vlm_map={target}")).code == 0
    assert (table(foreign)["quality_score"] == 4).all()


def test_boxes_alone_hash_names_and_a_missing_image(foreign: Path, comix: Callable[..., object]) -> None:
    (foreign / "pages/Book A/001.jpg").unlink()
    given = [word for word in words(foreign, "naming=hash", "require_image_exists=true") if not word.startswith("vlm_dir")]
    ran = comix(*given)
    assert ran.code == 1
    assert "6 pages = 5 done + 1 failed" in ran.out
    rows = table(foreign)
    assert (rows["quality_score"] == 0).all()
    assert rows["panel_count_ratio"].isna().all()
    assert rows.loc["Book A/001", "rcnn_panels"] == 3
    paths = rows["dataspec_path"][rows["dataspec_path"] != ""]
    assert len(paths) == 5
    spec = json.loads((foreign / "ws" / paths["Book A/002"]).read_text())
    assert (spec["page_id"], spec["provenance"]["panel_source"], spec["panels"][0]["text"]["dialogue"]) == (
        "Book A/002",
        "none",
        [],
    )


@pytest.mark.parametrize(("emit", "pages"), [("perfect", 5), ("low", 1), ("subset", 5), ("none", 0), ("everything", 6)])
def test_emit_chooses_pages(foreign: Path, comix: Callable[..., object], emit: str, pages: int) -> None:
    write(foreign / "vlm/Book A/001.json", earlier("t", n_panels=9))
    comix(*words(foreign, f"emit={emit}"))
    assert len(list((foreign / "ws/dataspec").rglob("*.json"))) == pages
    assert (table(foreign)["dataspec_path"] != "").sum() == pages


def test_threshold_and_names_of_panels(foreign: Path, comix: Callable[..., object]) -> None:
    document = json.loads((foreign / "coco.json").read_text())
    document["categories"][0]["name"] = "Kasten"
    document["annotations"][0]["score"] = 0.2
    write(foreign / "coco.json", document)
    ran = comix(*words(foreign))
    assert ran.code == 2
    assert "no category is a panel (found: Kasten" in ran.err
    comix(*words(foreign, "panel_category_names=[Kasten]", "min_det_score=0.5"))
    rows = table(foreign)
    assert rows["rcnn_panels"].tolist() == [2, 3, 3, 3, 3, 3]
    spec = json.loads((foreign / "ws/dataspec/Book A/001.json").read_text())
    assert len(spec["panels"]) == 2


def test_both_id_maps_go_by_their_names(foreign: Path, comix: Callable[..., object]) -> None:
    found = {}
    for name, categories in {
        "benchmark": ["panel", "character", "balloon", "text"], "training": ["panel", "character", "text", "face"]
    }.items():  # fmt: skip
        document = json.loads((foreign / "coco.json").read_text())
        document["categories"] = [{"id": at, "name": one} for at, one in enumerate(categories, start=1)]
        document["annotations"] = [
            {"id": at, "image_id": "i0", "category_id": at, "bbox": [10, 10, 50, 50]} for at in (1, 2, 3, 4)
        ]
        write(foreign / "coco.json", document)
        comix(*words(foreign))
        spec = json.loads((foreign / "ws/dataspec/Book A/001.json").read_text())
        found[name] = [one["category"] for one in spec["objects"]]
    assert found == {"benchmark": ["character", "balloon", "text"], "training": ["character", "text", "face"]}


def test_a_list_cut_down_to_a_subset(foreign: Path, comix: Callable[..., object]) -> None:
    write(foreign / "vlm/Book A/001.json", earlier("t", n_panels=9))
    comix(*words(foreign))
    lists, out = foreign / "ws/lists", foreign / "elsewhere/perfect.txt"
    subset = foreign / "subset.txt"
    subset.write_text((foreign / "ws/alignment/alignment_perfect_matches.txt").read_text() + "no/such.jpg\n")
    given = [f"dataspec_list={lists / 'dataspec_all_list.txt'}", f"subset_list={subset}", f"out_list={out}"]
    ran = comix("align", *given)
    assert ran.code == 0
    assert "5 of 6 DataSpecs kept" in ran.out
    kept = [(out.parent / line).resolve() for line in out.read_text().splitlines()]
    assert {path.relative_to((foreign / "ws/dataspec").resolve()).as_posix() for path in kept} == {
        f"{name}.json" for name in PAGES[1:]
    }
    assert "no/such.jpg,fits_no_dataspec" in out.with_name("perfect.txt.unmatched.csv").read_text()


def test_foreign_keys_need_coco_and_damaged_files_are_one_line(foreign: Path, comix: Callable[..., object]) -> None:
    (foreign / "ws").mkdir()
    assert "goes with coco=FILE" in comix("align", f"vlm_dir={foreign / 'vlm'}", f"workspace={foreign / 'ws'}").err
    for text, message in {
        "[1]": "not a COCO file", '{"images": [], "annotations": [{"bbox": [1, 2]}]}': "annotations[0]", "{": "not valid JSON",
        '{"images": [{"id": 1, "file_name": "a.jpg", "width": 0, "height": 5}], "annotations": []}': "images[0]",
        '{"images": [], "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}]}': "names image_id 1",
        '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "bbox": [1, 2, -3, 4]}]}': "extent",
    }.items():  # fmt: skip
        (foreign / "coco.json").write_text(text)
        ran = comix(*words(foreign))
        assert (ran.code, message in ran.err, "Traceback" in ran.err) == (2, True, False), (text, ran.err)


def test_another_naming_leaves_no_files_of_the_first(foreign: Path, comix: Callable[..., object]) -> None:
    comix(*words(foreign))
    plain = sorted((foreign / "ws" / "dataspec").rglob("*.json"))
    ran = comix(*words(foreign, "naming=hash"))
    hashed = sorted((foreign / "ws" / "dataspec").rglob("*.json"))
    assert f"{len(plain)} DataSpecs of earlier runs removed" in ran.out  # type: ignore[attr-defined]
    assert len(hashed) == len(plain)
    assert all(len(path.stem) == 32 for path in hashed)
    ids = [json.loads(path.read_text(encoding="utf-8"))["page_id"] for path in hashed]
    assert [find_dataspec(foreign / "ws" / "dataspec", one) for one in ids] == hashed


def test_dataspecs_are_what_their_model_dumps(foreign: Path, comix: Callable[..., object]) -> None:
    comix(*words(foreign))
    written = sorted((foreign / "ws" / "dataspec").rglob("*.json"))
    assert len(written) == len(PAGES)
    for path in written:
        data = path.read_bytes()
        assert DataSpec.model_validate_json(data).model_dump_json().encode() + b"\n" == data
    assert sorted(path.name for path in (foreign / "ws" / "dataspec").iterdir()) == [".variant", "Book A", "Book B, #2"]
