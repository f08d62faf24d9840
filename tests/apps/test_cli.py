"""The command line: help at once, mistakes in one line, names as people have them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from comix.launch import refuse_secrets
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
        (["dream"], "unknown stage 'dream'"),
        (["detect", "worker=3"], "did you mean 'workers'?"),
        (["detect", "+worker=3"], "did you mean 'workers'?"),
        (["detect", "detector=guter"], "did you mean 'gutter'?"),
        (["detect", "detector.path=x"], "options that have it: detector=grounding_dino"),
        (["detect", "workers=many"], "wanted a whole number"),
        (["detect", "hello"], "wanted key=value"),
        (["order", "direction=left"], "wanted one of: auto, ltr, rtl"),
        (["order", "method=rows,cut"], "add -m"),
        (["order", "-m", "method=rows,cut"], "use one workspace each"),
        (["order", "output=x.json"], "go together"),
        (["extract"], "library= is missing"),
        (["extract", "library="], "library= is missing or empty"),
        (["extract", "library=/no/such/folder"], "no such folder"),
        (["rerun", "nowhere"], "not a run folder"),
        (["curate", "workers=-1"], "wanted 0 or more"),
        (["detect", "conf_threshold=nan"], "wanted 0 to 1"),
        (["align", "min_score=9"], "wanted 0 to 4"),
        (["align", "reader=nope"], "nothing read by nope yet"),
        (["align", "reader=../ocr"], "wanted a plain name"),
        (["curate", "retry=failed:nonsense"], "wanted retry=failed or retry=failed:REASON"),
        (["failures", "stage=dream"], "keeps no journal"),
        (["detect", "detector=replay"], "detector.path= is missing"),
        (["detect", "detector._target_=os.system"], "wanted a class below"),
        (["detect", "detector._target_=comix.detect.gutter.Nope"], "there is no such class"),
        (["analyze", "detections=other"], "comix detect detector=other"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], wanted: str, comix: Callable[..., object], finished: Path
) -> None:
    extra = [] if words[0] in ("detekt", "rerun", "dream") else [f"workspace={finished}"]
    ran = comix(*words, *extra)
    assert ran.code == 2
    assert wanted in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_what_only_looks_like_a_secret_is_taken() -> None:
    refuse_secrets(["vlm.max_tokens=500", "library=/data/sk-collection-2020/", "library=my sk-manga-scans", "title=hf_x"])


def test_an_unknown_stage_never_repeats_a_secret(comix: Callable[..., object], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        comix("sk-proj-0123456789abcdefXYZ")
    assert "0123456789" not in capfd.readouterr().err


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
    assert (word.partition("=")[2] or word) not in ran.err
    assert not workspace.exists()


@pytest.mark.parametrize("stage", ["detect", "order", "analyze", "align", "curate", "report", "status", "failures"])
def test_a_stage_without_a_workspace_names_the_command_and_makes_nothing(
    stage: str, comix: Callable[..., object], tmp_path: Path
) -> None:
    ran = comix(stage, f"workspace={tmp_path / 'ws'}")
    assert ran.code == 2
    assert "first run: comix" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (tmp_path / "ws").exists()


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


def test_a_tilde_means_the_home_folder_wherever_the_shell_left_it(
    comix: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert comix("extract", f"library={library}", "workspace=~/ws, 1", "workers=0").code == 1
    assert (tmp_path / "ws, 1" / "pages.parquet").is_file()
    assert not Path("~").exists()
    assert comix("extract", "library=~nobody-here", "workspace=~/ws").code == 2
