"""``comix train`` and ``comix compare`` on the six-page workspace; what the configs say fits the code."""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comix.compose import compose
from comix.core.files import read_json
from comix.paths import conf_dir
from comix.train.checkpoint import load_model

SMALL = ("epochs=2", "batch_size=2", "dataset.val_fraction=0.3", "optimisation.n_layouts=60")
BASE = "closure_lite_mini-base-batch_size2-epochs2-val_fraction0.3-n_layouts60"
"""The model's name: what is not the default is in it."""
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
    assert facts["weights"] == {"rpp": 0.5, "pop": 0.3, "mpm": 0.1, "align": 0.1}
    assert facts["n_pages"]["train"] + facts["n_pages"]["val"] <= 6
    assert {"chance", "centre", "rows", "cut", "graph", "untrained_cosine", "mean_of_others"} == set(facts["baselines"])
    assert read_json(found[0] / "metrics.json")["final"]["mpm"] == 0
    for name in (BASE, BASE.replace("base", "denoise_context")):
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
    before = (swept / "models" / BASE / "model.safetensors").read_bytes()
    ran = comix("train", "mpm_variant=base", f"workspace={swept}", *SMALL)
    assert ran.code == 0
    assert "trained already" in ran.out
    anew = comix("train", "mpm_variant=base", f"workspace={swept}", *SMALL, "resume=never")
    assert "trained already" not in anew.out
    assert (swept / "models" / BASE / "model.safetensors").read_bytes() == before


def test_a_model_is_never_replaced_by_one_of_other_settings(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = changed(swept, tmp_path / "copy")
    where, models = f"workspace={workspace}", workspace / "models"
    run = next(one for one in runs(workspace) if read_json(one / "metrics.json")["name"] == BASE)
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    assert comix("rerun", run, where, "seed=1").code == 0
    assert (models / BASE.replace("epochs2", "epochs2-seed1") / "model.safetensors").is_file()
    trial = comix("rerun", run, where, "trainer=debug")
    assert (trial.code, "a trial: not in models/" in trial.out) == (0, True)
    assert len(list(models.glob("*/model.yaml"))) == 3
    n_runs = len(list((workspace / "runs/train").iterdir()))
    taken = comix("train", where, *SMALL, "seed=1", f"name={BASE}")
    assert (taken.code, "a model of other settings (seed 0, here 1)" in taken.err) == (2, True), taken.err
    assert len(list((workspace / "runs/train").iterdir())) == n_runs  # a start that failed leaves nothing
    assert before == {path: path.read_bytes() for path in before}
    assert comix("train", where, *SMALL, "seed=1", f"name={BASE}", "overwrite=true").code == 0
    table = comix("compare", where, f"runs={run},{runs(workspace)[-1]}").out
    assert f"models/{BASE} holds the model of another run by now" in table
    assert "Base Simple" in table and "±" in table  # two seeds make one row


def test_a_model_of_more_pages_takes_the_place_with_a_word(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = changed(swept, tmp_path / "copy")
    listed = workspace / "lists/training.txt"
    listed.write_text("\n".join(listed.read_text(encoding="utf-8").splitlines()[:-1]), encoding="utf-8")
    ran = comix("train", f"workspace={workspace}", *SMALL)
    assert "replaced the model" in ran.out
    assert f"kept in its run folder, {workspace}" in ran.out


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
            ("model=closure_lite_simple", "model.vision=test_vit", "model.vision_weights=none"),
            "unless you say so (HF_HUB_OFFLINE=0 comix train ...); give a local path with model.text=FOLDER",
        ),
    ]:
        ran = comix("train", where, *SMALL, *words)
        assert ran.code == 2, words
        assert said in ran.err, (words, ran.err)
        assert "Traceback" not in ran.err


def changed(swept: Path, target: Path, *without: str) -> Path:
    """A copy of the swept workspace to change, without some of its folders."""
    shutil.copytree(swept, target, ignore=shutil.ignore_patterns(*without))
    return target


def first_image(workspace: Path) -> Path:
    """The page image of the first listed page."""
    listed = (workspace / "lists/training.txt").read_text(encoding="utf-8").splitlines()
    spec = json.loads((workspace / "lists" / listed[0]).read_text(encoding="utf-8"))
    return workspace / str(spec["page_image_path"])


