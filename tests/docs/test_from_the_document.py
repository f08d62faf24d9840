"""Every row of docs/from_the_document.md does what it says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from comix.schema import STAGES

TEXT = (Path(__file__).parents[2] / "docs" / "from_the_document.md").read_text(encoding="utf-8")
STAGE_NAMES = [*STAGES, "rerun"]
COMMANDS = sorted(set(re.findall(r"`(comix [^`]*)`", TEXT)) - {"comix failures"})
OUTPUTS = re.findall(r"^\|[^|]*\| `([^`]+)`[^|]*\| `(?!convert)[a-z]+`", TEXT[TEXT.index("## Outputs") :], re.MULTILINE)


@pytest.fixture(scope="module")
def workspace(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One workspace for all rows, worked through in the order of the stages."""
    target = tmp_path_factory.mktemp("rows") / "workspace"
    shutil.copytree(finished, target)
    return target


@pytest.mark.parametrize("command", sorted(COMMANDS, key=lambda command: STAGE_NAMES.index(command.split()[1])))
def test_the_command_of_a_row_runs(command: str, comix: Callable[..., object], library: Path, workspace: Path) -> None:
    words = [word.replace("LIBRARY", str(library)) for word in command.split()[1:]]
    apart = workspace.parent / "cbz-" if words[0] == "convert" else workspace
    words = [word.replace("WS", str(apart if "output=" in word else workspace)) for word in words]
    damaged_file_expected = words[0] in ("extract", "convert")
    assert comix(*words).code == (1 if damaged_file_expected else 0)


@pytest.mark.parametrize("output", [name for name in OUTPUTS if "<" not in name])
def test_the_output_of_a_row_is_there(output: str, workspace: Path) -> None:
    assert (workspace / output).exists()


def test_there_are_rows() -> None:
    assert len(COMMANDS) >= 12
    assert len(OUTPUTS) >= 10
