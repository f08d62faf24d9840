"""What leaves a workspace, and that it comes back the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comix.schema.data import FORMATS_WRITTEN
from tests.interop.conftest import BOOKS, HEIGHT, WIDTH

N_PAGES = sum(BOOKS.values())
EXACT = ("coco", "comix_xml", "imagefolder", "parquet", "webdataset")


def specs(workspace: Path) -> dict[str, Any]:
    """Page id -> what its DataSpec says of panels and texts."""
    found = {}
    for path in sorted((workspace / "dataspec").rglob("*.json")):
        spec = json.loads(path.read_text(encoding="utf-8"))
        texts = [{key: one[key] for key in ("kind", "text", "speaker", "bbox")} for one in spec["unassigned_text"]]
        panels = [
            {key: panel[key] for key in ("panel_coords", "polygon", "order", "text", "texts", "characters", "description")}
            for panel in spec["panels"]
        ]
        found[spec["page_id"]] = {"panels": panels, "outside": texts, "direction": spec["reading_direction"]}
    return found


def regions(workspace: Path, name: str) -> dict[str, Any]:
    """Page id -> its regions with category, order and polygon, as the detections file has them."""
    document = json.loads((workspace / "detections" / name / "predictions.json").read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in document["categories"]}
    found: dict[str, Any] = {image["page_id"]: [] for image in document["images"]}
    ids = {image["id"]: image["page_id"] for image in document["images"]}
    for one in document["annotations"]:
        found[ids[one["image_id"]]].append((names[one["category_id"]], one["bbox"], one.get("order"), one["segmentation"]))
    return found


def rounded(value: Any) -> Any:
    """Boxes to whole pixels, edges as the formats with whole pixels round them."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list) and len(value) == 4 and all(isinstance(one, int | float) for one in value):
        x, y, w, h = value
        return [round(x), round(y), round(x + w) - round(x), round(y + h) - round(y)]
    return [rounded(one) for one in value] if isinstance(value, list) else value


def moved(comix: Callable[..., Any], source: Path, fresh: Path, name: str, output: Path) -> Any:
    """Export from one workspace, ingest into the other and align there."""
    ran = comix("export", f"format={name}", "detections=theirs", f"output={output}", f"workspace={source}")
    assert ran.code == 0, ran.err
    given = output / "coco.json" if name == "coco" else output
    ran = comix("ingest", f"format={name}", f"input={given}", f"workspace={fresh}")
    assert (ran.code, f"{N_PAGES} pages = {N_PAGES} done" in ran.out) == (0, True), ran.out + ran.err
    assert comix("align", f"detections={name}", f"reader={name}", f"workspace={fresh}", "workers=0").code == 0
    assert not (fresh / "detections" / name / "unmatched.csv").exists()
    return ran


@pytest.mark.parametrize("name", EXACT)
def test_a_round_trip_gives_the_same_workspace(
    name: str, comix: Callable[..., Any], annotated: Path, fresh: Path, tmp_path: Path
) -> None:
    moved(comix, annotated, fresh, name, tmp_path / "out, 1")
    assert specs(fresh) == specs(annotated)
    assert regions(fresh, name) == regions(annotated, "theirs")
    assert len(specs(fresh)) == N_PAGES
    assert any(panel["polygon"] for spec in specs(fresh).values() for panel in spec["panels"])


def test_a_guided_view_keeps_panels_and_texts(comix: Callable[..., Any], annotated: Path, fresh: Path, tmp_path: Path) -> None:
    moved(comix, annotated, fresh, "json_sidecar", tmp_path / "out")
    assert specs(fresh) == specs(annotated)
    panels = {page: [one for one in found if one[0] == "panel"] for page, found in regions(annotated, "theirs").items()}
    in_order = {page: sorted(found, key=lambda one: one[2]) for page, found in panels.items()}
    assert regions(fresh, "json_sidecar") == in_order


