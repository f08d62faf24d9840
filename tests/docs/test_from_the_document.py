"""Every row of docs/from_the_document.md does what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "from_the_document.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`(comix [^`]*)`", TEXT)) - {"comix failures"})
OUTPUTS = re.findall(r"^\|[^|]*\| `([^`]+)`[^|]*\| `(?!convert)[a-z]+`", TEXT[TEXT.index("## Outputs") :], re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_of_a_row_runs(
    command: str, comix: Callable[..., object], library: Path, finished: Path, tmp_path: Path, workspace_copy: Path
) -> None:
    words = [word.replace("LIBRARY", str(library)).replace("WS", str(workspace_copy)) for word in command.split()[1:]]
    damaged_file_expected = words[0] in ("extract", "convert")
    assert comix(*words).code == (1 if damaged_file_expected else 0)


@pytest.mark.parametrize("output", [name for name in OUTPUTS if "<" not in name])
def test_the_output_of_a_row_is_there(output: str, finished: Path) -> None:
    assert (finished / output).exists()


def test_there_are_rows() -> None:
    assert len(COMMANDS) >= 12
    assert len(OUTPUTS) >= 10
