"""Every notebook runs on a small workspace and is stored without outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from comix.cli import main

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.fixture
def learned(library: Path, made_once: Callable[..., Path]) -> Path:
    """A workspace after a sweep of two variants, `embed` and `index`; read only."""

    def make(folder: Path) -> None:
        where = f"workspace={folder / 'ws'}"
        assert main(["pipeline", f"library={library}", where, "until=curate"]) == 1  # the damaged file
        small = ("epochs=2", "batch_size=2", "dataset.val_fraction=0.3")
        assert main(["train", "-m", "mpm_variant=base,denoise", where, *small]) == 0
        assert main(["embed", where, f"checkpoint={sorted((folder / 'ws' / 'models').glob('*-base-*'))[0].name}"]) == 0
        assert main(["index", where]) == 0

    return made_once("learned", make) / "ws"


@pytest.mark.parametrize("state", ["finished", "learned"])
def test_they_run(state: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All in one kernel, emptied between notebooks: starting one takes longer than running one."""
    monkeypatch.setenv("COMIX_WORKSPACE", str(request.getfixturevalue(state)))
    whole = nbformat.v4.new_notebook()
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        whole.cells += [nbformat.v4.new_code_cell(f"%reset -f\n# {path.name}"), *cells]
    NotebookClient(whole, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs: list[list[str]] = []
    for cell in whole.cells:
        if cell.cell_type == "code" and cell.source.startswith("%reset"):
            outputs.append([])
        elif cell.cell_type == "code":
            outputs[-1] += [str(output) for output in cell.outputs]
    assert all(len(of_one) >= 3 for of_one in outputs)
    compared = "\n".join(outputs[2])
    assert ("2 runs: base, denoise" in compared) == (state == "learned")
    assert ("no finished training run" in compared) == (state == "finished")


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 4
