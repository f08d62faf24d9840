"""``comix evaluate target=text``: any readers against transcripts, with the engine's raw lines as baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comix.bench import text
from comix.bench.evaluate import Answer
from comix.bench.readings import join_readings, read_folder
from comix.bench.text import read_page, text_notes, text_row, text_rows, worst_texts
from comix.bench.transcripts import TranscriptPage
from comix.core.page import PageRecord

BASELINE = "lines"
"""The reader whose analyses are the baseline: every line of the engine by itself, in the engine's order."""


@dataclass(frozen=True, slots=True)
class TextQuestion:
    """What is to be measured.

    Attributes:
        truth: see `comix.bench.transcripts.read_transcripts`.
        readers: name -> folder of analyses; the first one's worst pages are drawn.
        baseline: folder of the raw lines; None where there is none.
        table: the workspace's pages, where the folders are a workspace's.
        missing: what becomes of pages without analysis.
        n_resamples: draws of the bootstrap.
        worst: pages to draw.
        images: folder that the truth's paths begin in; None for the workspace's own images.
        root: of the workspace.
    """

    truth: Sequence[TranscriptPage]
    readers: Mapping[str, Path]
    baseline: Path | None = None
    table: Sequence[PageRecord] = ()
    missing: Literal["empty", "leave_out"] = "empty"
    n_resamples: int = 1000
    worst: int = 12
    images: Path | None = None
    root: Path = Path()


def evaluate_text(question: TextQuestion) -> Answer:
    """Every reader's figures, and the baseline's on the pages that the first reader is measured on.

    Raises:
        MissingInputError: a folder without analyses.
        UsageError: a reader of whose pages none is transcribed.
    """
    rows, notes, worst = [], [], []
    paths = {record.page_id: question.root / record.image_path for record in question.table}
    measured: list[TranscriptPage] = []
    for name, folder in question.readers.items():
        joined = join_readings(question.truth, read_folder(folder), question.table, question.missing, str(folder))
        pages = [read_page(page, analysis) for page, analysis in joined.pairs]
        rows += text_rows(name, pages, question.n_resamples)
        notes += text_notes(name, joined)
        if not measured:
            measured = [page for page, _ in joined.pairs]
            ids = {page.key: analysis.page_id for page, analysis in joined.pairs}

            def image(page: TranscriptPage, ids: Mapping[str, str] = ids) -> Path:
                if question.images is not None:
                    return question.images / page.file_name
                return paths.get(ids[page.key], Path())

            worst = worst_texts(pages, image, question.worst)
    if question.baseline is not None:
        joined = join_readings(measured, read_folder(question.baseline), question.table, "empty", str(question.baseline))
        pages = [read_page(page, analysis) for page, analysis in joined.pairs]
        rows.append(text_row("baseline: raw lines of the engine", "all", pages, question.n_resamples))
        notes += text_notes("baseline", joined)
    elif question.table and BASELINE not in question.readers:
        notes.append("no baseline: comix analyze vlm=lines writes the engine's raw lines, which are then measured beside")
    return Answer(rows, text.COLUMNS, worst, notes)
