"""``comix evaluate target=cloze``: closure tasks of the field, of words and of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from comix.bench.cloze.accuracy import COLUMNS
from comix.bench.cloze.evaluate import PUBLISHED, ClozeQuestion, evaluate_cloze
from comix.bench.cloze.learned import Learning
from comix.bench.cloze.panels import PanelQuestion, comics_pap, visual_cloze
from comix.bench.cloze.pick import evaluate_panels
from comix.bench.cloze.rows import ClozeRow, Kind, read_cloze
from comix.bench.evaluate import Answer
from comix.bench.figures import Row
from comix.core.errors import UsageError
from comix.core.progress import lazy_progress
from comix.core.workspace import Workspace
from comix.embed.place import find_checkpoint
from comix.embed.words import WordsEncoder, frozen_vectors
from comix.train.checkpoint import load_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omegaconf import DictConfig


def cloze(cfg: DictConfig, workspace: Workspace, paths: list[Path]) -> tuple[list[Path], int, Answer]:
    """The checkpoint, the number of questions, and the answer: files of words first, then those of pictures.

    Raises:
        UsageError: settings that do not fit the files.
    """
    if cfg.folds < 0 or cfg.folds == 1:
        raise UsageError(f"folds={cfg.folds}: wanted 2 or more, or 0 for no learned reader")
    if len({path.stem for path in paths}) < len(paths):
        raise UsageError("truth=: two files of one name; their rows could not be told apart")
    words: dict[str, list[ClozeRow]] = {}
    pictures: dict[str, tuple[int, Iterable[PanelQuestion]]] = {}
    kinds: set[Kind | str] = set()
    for path in paths:
        if path.suffix.lower() == ".parquet":
            pictures[path.stem] = comics_pap(path)
            kinds.add("ComicsPAP")
            continue
        kind, asked = read_cloze(path)
        kinds.add(kind)
        if kind != "picture":
            words[path.stem] = asked
        elif not cfg.images:
            raise UsageError(f"{path} asks about pictures: say images=FOLDER, which holds <book>/<page>_<panel>.jpg")
        else:
            pictures[path.stem] = len(asked), visual_cloze(asked, Path(cfg.images))
    checkpoints = [find_checkpoint(workspace, cfg.checkpoint)] if cfg.checkpoint else []
    rows: list[Row] = []
    notes = [told for kind, told in PUBLISHED.items() if kind in kinds]
    if words:
        answer = _of_words(cfg, workspace, words, checkpoints)
        rows += answer.rows
        notes += answer.notes
    models = {f"model {path.name}": load_model(path) for path in checkpoints} if pictures else {}
    for name, (number, questions) in pictures.items():
        with lazy_progress(name, "questions") as show:
            found, more = evaluate_panels(name, questions, models, cfg.n_resamples, partial(show, 0, number))
        rows += found
        notes += more
    n_asked = sum(map(len, words.values())) + sum(number for number, _ in pictures.values())
    return checkpoints, n_asked, Answer(rows, COLUMNS, [], notes)


def _of_words(
    cfg: DictConfig, workspace: Workspace, truth: dict[str, list[ClozeRow]], checkpoints: list[Path]
) -> Answer:  # fmt: skip
    cache = workspace.root / "cache" / "features"
    question = ClozeQuestion(
        truth,
        partial(frozen_vectors, cache_dir=cache),
        {f"model {path.name}": WordsEncoder(path, cache).encode for path in checkpoints},
        Learning(folds=cfg.folds) if cfg.folds else None,
        cfg.n_resamples,
    )
    with lazy_progress("learned reader", "parts") as show:
        return evaluate_cloze(question, lambda total, name, part: show(part, total, name))
