"""Every row of docs/from_the_document.md does what it says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comix.schema import STAGES

TEXT = (Path(__file__).parents[2] / "docs" / "from_the_document.md").read_text(encoding="utf-8")
STAGE_NAMES = [*STAGES, "rerun"]
COMMANDS = sorted(set(re.findall(r"`(comix [^`]*)`", TEXT)) - {"comix failures"})
OUTPUTS = re.findall(r"^\|[^|]*\| `([^`]+)`[^|]*\| `(?!convert)[a-z]+`", TEXT[TEXT.index("## Outputs") :], re.MULTILINE)


def test_commands_of_all_rows_run_and_their_outputs_are_there(
    comix: Callable[..., Any], library: Path, finished: Path, tmp_path: Path
) -> None:
    """One workspace for all rows, worked through in the order of the stages: one test, so that no worker takes half of it."""
    workspace = tmp_path / "workspace"
    shutil.copytree(finished, workspace)
    failed = []
    for command in sorted(COMMANDS, key=lambda command: STAGE_NAMES.index(command.split()[1])):
        words = [word.replace("LIBRARY", str(library)) for word in command.split()[1:]]
        apart = tmp_path / "cbz-" if words[0] == "convert" else workspace
        words = [word.replace("WS", str(apart if "output=" in word else workspace)) for word in words]
        damaged_file_expected = words[0] in ("extract", "convert")
        ran = comix(*words)
        if ran.code != (1 if damaged_file_expected else 0):
            failed.append(f"{command}: {ran.code}: {ran.err}")
    assert failed == []
    assert [output for output in OUTPUTS if "<" not in output and not (workspace / output).exists()] == []


def test_there_are_rows() -> None:
    assert len(COMMANDS) >= 12
    assert len(OUTPUTS) >= 10
