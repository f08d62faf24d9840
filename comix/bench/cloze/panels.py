"""Questions about pictures: which of some panels belongs to the panels before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from comix.bench.cloze.rows import ClozeRow
from comix.core.errors import FileFormatError, MissingInputError
from comix.io.images import read_image_bytes

_PAP_COLUMNS = ("sample_id", "context", "options", "solution_index", "task_type")
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Panel:
    """What is known of a panel.

    Attributes:
        name: of the picture; equal for equal pictures.
        read: gives the bytes of its picture, or raises `ItemError`; None for a panel of which only words are known.
        text: its words, "" for none.
    """

    name: str
    read: Callable[[], bytes] | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class PanelQuestion:
    """One question.

    Attributes:
        name: tells it from the others; ``book``: where it is from, as far as the file tells.
        task: what kind of question, as the file calls it.
        context: the panels before the answer, earliest first.
        candidates: panels to choose from; ``correct`` the place of the right one.
    """

    name: str
    book: str
    task: str
    context: tuple[Panel, ...]
    candidates: tuple[Panel, ...]
    correct: int


def visual_cloze(rows: Sequence[ClozeRow], images: Path) -> Iterator[PanelQuestion]:
    """Questions of the COMICS visual cloze, their pictures in ``images/<book>/<page>_<panel>.jpg`` as in its archive of panels.

    Raises:
        FileFormatError: a candidate that is no ``book_page_panel``.
    """

    def panel(book: str, page: str, number: str, text: str = "") -> Panel:
        path = images / book / f"{page}_{number}.jpg"
        return Panel(str(path), partial(read_image_bytes, path), text)

    for row in rows:
        where = [one.split("_") for one in row.candidates]
        wrong = [one for one, parts in zip(row.candidates, where, strict=True) if len(parts) != 3]
        if wrong:
            raise FileFormatError(f"book {row.book}, page {row.page}: candidate {wrong[0]!r}, wanted book_page_panel")
        context = (
            panel(row.book, row.page, number, " ".join(texts))
            for number, texts in zip(row.context_panels, row.context, strict=True)
        )
        name = f"{row.book}_{row.page}_{row.panel}"
        yield PanelQuestion(
            name, row.book, "visual cloze", tuple(context), tuple(panel(*parts) for parts in where), row.correct
        )


def comics_pap(path: Path) -> tuple[int, Iterator[PanelQuestion]]:
    """How many questions a parquet file of ComicsPAP holds, and the questions, read a few at a time.

    Columns: ``sample_id, context, options, solution_index, task_type``; ``context`` and ``options`` are lists of pictures
    ``{bytes, path}``; ``previous_panel_caption``, where there is one, tells what the panel before shows. Source of the form:
    ComicsPAP, ICDAR 2025. The set does not name books: a question's book is itself.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not parquet, a column is absent, or a value is not what it should be; names the row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingInputError(f"truth={path}: no such file; wanted a parquet file of ComicsPAP")
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path}: not a parquet file ({error})") from error
    absent = [name for name in _PAP_COLUMNS if name not in file.schema_arrow.names]
    if absent:
        raise FileFormatError(f"{path}: no column {absent[0]}; it has {', '.join(file.schema_arrow.names[:8])}")
    if not file.metadata.num_rows:
        raise FileFormatError(f"{path}: has columns but no questions")
    return file.metadata.num_rows, _pap_questions(path, file)


def _pap_questions(path: Path, file: Any) -> Iterator[PanelQuestion]:
    wanted = [name for name in (*_PAP_COLUMNS, "previous_panel_caption") if name in file.schema_arrow.names]
    number = 0
    for batch in file.iter_batches(_AT_ONCE, columns=wanted):
        for row in batch.to_pylist():
            yield _pap_question(f"{path}, row {number}", row)
            number += 1


def _pap_question(where: str, row: dict[str, Any]) -> PanelQuestion:
    name = str(row["sample_id"])
    context = tuple(_held(where, name, f"context {place}", one) for place, one in enumerate(row["context"] or ()))
    options = tuple(_held(where, name, f"option {place}", one) for place, one in enumerate(row["options"] or ()))
    caption = str(row.get("previous_panel_caption") or "").strip()
    if caption:
        context = (*context, Panel(f"{name}/caption", None, caption))
    correct = row["solution_index"]
    if len(options) < 2 or not isinstance(correct, int) or not 0 <= correct < len(options):
        raise FileFormatError(f"{where}: solution_index is {correct!r} of {len(options)} options")
    return PanelQuestion(name, name, str(row["task_type"]), context, options, correct)


def _held(where: str, name: str, place: str, picture: Any) -> Panel:
    data = picture.get("bytes") if isinstance(picture, dict) else picture
    if not isinstance(data, bytes):
        raise FileFormatError(f"{where}: {place} holds no bytes of a picture")
    return Panel(f"{name}/{place}", lambda: data)
