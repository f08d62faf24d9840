"""A six-page library run through the pipeline once, and a way to call the command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from comix.cli import main

LIBRARY = Path(__file__).parent / "data" / "library"


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def comix(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Call ``comix WORDS...`` in this process."""

    def run(*words: object) -> Ran:
        capfd.readouterr()
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the six-page library under a name that breaks careless tools."""
    target = tmp_path_factory.mktemp("libraries") / "My Comics (2020), #1 = 日本語's [best]"
    shutil.copytree(LIBRARY, target)
    return target


@pytest.fixture(scope="session")
def finished(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after ``comix pipeline until=curate``; read only: copy it to change it."""
    workspace = tmp_path_factory.mktemp("workspaces") / "finished, 100%"
    assert main(["pipeline", f"library={library}", f"workspace={workspace}", "until=curate"]) == 1  # the damaged file
    return workspace


@pytest.fixture
def workspace_copy(finished: Path, tmp_path: Path) -> Path:
    """A finished workspace to change at will."""
    target = tmp_path / "copy"
    shutil.copytree(finished, target)
    return target
