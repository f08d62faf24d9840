"""A six-page library run through the pipeline once, and a way to call the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from comix.cli import main
from comix.schema import STAGES, key_names

LIBRARY = Path(__file__).parent / "data" / "library"

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # as the command sets it; the hub's client reads it when it is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many tests run at once as there are cores: more threads would only wait


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def comix(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Call ``comix WORDS...`` in this process, its work too unless ``workers=`` is given: `finished` has used a pool."""

    def run(*words: object) -> Ran:
        capfd.readouterr()
        typed = [str(word) for word in words]
        has_workers = typed and typed[0] in STAGES and "workers" in key_names(typed[0])
        if has_workers and not any(word.partition("=")[0].endswith("workers") for word in typed):
            typed.append("workers=0")
        code = main(typed)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder once for all processes that run tests, whichever asks first."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder = base / f"once-{name}"
        with FileLock(base / f"once-{name}.lock"):
            if not (folder / "made").is_file():
                make(folder)
                (folder / "made").touch()
        return folder

    return made


@pytest.fixture(scope="session")
def library(made_once: Callable[..., Path]) -> Path:
    """A copy of the six-page library under a name that breaks careless tools; read only."""
    name = "My Comics (2020), #1 = 日本語's [best]"
    return made_once("library", lambda folder: shutil.copytree(LIBRARY, folder / name)) / name


@pytest.fixture(scope="session")
def finished(library: Path, made_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after ``comix pipeline until=curate``; commands that leave it as it is may run in it, else copy it."""

    def make(folder: Path) -> None:
        words = ["pipeline", f"library={library}", f"workspace={folder / 'ws'}", "until=curate"]
        assert main(words) == 1  # the damaged file

    own = tmp_path_factory.mktemp("workspaces") / "finished, 100%"
    shutil.copytree(made_once("finished", make) / "ws", own)
    assert main(["align", f"workspace={own}", "workers=0"]) == 0  # it looks at whole paths
    return own


@pytest.fixture
def workspace_copy(finished: Path, tmp_path: Path) -> Path:
    """A finished workspace to change at will."""
    target = tmp_path / "copy"
    shutil.copytree(finished, target)
    return target
