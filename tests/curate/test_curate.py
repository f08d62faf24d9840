"""Duplicates and page types, the training list that follows them, and subset lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from comix.cli import main
from comix.core.pagetypes import FROM_COMICINFO, named_page_type, to_comicinfo
from comix.curate.candidates import as_hashes, candidate_groups, close_pairs
from comix.curate.kinds import PageFacts, page_type_of
from comix.io.analysis import Analysis, PanelReading, ReaderInfo, TextItem, analysis_path, write_analysis
from comix.io.coco import read_predictions

Comix = Callable[..., Any]


def table_of(workspace: Path) -> pd.DataFrame:
    return pd.read_parquet(workspace / "curation.parquet").set_index("page_id")


def write_readings(workspace: Path) -> None:
    """An analysis for every page: a word in each panel."""
    for page_id, found in read_predictions(workspace / "detections" / "ensemble" / "predictions.json").items():
        panels = [
            PanelReading(panel_number=number, box=panel.box.xywh, dialogue=[TextItem(text="Well!")])
            for number, panel in enumerate(found.panels(), start=1)
        ]
        analysis = Analysis(page_id=page_id, reader=ReaderInfo(name="ocr"), panel_source="given", panels=panels)
        write_analysis(analysis_path(workspace / "analysis" / "ocr", page_id), analysis)


@pytest.fixture(scope="module")
def altered(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of real pages, their altered copies in another book, two blank pages and a changed page."""
    root = tmp_path_factory.mktemp("altered")
    first, second = root / "library" / "issue", root / "library" / "collected"
    first.mkdir(parents=True)
    second.mkdir()
    pages = sorted((library / "Baffling Mysteries").rglob("*.jpg"))
    for number, path in enumerate(pages):
        shutil.copy(path, first / f"{number}.jpg")
        page = Image.open(path).convert("RGB")
        wide, high = page.size
        crop = page.crop((wide // 50, high // 50, wide - wide // 50, high - high // 50))
        altered = [page.resize((wide * 7 // 10, high * 7 // 10)), crop, page.convert("L")]
        altered[number % 3].save(second / f"{number}.jpg", quality=50)
    relettered = Image.open(pages[0]).convert("RGB")
    relettered.paste((250, 250, 250), (wide // 4, high // 3, wide * 3 // 4, high // 2))
    relettered.save(second / "8.jpg")
    for number in range(2):
        noise = np.random.default_rng(number).integers(240, 246, (900, 600), dtype=np.uint8)
        Image.fromarray(noise).save(first / f"9{number}.png")
    (root / "library" / "third").mkdir()
    shutil.copy(first / "0.jpg", root / "library" / "third" / "0.jpg")
    words = [f"library={root / 'library'}", f"workspace={root / 'ws'}"]
    for stage in (["extract", *words], ["detect", words[1]], ["order", words[1]]):
        assert main(stage) == 0
    write_readings(root / "ws")
    for stage in (["align", words[1]], ["curate", words[1]]):
        assert main(stage) == 0
    return root / "ws"


def test_duplicates_train_once_and_stay_in_the_table(altered: Path) -> None:
    table = table_of(altered)
    copy = table.loc["third/0001"]
    assert (copy["dup_reason"], copy["dup_canonical_key"], copy["trains"]) == ("exact", "issue/0001", False)
    assert copy["dup_group_exact"] == table.loc["issue/0001", "dup_group_exact"] != ""
    csv = pd.read_csv(altered / "alignment" / "alignment.csv", keep_default_na=False)
    assert len(csv) == len(table)
    assert {"dup_group_exact", "dup_group_phash", "page_type", "quality_score"} <= set(csv.columns)
    trained = (altered / "lists" / "training.txt").read_text(encoding="utf-8").splitlines()
    listed = {line.partition("dataspec/")[2].removesuffix(".json") for line in trained}
    assert listed == set(csv.loc[csv["is_candidate"], "page_id"]) & set(table[table["trains"]].index)
    assert "third/0001" not in listed and "issue/0002" in listed


def test_near_duplicates_follow_the_largest_image_and_other_pages_stay_alone(altered: Path) -> None:
    table = table_of(altered)
    n = sum(page.startswith("issue/") for page in table.index) - 2
    for number in range(1, n + 1):
        copy = table.loc[f"collected/{number:04d}"]
        assert copy["dup_canonical_key"] == f"issue/{number:04d}"
        assert copy["dup_reason"] == "near"
        assert copy["dup_group_phash"] == table.loc[f"issue/{number:04d}", "dup_group_phash"] != ""
    relettered = table.loc[f"collected/{n + 1:04d}"]
    assert relettered["is_canonical"] and relettered["dup_group_phash"] == ""
    blank = table.loc[[f"issue/{n + 1:04d}", f"issue/{n + 2:04d}"]]
    assert blank["is_canonical"].all() and (blank["dup_group_phash"] == "").all()


def test_a_second_run_does_nothing_and_changes_nothing(altered: Path, comix: Comix) -> None:
    before = (altered / "curation.parquet").read_bytes()
    ran = comix("curate", f"workspace={altered}")
    assert ran.code == 0
    assert ran.out.count("0 to do") == 2
    assert (altered / "curation.parquet").read_bytes() == before


def test_exact_only_and_a_lost_image_is_a_failure_that_mends_itself(altered: Path, tmp_path: Path, comix: Comix) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(altered, workspace)
    assert comix("curate", f"workspace={workspace}", "near=false").code == 0
    assert set(table_of(workspace).query("not is_canonical").index) == {"third/0001"}
    lost = workspace / "pages" / "collected" / "0001.jpg"
    data = lost.read_bytes()
    lost.unlink()
    assert comix("curate", f"workspace={workspace}").code == 1
    assert "image_missing" in comix("failures", "stage=curate", f"workspace={workspace}").out
    assert table_of(workspace).loc["collected/0001", "is_canonical"]
    lost.write_bytes(data)
    assert comix("curate", f"workspace={workspace}").code == 0
    assert not table_of(workspace).loc["collected/0001", "is_canonical"]


def test_page_types(finished: Path) -> None:
    table = pd.read_parquet(finished / "curation.parquet")
    assert table["page_type_conf"].between(0, 1).all()
    assert set(table["page_type_source"]) <= {"metadata", "reader", "rule"}
    trained = (finished / "lists" / "training.txt").read_text(encoding="utf-8").splitlines()
    assert len(trained) <= table["trains"].sum()
    assert set(table.loc[table["trains"], "page_type"]) <= {"interior", "splash"}


def test_what_the_reader_says_of_the_page_counts(altered: Path, tmp_path: Path, comix: Comix) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(altered, workspace)
    was = table_of(workspace).loc["issue/0002"]
    assert (was["page_type"], was["page_type_source"]) == ("interior", "rule")
    path = workspace / "analysis" / "ocr" / "issue" / "0002.json"
    analysis = json.loads(path.read_text(encoding="utf-8"))
    for said, sure in (("comic page", True), ("Advertisement", False)):
        analysis["page"]["page_type"] = said
        path.write_text(json.dumps(analysis), encoding="utf-8")
        assert comix("curate", f"workspace={workspace}").code == 0
        now = table_of(workspace).loc["issue/0002"]
        assert (now["page_type"] == "interior" and now["page_type_source"] == "reader") == sure
        assert now["trains"] == sure
    path.write_text("{", encoding="utf-8")
    ran = comix("curate", f"workspace={workspace}")
    assert ran.code == 1 and "1 failed" in ran.out
    assert "issue/0002" not in table_of(workspace).index


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (PageFacts(9, 32, 7, 0.15, 0.7, 90, "HELLO"), "interior"),
        (PageFacts(1, 32, 1, 0.95, 0.95, 12, "BAFFLING MYSTERIES JULY 10c"), "cover"),
        (PageFacts(32, 32, 0, 0, 0, 4, "SEE YOU"), "back_cover"),
        (PageFacts(9, 32, 1, 0.9, 0.9, 5, "BOOM"), "splash"),
        (
            PageFacts(2, 32, 1, 0.9, 0.9, 500, "TRY IT BEFORE YOU BUY IT! MAIL THIS COUPON, MONEY BACK GUARANTEED"),
            "ad_third_party",
        ),
        (PageFacts(31, 32, 0, 0, 0, 60, "Licensed CC BY. Thanks to all patrons on patreon"), "credits"),
        (PageFacts(20, 32, 0, 0, 0, 600, "Dear Editor, ... Sincerely yours. Dear Sirs, ..."), "letters"),
        (PageFacts(20, 32, 0, 0, 0, 0, ""), "blank"),
        (PageFacts(20, 32, 5, 0.3, 0.8, 80, "the statue of the city staff features"), "interior"),
        (PageFacts(9, 32, None), "unknown"),
        (PageFacts(9, 32, 1, 0.5, 0.5, 70, ""), "interior"),
    ],
)
def test_page_type_rule(facts: PageFacts, kind: str) -> None:
    assert page_type_of(facts)[0] == kind


def test_comicinfo_types_map_both_ways() -> None:
    assert {to_comicinfo(ours) for ours in FROM_COMICINFO.values()} == set(FROM_COMICINFO)
    assert named_page_type("BackCover") == "back_cover"
    assert named_page_type("some prose of a model") == ""


@pytest.mark.parametrize("radius", [0, 6, 12])
def test_close_hashes_are_those_of_brute_force(radius: int) -> None:
    random = np.random.default_rng(radius)
    hashes = random.integers(0, 2**64, 9000, dtype=np.uint64)  # more than one block of the index
    hashes[-800:] = hashes[:800] ^ (np.uint64(1) << random.integers(0, 64, 800, dtype=np.uint64))
    hashes[-400:] ^= np.uint64(0xFF) << random.integers(0, 56, 400, dtype=np.uint64)
    wanted = {
        (a, a + 1 + b)
        for a in range(len(hashes))
        for b in np.flatnonzero(np.bitwise_count(hashes[a + 1 :] ^ hashes[a]) <= radius)
    }
    assert {(a, b) for a, b in close_pairs(hashes, radius).tolist()} == wanted
    groups = candidate_groups(hashes, radius)
    linked = {at for pair in wanted for at in pair}
    assert {int(at) for group in groups for at in group} == linked
    of = {int(at): number for number, group in enumerate(groups) for at in group}
    assert all(of[a] == of[b] for a, b in wanted)


def test_hashes_without_structure_find_nothing() -> None:
    _, tells = as_hashes(["0000000000000000", "8000000000000000", "ffffffffffffffff", "", "f0f0f0f00f0f0f0f"])
    assert tells.tolist() == [False, False, False, False, True]
    with pytest.raises(ValueError, match="16 hex digits"):
        as_hashes(["abc"])


def test_subset_lists(workspace_copy: Path, comix: Comix) -> None:
    place = f"workspace={workspace_copy}"
    condition = "quality_score >= 1 and page_type in ['interior', 'splash'] and is_canonical and series is not None"
    ran = comix("curate", place, f"subset={condition}", "subset_name=good")
    assert ran.code == 0, ran.err
    table = pd.read_csv(workspace_copy / "alignment" / "alignment.csv", keep_default_na=False)
    kept = table[(table["quality_score"] >= 1) & table["page_type"].isin(["interior", "splash"]) & table["is_canonical"]]
    images = (workspace_copy / "alignment" / "alignment_good.txt").read_text(encoding="utf-8").splitlines()
    assert images == kept["image_path"].tolist() != []
    specs = (workspace_copy / "lists" / "good.txt").read_text(encoding="utf-8").splitlines()
    found = [(workspace_copy / "lists" / line).resolve() for line in specs]
    assert found == [(workspace_copy / path).resolve() for path in kept["dataspec_path"] if path]
    assert all(path.is_file() for path in found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["subset=qualty_score >= 3", "subset_name=a"], "did you mean 'quality_score'"),
        (["subset=quality_score >= 'x'", "subset_name=a"], "compares a text with a number"),
        (["subset=__import__('os').system('true')", "subset_name=a"], "not allowed"),
        (["subset=page_id.str.len() > 3", "subset_name=a"], "not allowed"),
        (["subset=quality_score ** 99999999 > 1", "subset_name=a"], "not allowed"),
        (["subset=page_type", "subset_name=a"], "holds text"),
        (["subset=3 > 2", "subset_name=a"], "names no column"),
        (["subset=quality_score >", "subset_name=a"], "not a condition"),
        (["subset=quality_score > 99", "subset_name=a"], "none of"),
        (["subset=quality_score > 1"], "has no name"),
        (["subset=quality_score > 1", "subset_name=../a"], "plain name"),
        (["subset=quality_score > 1", "subset_name=training"], "of its own"),
        (["subset_name=a"], "names no condition"),
        (["page_types=interior,adverts"], "wanted some of"),
        (["phash_radius=40"], "0 to 16"),
    ],
)
def test_a_wrong_subset_is_one_line_and_writes_nothing(
    finished: Path, tmp_path: Path, comix: Comix, words: list[str], said: str
) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(finished, workspace)
    lists = sorted(path.name for path in workspace.rglob("*.txt"))
    ran = comix("curate", f"workspace={workspace}", *words)
    assert ran.code == 2
    assert said in ran.err and ran.err.count("\n") == 1
    assert sorted(path.name for path in workspace.rglob("*.txt")) == lists


def test_page_types_choose_what_trains(workspace_copy: Path, comix: Comix) -> None:
    place = f"workspace={workspace_copy}"
    assert comix("curate", place, "page_types=title_page").code == 0
    assert set(table_of(workspace_copy).query("trains")["page_type"]) <= {"title_page"}
    kept = (workspace_copy / "lists" / "training.txt").read_text(encoding="utf-8")
    assert comix("align", place).code == 0
    assert (workspace_copy / "lists" / "training.txt").read_text(encoding="utf-8") == kept


@pytest.mark.parametrize("name", ["curation.parquet", "alignment/alignment.parquet", "pages.parquet"])
def test_damaged_tables_are_said_before_anything_is_written(finished: Path, tmp_path: Path, comix: Comix, name: str) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(finished, workspace)
    (workspace / name).write_bytes(b"PAR1 cut off")
    csv = (workspace / "alignment" / "alignment.csv").read_bytes()
    ran = comix("curate", f"workspace={workspace}")
    if name == "curation.parquet":  # what this stage writes itself it mends
        assert ran.code == 0 and len(table_of(workspace))
    else:
        assert ran.code == 2 and name in ran.err and "run: comix" in ran.err
    assert (workspace / "alignment" / "alignment.csv").read_bytes() == csv


def test_before_align_page_types_come_without_words(finished: Path, tmp_path: Path, comix: Comix) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(finished, workspace)
    shutil.rmtree(workspace / "alignment")
    assert "comix align" in comix("curate", f"workspace={workspace}", "subset=page_num == 1", "subset_name=a").err
    ran = comix("curate", f"workspace={workspace}")
    assert ran.code == 0 and "run comix align" in ran.out
    assert comix("align", f"workspace={workspace}").code in (0, 1)
    assert comix("curate", f"workspace={workspace}").code == 0
    assert table_of(workspace).equals(table_of(finished))