def test_damaged_pages_are_counted_and_listed(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = changed(swept, tmp_path / "copy", "runs", "models", "cache")
    listed = (workspace / "lists/training.txt").read_text(encoding="utf-8").splitlines()
    (workspace / "lists/training.txt").write_text("\n".join([*listed, "../dataspec/missing.json"]), encoding="utf-8")
    image = first_image(workspace)
    whole = image.read_bytes()
    image.write_bytes(b"no image")
    wanted = f"{len(listed) + 1} pages = {len(listed) - 1} done + 2 failed"
    where = f"workspace={workspace}"
    for said in ("loss", "trained already"):  # the run, and the same command again
        ran = comix("train", where, *SMALL)
        assert (ran.code, wanted in ran.out, said in ran.out) == (1, True, True), ran.out + ran.err
    failures = comix("failures", where, "stage=train").out
    assert "image_unknown_format" in failures or "image_unreadable" in failures
    facts = read_json(runs(workspace)[0] / "metrics.json")
    assert facts["n_pages"]["train"] + facts["n_pages"]["val"] == len(listed) - 1
    image.write_bytes(whole)
    mended = comix("train", where, *SMALL)
    assert f"{len(listed) + 1} pages = {len(listed)} done + 1 failed" in mended.out
    assert "trained already" not in mended.out


def test_a_retouched_image_is_not_taken_for_the_one_it_was(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = changed(swept, tmp_path / "copy", "models")
    where = f"workspace={workspace}"
    assert comix("train", where, *SMALL).code == 0  # learns when the images were changed
    image = first_image(workspace)
    image.write_bytes(image.read_bytes() + b" ")
    ran = comix("train", where, *SMALL)
    assert ran.code == 1
    assert "1 failed" in ran.out
    assert "image_changed" in comix("failures", where, "stage=train").out


def test_other_duplicate_groups_are_trained_anew(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    import pandas as pd

    workspace = changed(swept, tmp_path / "copy", "models")
    where = f"workspace={workspace}"
    table = pd.read_parquet(workspace / "curation.parquet")
    table["dup_group_phash"] = "all alike"
    table.to_parquet(workspace / "curation.parquet")
    ran = comix("train", where, *SMALL)
    assert "trained already" not in ran.out
    assert "all pages are copies of one: no validation set" in ran.out
    (workspace / "curation.parquet").unlink()
    assert "no curation.parquet: copies of a page may be trained on and validated on" in comix("train", where, *SMALL).out


def test_compare_says_what_does_not_compare_and_passes_over_broken_runs(
    swept: Path, comix: Callable[..., Any], tmp_path: Path
) -> None:
    workspace = changed(swept, tmp_path / "copy", "cache", "models")
    one, other = (run for run in runs(workspace) if run.name in ("0", "1"))  # the sweep's
    alike = comix("compare", f"workspace={workspace}").out
    assert "no training: cut" in alike
    assert "also chose this epoch" in alike
    facts = read_json(other / "metrics.json")
    facts["val_digest"] = "another"
    facts["baselines"]["cut"]["rpp_next_accuracy"] = 0.25
    (other / "metrics.json").write_text(json.dumps(facts))
    apart = comix("compare", f"workspace={workspace}").out
    assert "held to different pages" in apart
    assert "no training: cut" not in apart
    (other / "metrics.json").write_text("{")
    ran = comix("compare", f"workspace={workspace}", f"runs={one.parent}")
    assert ran.code == 0
    assert "Left out:" in ran.out
    assert "Base Simple" in ran.out


def test_the_note_on_orders_is_measured(swept: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    workspace = changed(swept, tmp_path / "copy", "cache", "models")
    for run in runs(workspace):
        facts = read_json(run / "metrics.json")
        facts["baselines"]["cut"]["rpp_page_exact"] = 1.0
        (run / "metrics.json").write_text(json.dumps(facts))
    assert 'those of the rule "cut"' in comix("compare", f"workspace={workspace}").out
    for run in runs(workspace):
        facts = read_json(run / "metrics.json")
        facts["baselines"] |= {rule: {"rpp_page_exact": 0.5} for rule in ("cut", "rows", "centre")}
        (run / "metrics.json").write_text(json.dumps(facts))
    mixed = comix("compare", f"workspace={workspace}").out
    assert "not a person's." in mixed
    assert 'rule "' not in mixed
    for run in runs(workspace):
        facts = read_json(run / "metrics.json") | {"weak_order_share": 0.0}
        (run / "metrics.json").write_text(json.dumps(facts))
    assert "not a person's" not in comix("compare", f"workspace={workspace}").out


@pytest.mark.parametrize("sweep", [(), ("-m", "mpm_variant=base,denoise")], ids=["one", "sweep"])
def test_ctrl_c_prints_the_command_that_goes_on(
    swept: Path, comix: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sweep: tuple[str, ...]
) -> None:
    from comix.train.task import ClosureTask

    workspace = changed(swept, tmp_path / "copy", "models", "runs")
    words = ["train", *sweep, f"workspace={workspace}", *SMALL[1:], "epochs=3"]
    monkeypatch.setattr(sys, "argv", ["comix", *words])
    original = ClosureTask.training_step

    def interrupted(self: ClosureTask, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 1:
            signal.raise_signal(signal.SIGINT)
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ClosureTask, "training_step", interrupted)
        ran = comix(*words)
    assert ran.code == 130, ran.out + ran.err
    assert f"go on with: comix {shlex.join(words)}" in ran.out
    (state,) = workspace.glob("runs/train/**/last.ckpt")  # of a sweep, no further job has started
    assert comix(*words).code == 0
    facts = [read_json(run / "metrics.json") for run in runs(workspace)]
    assert facts[0]["resumed_from"] == str(state)
    assert [one["epochs"] for one in facts] == [3] * (2 if sweep else 1)


def test_two_processes_train_together(swept: Path, tmp_path: Path) -> None:
    workspace = changed(swept, tmp_path / "copy", "models", "runs")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "comix"]
    words = ["train", f"workspace={workspace}", *SMALL, "trainer=ddp", "trainer.accelerator=cpu", "batch_size=8"]
    ran = subprocess.run([*torchrun, *words], capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("train: ") == 1  # one of them speaks
    (run,) = [folder for folder in workspace.glob("runs/train/*") if (folder / "training.json").is_file()]
    facts = read_json(run / "metrics.json")
    assert facts["epochs"] == 2
    assert facts["final"]["loss"] > 0
    assert load_model(workspace / "models" / facts["name"]).model_hash == facts["model_hash"]


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
    if cfg.task.kind != "closure_lite" or file.stem.split("_")[0] not in ("mini", "calibre"):  # the document's rows
        return
    variant = file.stem.split("_", 1)[1]
    assert cfg.objective.mpm.denoise == ("denoise" in variant)
    assert cfg.objective.mpm.context_recon == ("context" in variant)
    assert (cfg.objective.rpp.weight, cfg.objective["pop"].weight) == (0.5, 0.3)
    assert cfg.batch_size == 4


def test_weights_and_biases_offline_holds_config_metrics_and_table_and_no_secret(
    comix: Callable[..., Any], workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"WANDB_API_KEY": "canary" + "0" * 34, "OPENROUTER_API_KEY": "sk-or-canary", "HF_TOKEN": "hf_canary"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    ran = comix("train", f"workspace={workspace_copy}", *SMALL, "logger=wandb", "name=mirrored")
    assert ran.code == 0, ran.err
    (folder,) = workspace_copy.glob("runs/train/*/wandb/offline-run-*")
    (log,) = folder.glob("*.wandb")
    data = log.read_bytes()
    for wanted in (b'"_target_":"comix.train.objectives.objective"', b"batch_size", b"val_loss", b"val_rpp_next_accuracy"):
        assert wanted in data
    tables = [read_json(path) for path in folder.glob("files/media/table/*.table.json")]
    figures, pages = (next(one for one in tables if one["columns"][0] == first) for first in ("figure", "page"))
    assert pages["columns"] == ["page", "read in this order", "panels", "in the wrong place"]
    assert pages["data"] and len(list(folder.glob("files/media/images/**/*.png"))) == len(pages["data"])
    assert b"model.safetensors" in data  # the checkpoint, as an artifact
    figures = dict(figures["data"])
    kept = read_json(folder.parents[1] / "metrics.json")["validation"]
    assert figures["val_loss"] == kept["loss"]
    written = [path for path in workspace_copy.rglob("*") if path.is_file()]
    assert [path for path in written if any(value.encode() in path.read_bytes() for value in secrets.values())] == []