def test_manga109_keeps_everything_but_fractions_polygons_and_tags_it_lacks(
    comix: Callable[..., Any], annotated: Path, fresh: Path, tmp_path: Path
) -> None:
    moved(comix, annotated, fresh, "manga109", tmp_path / "out")
    kept = {"panel", "character", "face", "text"}
    wanted = {
        page: [(one[0], rounded(one[1]), one[2]) for one in found if one[0] in kept]
        for page, found in regions(annotated, "theirs").items()
    }
    assert {page: [one[:3] for one in found] for page, found in regions(fresh, "manga109").items()} == wanted
    ours, theirs = specs(fresh), rounded(specs(annotated))
    for page, spec in theirs.items():
        assert [panel["text"] for panel in ours[page]["panels"]] == [panel["text"] for panel in spec["panels"]]
        assert [panel["panel_coords"] for panel in ours[page]["panels"]] == [panel["panel_coords"] for panel in spec["panels"]]
        assert [one["text"] for one in ours[page]["outside"]] == [one["text"] for one in spec["outside"]]
    ids = []
    for path in (tmp_path / "out").rglob("*.xml"):
        ids += [part.split('"')[0] for part in path.read_text(encoding="utf-8").split(' id="')[1:]]
    assert len(ids) == len(set(ids)) > 40
    assert all(len(one) == 8 and int(one, 16) >= 0 for one in ids)


def test_acbf_keeps_frames_order_polygons_and_texts(
    comix: Callable[..., Any], annotated: Path, fresh: Path, tmp_path: Path
) -> None:
    moved(comix, annotated, fresh, "acbf", tmp_path / "out")
    ours, theirs = specs(fresh), rounded(specs(annotated))
    for page, spec in theirs.items():
        assert [panel["panel_coords"] for panel in ours[page]["panels"]] == [panel["panel_coords"] for panel in spec["panels"]]
        assert [panel["polygon"] for panel in ours[page]["panels"]] == [panel["polygon"] for panel in spec["panels"]]
        assert [panel["text"] for panel in ours[page]["panels"]] == [panel["text"] for panel in spec["panels"]]
        assert [one["text"] for one in ours[page]["outside"]] == [one["text"] for one in spec["outside"]]


@pytest.mark.parametrize("name", FORMATS_WRITTEN)
def test_a_second_export_has_nothing_to_do_and_no_pixels_leave_unasked(
    name: str, comix: Callable[..., Any], source: Path, tmp_path: Path
) -> None:
    words = ["export", f"format={name}", "detections=theirs", f"output={tmp_path / 'out'}", f"workspace={source}"]
    assert comix(*words).code == 0
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    images = [path.read_bytes() for path in (source / "pages").rglob("*.png")]
    assert len(images) == N_PAGES
    assert not any(image[:64] in data for image in images for _, data in before.values())
    ran = comix(*words)
    assert "0 to do" in ran.out
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert before == after
    victim = next(path for path in sorted(before) if not path.name.startswith("."))
    victim.unlink()
    assert comix(*words).code == 0
    assert victim.read_bytes() == before[victim][1]


@pytest.mark.parametrize("name", ["coco", "imagefolder", "acbf"])
def test_images_go_along_byte_for_byte(name: str, comix: Callable[..., Any], annotated: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = comix(
        "export", f"format={name}", "detections=theirs", "include_images=true", f"output={out}", f"workspace={annotated}"
    )
    assert ran.code == 0
    copies = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in (out / "images").rglob("*.png"))
    assert copies == sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in (annotated / "pages").rglob("*.png"))
    named = {"coco": "coco.json", "imagefolder": "metadata.jsonl", "acbf": "plain.acbf"}[name]
    assert "images/plain/0001.png" in (out / named).read_text(encoding="utf-8")


