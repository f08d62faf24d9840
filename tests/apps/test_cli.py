"""The command line: help at once, mistakes in one line, names as people have them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from comix.schema import STAGES


def test_help_imports_neither_hydra_nor_torch_nor_numpy() -> None:
    code = (
        "import sys; from comix.cli import main; main(['--help']); main(['detect', '--help']);"
        "bad = {'hydra', 'torch', 'numpy', 'cv2', 'pandas', 'omegaconf'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_help_with_its_keys(stage: str, comix: Callable[..., object]) -> None:
    ran = comix(stage, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    for key in STAGES[stage].__dataclass_fields__:
        assert f"{key}" in ran.out, f"comix {stage} --help does not mention {key}"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["detekt"], "did you mean `comix detect`?"),
        (["detect", "worker=3"], "did you mean 'workers'?"),
        (["detect", "detector=guter"], "did you mean 'gutter'?"),
        (["detect", "workers=many"], "could not be converted to Integer"),
        (["detect", "hello"], "wanted key=value"),
        (["order", "direction=left"], "wanted one of: auto, ltr, rtl"),
        (["extract"], "library= is missing"),
        (["extract", "library=/no/such/folder"], "no such folder"),
        (["detect"], "first run: comix extract library=FOLDER"),
        (["align"], "first run: comix extract"),
        (["report"], "first run: comix extract"),
        (["status"], "first run: comix pipeline"),
        (["rerun", "nowhere"], "not a run folder"),
        (["extract", "library="], "library= is missing or empty"),
        (["curate", "workers=-1"], "wanted 0 or more"),
        (["dream"], "unknown stage 'dream'"),
        (["failures", "stage=dream"], "first run"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], wanted: str, comix: Callable[..., object], tmp_path: Path
) -> None:
    extra = [] if words[0] in ("detekt", "rerun", "dream") else [f"workspace={tmp_path / 'ws'}"]
    ran = comix(*words, *extra)
    assert ran.code == 2
    assert wanted in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "word",
    [
        "vlm.api_key=abc",
        "openai_api_key=x1",
        "+token=zzz",
        "title=sk-or-v1-0123456789abcdef",
        "library=hf_abcdefghijklmnopqrst",
    ],
)
def test_a_secret_is_refused_before_anything_is_written(word: str, comix: Callable[..., object], tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    ran = comix("pipeline", "library=x", word, f"workspace={workspace}")
    assert ran.code == 2
    assert "secret" in ran.err
    assert word.partition("=")[2] not in ran.err
    assert not workspace.exists()


def test_a_stage_before_the_one_it_needs_names_the_command(comix: Callable[..., object], workspace_copy: Path) -> None:
    ran = comix("analyze", f"workspace={workspace_copy}", "detections=other")
    assert ran.code == 2
    assert "comix detect detector=other" in ran.err


def test_a_setting_that_must_be_given_is_named(comix: Callable[..., object], workspace_copy: Path) -> None:
    ran = comix("detect", "detector=replay", f"workspace={workspace_copy}")
    assert (ran.code, "detector.path= is missing" in ran.err) == (2, True)


@pytest.mark.parametrize("workspace", ["", "a${b}"])
def test_an_impossible_workspace_is_refused(workspace: str, comix: Callable[..., object]) -> None:
    ran = comix("extract", "library=x", f"workspace={workspace}")
    assert (ran.code, "wanted the name of a folder" in ran.err) == (2, True)


def test_an_unwritable_workspace_is_one_line(comix: Callable[..., object], tmp_path: Path, library: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    for workspace in (blocked, blocked / "inside"):
        ran = comix("extract", f"library={library}", f"workspace={workspace}")
        assert ran.code == 2
        assert "workspace=" in ran.err
        assert len(ran.err.strip().splitlines()) == 1
    assert blocked.read_text() == "not a folder"


@pytest.mark.parametrize("content", [[], ["readme.txt", "notes/todo.md"]])
def test_a_library_without_comics_says_so(content: list[str], comix: Callable[..., object], tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for name in content:
        (library / name).parent.mkdir(exist_ok=True)
        (library / name).write_text("x")
    ran = comix("extract", f"library={library}", f"workspace={tmp_path / 'ws'}")
    assert ran.code == 2
    assert "wanted CBZ, CBR" in ran.err


def test_rerun_starts_from_the_runs_own_settings(comix: Callable[..., object], workspace_copy: Path, library: Path) -> None:
    assert comix("extract", f"library={library}", f"workspace={workspace_copy}", "limit=2").code in (0, 1)
    run = max((workspace_copy / "runs" / "extract").iterdir())
    ran = comix("rerun", run)
    assert "extract: 2 containers" in ran.out
    assert "extract: 1 containers" in comix("rerun", run, "limit=1").out


def test_a_sweep_runs_every_choice(comix: Callable[..., object], workspace_copy: Path) -> None:
    ran = comix("order", "-m", "method=rows,cut", f"workspace={workspace_copy}")
    assert ran.code == 0
    assert ran.out.count("order: 6 pages = 6 done") == 2
