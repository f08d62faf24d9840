"""Figures against ground truth: detection, reading order or text, of a workspace or of any tool's file; and trained models.

``truth=`` is a COCO file, or several; ``predictions=`` any COCO file, else the workspace's ``detections=``. Pages are joined by
page id or exact path. Figures come per source and direction, with 95 % intervals by book and baselines in the same table.
``target=text`` measures readers (``readers=`` of the workspace, or ``analyses=`` any folder) against transcripts.
``target=cloze`` asks what comes next, of rules, of a model (``checkpoint=``) and, where words are asked, of a reader that
learns on some books and answers the others; ``truth=`` are files of the COMICS dataset (text cloze, coherence; visual cloze
with ``images=`` its folder of panels) or of ComicsPAP (parquet).
``target=model`` measures trained models (``checkpoint=`` names below models/, folders, or ``bundled``) on DataSpec lists
(``truth=``, else lists/training.txt): next panel, panel on page, hidden panel, search, beside chance, rules and raw features;
and draws the next panel as a matrix, attention over the page, precision and recall, and a map of the pages.
Writes ``metrics.json``, ``table.md`` and ``index.html`` with the worst pages drawn into the run folder.

Examples:
  comix evaluate target=detection truth=hand.json workspace=my_comics
  comix evaluate target=detection truth=[a.json,b.json] predictions=theirs.json images=pages
  comix evaluate target=order truth=hand.json methods=auto,cut,graph,rows,center
  comix evaluate target=text truth=[hand_transcripts.json,hand_panels.json] readers=ocr,gemma3-4b-page workspace=my_comics
  comix evaluate target=text truth=openmantra_coco.json language=ja analyses=their_folder
  comix evaluate target=model checkpoint=bundled workspace=my_comics
  comix evaluate target=cloze truth=[text_cloze_dev_easy.csv,text_cloze_dev_hard.csv]
  comix evaluate target=cloze truth=visual_cloze_dev_easy.csv images=raw_panel_images checkpoint=bundled
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from comix.apps.common import detections_of, say, workspace_of
from comix.bench.evaluate import TARGETS, Answer, Question, checked_methods
from comix.bench.evaluate_text import BASELINE, TextQuestion, evaluate_text
from comix.bench.figures import as_table
from comix.bench.pictures import write_pictures
from comix.bench.transcripts import read_transcripts
from comix.bench.truth import Missing, TruthPage, read_truth
from comix.core.errors import MissingInputError, UsageError
from comix.core.files import json_bytes, write_bytes
from comix.core.page import PageRecord
from comix.core.workspace import Workspace
from comix.io.cococolumns import CocoColumns, read_columns
from comix.io.tables import read_pages
from comix.schema.base import listed

if TYPE_CHECKING:
    from omegaconf import DictConfig


Measure = Callable[["DictConfig", Workspace, list[Path]], tuple[list[Path], int, Answer]]


def main(cfg: DictConfig) -> int:
    """Measure, print and write the table; 0."""
    from hydra.core.hydra_config import HydraConfig

    workspace = workspace_of(cfg)
    paths = [Path(one) for one in listed(cfg.truth)]
    folder = Path(HydraConfig.get().runtime.output_dir)
    if not paths and cfg.target != "model":
        raise UsageError(f"target={cfg.target} needs truth=FILE, the ground truth")
    others: dict[str, Measure] = {"text": _text, "cloze": _cloze, "model": partial(_model, folder)}
    sources, n_pages, answer = others.get(cfg.target, _boxes)(cfg, workspace, paths)
    say(as_table(answer.rows, answer.columns))
    for note in answer.notes:
        say(note)
    _write(folder, cfg.target, paths, sources, answer)
    title = f"{cfg.target} on {', '.join(path.name for path in paths) or 'the training list'}"
    n_drawn = write_pictures(folder, title, answer.rows, dict(answer.columns), answer.worst, answer.notes, answer.plots)
    hint = "" if n_drawn or not answer.worst else "; for pictures say images=FOLDER that the truth's paths begin in"
    if cfg.target == "cloze":
        say(f"evaluate: {n_pages} questions; {folder / 'metrics.json'}")
    else:
        say(f"evaluate: {n_pages} pages; {folder / 'metrics.json'}, {n_drawn} pages drawn in index.html{hint}")
    return 0


def _boxes(cfg: DictConfig, workspace: Workspace, paths: list[Path]) -> tuple[list[Path], int, Answer]:
    """The files measured, pages of the truth, and the answer for targets that are about boxes."""
    source, predictions = _predictions(cfg, workspace)
    is_own = predictions is not None and not cfg.predictions
    question = Question(
        truth=read_truth(paths),
        name=(Path(source).parent.name if is_own else Path(source).stem) if source else "",
        predictions=predictions,
        table=_table(workspace) if is_own else (),
        category=cfg.category,
        min_score=cfg.min_score,
        missing=cast(Missing, cfg.missing),
        methods=checked_methods(cfg.methods),
        n_resamples=cfg.n_resamples,
        worst=cfg.worst,
        images=partial(_image, Path(cfg.images) if cfg.images else None, workspace.root if is_own else None),
    )
    return [Path(source)] if source else [], len(question.truth), TARGETS[cfg.target](question)


def _model(folder: Path, cfg: DictConfig, workspace: Workspace, paths: list[Path]) -> tuple[list[Path], int, Answer]:
    """The same for trained models; their plots are written."""
    from comix.apps.evaluate_model import measured
    from comix.bench.plots import write_plots

    sources, n_pages, found = measured(cfg, workspace, paths)
    plots = write_plots(folder, found.sights, found.right, found.wrong, found.vectors, found.books)
    return sources, n_pages, replace(found.answer, plots=plots)


def _text(cfg: DictConfig, workspace: Workspace, paths: list[Path]) -> tuple[list[Path], int, Answer]:
    """The same for readers against transcripts."""
    foreign = [Path(one) for one in listed(cfg.analyses)]
    names = listed(cfg.readers)
    if not names and not foreign:
        raise UsageError("readers= is empty: name one or more folders below analysis/, or analyses=FOLDER")
    readers = {one.name: one for one in foreign} or {name: workspace.require_analyses(name) for name in names}
    baseline = next(iter(readers.values())).parent / BASELINE
    question = TextQuestion(
        truth=read_transcripts(paths, cfg.language),
        readers=readers,
        baseline=baseline if baseline.is_dir() and BASELINE not in readers else None,
        table=() if foreign else _table(workspace),
        missing=cast(Missing, cfg.missing),
        n_resamples=cfg.n_resamples,
        worst=cfg.worst,
        images=Path(cfg.images) if cfg.images else None,
        root=workspace.root,
    )
    return list(readers.values()), len(question.truth), evaluate_text(question)


def _cloze(cfg: DictConfig, workspace: Workspace, paths: list[Path]) -> tuple[list[Path], int, Answer]:
    """The same for closure tasks."""
    from comix.apps.evaluate_cloze import cloze

    return cloze(cfg, workspace, paths)


def _table(workspace: Workspace) -> Sequence[PageRecord]:
    return read_pages(workspace.pages_table) if workspace.pages_table.is_file() else ()


def _predictions(cfg: DictConfig, workspace: Workspace) -> tuple[str, CocoColumns | None]:
    """The file of predictions and what is in it; for an order on given boxes there may be none."""
    if cfg.predictions:
        return str(cfg.predictions), read_columns(Path(cfg.predictions))
    detections = detections_of(cfg, workspace)
    if cfg.target == "order" and not workspace.predictions(detections).is_file():
        return "", None
    path = workspace.require_predictions(detections)
    return str(path), read_columns(path)


def _image(folder: Path | None, root: Path | None, page: TruthPage, file_name: str) -> Path:
    if folder is not None:
        return folder / page.found.file_name
    return root / file_name if root is not None and file_name else Path()


def _write(folder: Path, target: str, truth: list[Path], sources: list[Path], answer: Answer) -> None:
    from comix import __version__

    def named(path: Path) -> dict[str, Any]:
        if path.is_dir():
            return {"path": str(path), "sha256": ""}
        if not path.is_file():
            raise MissingInputError(f"{path}: went away while it was measured")
        return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    document = {
        "target": target, "comix": __version__, "truth": [named(path) for path in truth],
        "predictions": None if not sources else named(sources[0]) if len(sources) == 1 else [named(one) for one in sources],
        "rows": [asdict(row) for row in answer.rows],
        "notes": answer.notes, "worst": [{"page": page.key, "trouble": page.trouble} for page in answer.worst],
    }  # fmt: skip
    write_bytes(folder / "metrics.json", json_bytes(document, indent=1))
    write_bytes(folder / "table.md", (as_table(answer.rows, answer.columns, markdown=True) + "\n").encode())