def test_shards_hold_their_images_and_stale_ones_go(comix: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    import tarfile

    import pyarrow.parquet as pq

    for name, n_first in (("parquet", 3), ("webdataset", 3)):
        out = tmp_path / name
        words = [f"format={name}", "detections=theirs", "include_images=true", f"output={out}", f"workspace={source}"]
        assert comix("export", *words, "pages_per_shard=2").code == 0
        files = sorted(path for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))
        assert len(files) == n_first
        pages = sorted(path.read_bytes() for path in (source / "pages").rglob("*.png"))
        if name == "parquet":
            rows = [row for path in files for row in pq.read_table(path).to_pylist()]
            assert sorted(row["image"]["bytes"] for row in rows) == pages
            assert json.loads(pq.read_schema(files[0]).metadata[b"huggingface"])["info"]["features"]["image"] == {
                "_type": "Image"
            }
        else:
            members = []
            for path in files:
                with tarfile.open(path) as archive:
                    stored = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
                members += [data for key, data in stored.items() if key.endswith(".png")]
                assert [key.rpartition(".")[0] for key in list(stored)[::2]] == [
                    key.rpartition(".")[0] for key in list(stored)[1::2]
                ]
            assert sorted(members) == pages
        assert comix("export", *words, "pages_per_shard=100").code == 0
        assert len([path for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")]) == 1


def test_what_would_be_overwritten_is_refused(comix: Callable[..., Any], annotated: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "coco.json").write_text("mine")
    cases = {
        f"output={mine}": "no export wrote it", f"output={annotated}": "is the workspace",
        f"output={annotated.parent}": "holds it",
        f"output={mine / 'coco.json'}": "is a file", "detections=nobody": "no detections by nobody",
    }  # fmt: skip
    for word, wanted in cases.items():
        ran = comix("export", "format=coco", "detections=theirs", word, f"workspace={annotated}")
        assert (ran.code, wanted in ran.err) == (2, True), ran.err
    assert (mine / "coco.json").read_text() == "mine"
    out = tmp_path / "out"
    assert comix("export", "format=coco", "detections=theirs", f"output={out}", f"workspace={annotated}").code == 0
    ran = comix("export", "format=acbf", "detections=theirs", f"output={out}", f"workspace={annotated}")
    assert (ran.code, "holds an export in format=coco" in ran.err) == (2, True)


def test_the_training_map_renumbers_and_says_what_it_left_out(
    comix: Callable[..., Any], annotated: Path, tmp_path: Path
) -> None:
    from pycocotools.coco import COCO

    out = tmp_path / "out"
    ran = comix("export", "format=coco", "id_map=training", "detections=theirs", f"output={out}", f"workspace={annotated}")
    assert "10 regions or texts that coco has no place for were left out" in ran.out
    coco = COCO(str(out / "coco.json"))
    assert {one["name"]: one["id"] for one in coco.loadCats(coco.getCatIds())} == {
        "panel": 1, "character": 2, "text": 3, "face": 4,
    }  # fmt: skip
    assert len(coco.getAnnIds(catIds=[3])) == 5
    assert {(one["width"], one["height"]) for one in coco.loadImgs(coco.getImgIds())} == {(WIDTH, HEIGHT)}


def test_a_broken_dataspec_fails_its_book_and_the_file_has_the_others(
    comix: Callable[..., Any], source: Path, tmp_path: Path
) -> None:
    next((source / "dataspec" / "漫画").rglob("0001.json")).write_text("{broken", encoding="utf-8")
    ran = comix("export", "format=coco", "detections=theirs", f"output={tmp_path / 'out'}", f"workspace={source}")
    assert (ran.code, "3 books = 2 done + 1 failed" in ran.out) == (1, True), ran.out
    document = json.loads((tmp_path / "out" / "coco.json").read_text(encoding="utf-8"))
    assert {image["page_id"].rpartition("/")[0] for image in document["images"]} == set(BOOKS) - {"漫画/一巻"}


def test_words_made_for_other_boxes_stay_behind(comix: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    for path in (source / "dataspec").rglob("*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace('"detector": "theirs"', '"detector": "other"')
                        .replace('"detector":"theirs"', '"detector":"other"'), encoding="utf-8")  # fmt: skip
    ran = comix("export", "format=comix_xml", "detections=theirs", f"output={tmp_path / 'out'}", f"workspace={source}")
    assert f"texts of {N_PAGES} pages were left out" in ran.out
    assert "BOOM" not in "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*.xml"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_shares(comix: Callable[..., Any], *words: str) -> Any:
    """Two shares, then the run that puts them together; what that says."""
    for share in ("shard=1/2", "shard=2/2"):
        assert comix(*words, share).code == 0
    return comix(*words)


def test_shares_give_what_one_run_gives(source: Path, fresh: Path, tmp_path: Path, comix: Callable[..., Any]) -> None:
    for name in ("coco", "comix_xml"):
        words = ("export", f"format={name}", "detections=theirs", f"workspace={source}")
        assert comix(*words, f"output={tmp_path / name}").code == 0
        assert "0 to do" in in_shares(comix, *words, f"output={tmp_path / name}-shared").out
        assert contents(tmp_path / name) == contents(tmp_path / f"{name}-shared")
    words = ("ingest", "format=comix_xml", f"input={tmp_path / 'comix_xml'}", f"workspace={fresh}")
    assert "0 to do" in in_shares(comix, *words).out
    assert regions(fresh, "comix_xml") == regions(source, "theirs")
    words = ("curate", "detections=comix_xml", f"workspace={fresh}")
    assert comix(*words, "shard=1/2", "subset=rcnn_panels > 0").code == 2
    assert in_shares(comix, *words).code == 0
    table = (fresh / "curation.parquet").read_bytes()
    (fresh / "curation.parquet").unlink()
    (fresh / "journal" / "curate.sqlite").unlink()
    assert comix(*words).code == 0
    assert (fresh / "curation.parquet").read_bytes() == table
