"""``comix train`` and ``comix compare`` on the six-page workspace; what the configs say fits the code."""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comix.compose import compose
from comix.core.files import read_json
from comix.paths import conf_dir
from comix.train.checkpoint import load_model

SMALL = ("epochs=2", "batch_size=2", "dataset.val_fraction=0.3")
GROUPS = ("dataset", "model", "objective", "trainer", "logger")


@pytest.fixture(scope="module")
def swept(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after a sweep over two variants."""
    from comix.cli import main

    workspace = tmp_path_factory.mktemp("swept") / "w, 1"
    shutil.copytree(finished, workspace)
    assert main(["train", "-m", "mpm_variant=base,denoise_context", f"workspace={workspace}", *SMALL]) == 0
    return workspace


def runs(workspace: Path) -> list[Path]:
    return sorted(file.parent for file in (workspace / "runs" / "train").rglob("metrics.json"))


def test_sweep_writes_metrics_checkpoints_and_features_once(swept: Path) -> None:
    found = runs(swept)
    assert [read_json(run / "metrics.json")["variant"] for run in found] == ["base", "denoise_context"]
    facts = read_json(found[1] / "metrics.json")
    assert facts["final"]["mpm"] > 0
    assert facts["weights"] == {"rpp": 0.5, "pop": 0.3, "mpm": 0.1}
    assert facts["n_pages"]["train"] + facts["n_pages"]["val"] <= 6
    assert {"chance", "centre", "rows", "cut", "untrained_cosine", "mean_of_others"} == set(facts["baselines"])
    assert read_json(found[0] / "metrics.json")["final"]["mpm"] == 0
    for name in ("closure_lite_mini-base", "closure_lite_mini-denoise_context"):
        loaded = load_model(swept / "models" / name)
        assert loaded.config["name"] == name
    assert len(list((swept / "cache" / "features").rglob("*.keys.npy"))) == 2  # pictures and texts, one shard each
    assert (found[0] / "history.csv").read_text().count("\n") == 3


def test_compare_prints_the_documents_table(swept: Path, comix: Callable[..., Any]) -> None:
    ran = comix("compare", f"workspace={swept}")
    assert ran.code == 0
    assert ran.out.split("\n")[0].split("  ")[0] == "Variant"
    assert "Denoise + Context" in ran.out
    assert "(chance)" in ran.out
    rows = list(csv.DictReader(io.StringIO(comix("compare", f"workspace={swept}", "format=csv").out)))
    assert list(rows[0])[:5] == ["Variant", "Final Loss", "MPM Loss", "POP Loss", "RPP Loss"]
    assert float(rows[0]["MPM Loss"]) == 0
    folder = runs(swept)[0]
    one = comix("compare", f"workspace={swept}", f"runs={folder}", "format=json")
    assert len(json.loads(one.out)["rows"]) == 1
    assert (folder / "compare.md").is_file()
    assert read_json(swept / "models" / "compare.json")["rows"]
    assert r"\toprule" in comix("compare", f"workspace={swept}", "format=latex").out


def test_the_same_command_again_takes_the_finished_run(swept: Path, comix: Callable[..., Any]) -> None:
    before = (swept / "models/closure_lite_mini-base/model.safetensors").read_bytes()
    ran = comix("train", "mpm_variant=base", f"workspace={swept}", *SMALL)
    assert ran.code == 0
    assert "trained already" in ran.out
    anew = comix("train", "mpm_variant=base", f"workspace={swept}", *SMALL, "resume=never")
    assert "trained already" not in anew.out
    assert (swept / "models/closure_lite_mini-base/model.safetensors").read_bytes() == before


def test_bad_lists_and_bad_settings_are_one_line(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(swept, workspace, ignore=shutil.ignore_patterns("runs", "models"))
    where = f"workspace={workspace}"
    (workspace / "empty.txt").write_text("")
    for words, said in [
        ((f"dataset.lists=[{tmp_path / 'nothing.txt'}]",), "no such list file"),
        ((f"dataset.lists=['{workspace / 'empty.txt'}']",), "no pages listed"),
        (("epochs=0",), "epochs=0"),
        (("mpm_variant=denoize",), "did you mean 'denoise'"),
        (("resume=/nowhere/last.ckpt",), "wanted last.ckpt"),
        (("trainer=ddp",), "torchrun"),
        (("-m", "trainer=ddp", "mpm_variant=base,denoise"), "does not go with -m"),
        (
            ("model=closure_lite_simple", "model.vision=test_vit", "model.vision_weights=none", "model.text=/no/roberta"),
            "text=FOLDER",
        ),
    ]:
        ran = comix("train", where, *SMALL, *words)
        assert ran.code == 2, words
        assert said in ran.err, (words, ran.err)
        assert "Traceback" not in ran.err


def test_damaged_pages_are_counted_and_listed(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(swept, workspace, ignore=shutil.ignore_patterns("runs", "models"))
    listed = (workspace / "lists/training.txt").read_text(encoding="utf-8").splitlines()
    (workspace / "lists/training.txt").write_text("\n".join([*listed, "../dataspec/missing.json"]), encoding="utf-8")
    spec = json.loads((workspace / "lists" / listed[0]).read_text(encoding="utf-8"))
    (workspace / spec["page_image_path"]).write_bytes(b"no image")
    shutil.rmtree(workspace / "cache")
    ran = comix("train", f"workspace={workspace}", *SMALL)
    assert ran.code == 1
    assert f"{len(listed) + 1} pages = {len(listed)} done + 1 failed" in ran.out


def test_every_target_takes_the_keys_of_its_config() -> None:
    for group in GROUPS:
        for file in sorted((conf_dir() / group).glob("*.yaml")):
            config = yaml.safe_load(file.read_text(encoding="utf-8"))
            if "defaults" in config:
                config = yaml.safe_load((conf_dir() / group / f"{config['defaults'][0]}.yaml").read_text()) | config
            keys = set(config) - {"_target_", "defaults"}
            module, _, name = config["_target_"].rpartition(".")
            signature = inspect.signature(getattr(importlib.import_module(module), name))
            signature.bind(**dict.fromkeys(keys))


@pytest.mark.parametrize("file", sorted((conf_dir() / "experiment").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_experiment_composes_and_opens_with_its_command(file: Path) -> None:
    assert f"# comix train experiment={file.stem} " in file.read_text(encoding="utf-8")
    cfg = compose("train", [f"experiment={file.stem}"])
    variant = file.stem.split("_", 1)[1]
    assert cfg.objective.mpm.denoise == ("denoise" in variant)
    assert cfg.objective.mpm.context_recon == ("context" in variant)
    assert (cfg.objective.rpp.weight, cfg.objective["pop"].weight) == (0.5, 0.3)
    assert cfg.batch_size == 4
