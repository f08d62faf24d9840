"""Saved tables of trained models: what they are made of, means over seeds, verdicts, and data that is not there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from comix.bench.figures import as_table
from comix.bench.learning import LearningBench, flat, lay_out
from comix.bench.table import read_table
from comix.core.errors import FileFormatError, UsageError
from comix.paths import experiments_dir

TABLE: dict[str, Any] = {
    "claim": "c", "source": "s", "task": "learning", "library": {"Book": {"files": ["pages/*.txt"], "manga": True}},
    "prepare": [["extract", "library={library}"], ["synth", "split={here}/split.yaml"]],
    "train": ["epochs=1", "dataset.image_root={workspace}"],
    "seeds": [0, 1], "columns": {"easy.x": "X"}, "tolerance": 0.01,
    "rows": [
        {"name": "ours", "train": ["mpm_variant=base"], "expected": {"easy.x": 0.55}},
        {"name": "off", "train": ["mpm_variant=denoise"], "expected": {"easy.x": 0.9}},
        {"name": "broken", "train": ["lr=nan"]},
        {"name": "guess", "baseline": "chance", "expected": {"easy.x": 0.1}},
        {"name": "theirs", "quoted": {"easy.x": 0.3}, "source": "a paper"},
    ],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables" / "small").mkdir(parents=True)
    (tmp_path / "tables" / "small" / "table.yaml").write_text(yaml.safe_dump(TABLE))
    (tmp_path / "data" / "pages").mkdir(parents=True)
    (tmp_path / "data" / "pages" / "1.txt").write_text("a page")
    return tmp_path / "tables" / "small"


class Stages:
    """Stands where the command line would: writes what `comix train` leaves, and remembers what it was told."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.told: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> int:
        self.told.append(list(words))
        values = dict(word.split("=", 1) for word in words[1:])
        if words[0] != "train":
            return 0
        if values.get("lr") == "nan":
            return 2
        figures = {"x": 0.5 + 0.1 * int(values["seed"])}
        facts = {
            "format": 1, "name": values["name"], "variant": "v", "seed": 0, "final": {"loss": 1.0}, "validation": {},
            "baselines": {}, "n_pages": {}, "tests": {"easy": {"figures": figures, "baselines": {"chance": {"x": 0.1}}}},
        }  # fmt: skip
        file = self.workspace / "models" / values["name"] / "metrics.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(facts))
        return 0


def test_rows_are_means_over_seeds_with_a_verdict(folder: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    stages = Stages(workspace)
    bench = LearningBench(read_table(folder), folder, tmp_path / "data", workspace, stages, workers=2)
    results = {one.row.name: one for one in bench.run()}
    assert results["ours"].is_good and results["ours"].state == "within"
    assert results["ours"].row.figures["easy.x"] == pytest.approx(0.55)
    assert not results["off"].is_good and "outside: easy.x 0.5500, expected 0.9" in results["off"].state
    assert not results["broken"].is_good and "exit code 2" in results["broken"].state
    assert results["guess"].is_good and results["theirs"].state == "quoted: a paper"
    assert ".550 ± .071" in as_table([results["ours"].row], {"easy.x": "X"})
    assert stages.told[0] == ["extract", f"library={tmp_path / 'w-library'}", f"workspace={workspace}"]
    assert stages.told[1][1] == f"split={folder}/split.yaml" and f"dataset.image_root={workspace}" in stages.told[2]
    assert (tmp_path / "w-library" / "Book" / "1.txt").read_text() == "a page"
    assert "YesAndRightToLeft" in (tmp_path / "w-library" / "Book" / "ComicInfo.xml").read_text()


def test_absent_data_is_no_pass_and_a_failed_stage_stops(folder: Path, tmp_path: Path) -> None:
    table = read_table(folder)
    stages = Stages(tmp_path / "w")
    absent = list(LearningBench(table, folder, tmp_path / "none", tmp_path / "w", stages).run(["ours", "guess"]))
    assert [one.is_good for one in absent] == [False, False] and "data absent" in absent[0].state and not stages.told
    with pytest.raises(UsageError, match=r"comix extract .* exit code 1"):
        list(LearningBench(table, folder, tmp_path / "data", tmp_path / "w", lambda _words: 1).run())


def test_the_shipped_table_reads_and_a_wrong_row_is_named(folder: Path) -> None:
    shipped = read_table(experiments_dir() / "open_mpm")
    assert [row.name for row in shipped.rows if row.train] == [
        "base",
        "denoise",
        "context_recon",
        "denoise_context",
        "predecessor",
    ]
    assert len(shipped.seeds) == 3 and all(row.expected for row in shipped.rows if row.train)
    (folder / "table.yaml").write_text(
        yaml.safe_dump(TABLE | {"rows": [{"name": "both", "train": ["x"], "baseline": "chance"}]})
    )
    with pytest.raises(FileFormatError, match="both"):
        read_table(folder)


def test_files_laid_out_before_stay(tmp_path: Path, folder: Path) -> None:
    library = read_table(folder).library
    lay_out(library, tmp_path / "data", tmp_path / "l")
    (tmp_path / "l" / "Book" / "1.txt").write_text("mine")
    lay_out(library, tmp_path / "data", tmp_path / "l")
    assert (tmp_path / "l" / "Book" / "1.txt").read_text() == "mine"
    assert flat({"final": {}, "tests": {"a": {"figures": {}, "baselines": {"chance": {"x": 0.5}}}}}, "chance") == {"a.x": 0.5}
