"""Questions of text cloze, visual cloze and coherence, out of CSV files as the COMICS dataset has them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comix.core.errors import FileFormatError, MissingInputError

Kind = Literal["text", "order", "picture"]
"""What a file asks: which text comes next (text cloze), which of two texts comes first in the next panel (coherence), or which
panel comes next (visual cloze)."""

_CONTEXT = re.compile(r"context_text_(\d+)_(\d+)")
_CONTEXT_ID = re.compile(r"context_panel_(\d+)_id")
_CANDIDATES: Mapping[Kind, re.Pattern[str]] = {
    "text": re.compile(r"answer_candidate_(\d+)_text"),
    "order": re.compile(r"answer_candidate_(\d+)_box_0"),
    "picture": re.compile(r"answer_candidate_id_(\d+)"),
}
_FACTS = ("book_id", "page_id", "answer_panel_id", "correct_answer")
_FIELD_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class ClozeRow:
    """One question.

    Attributes:
        book, page, panel: where the answer is from, as the file calls it.
        context: texts per panel before the answer's, earliest first; a silent panel has none.
        candidates: texts to choose from; for ``order`` the text that each candidate has in the panel's first box, for
            ``picture`` panels, ``book_page_panel``.
        correct: place of the right one.
        context_panels: the panels of ``context``, as the file calls them; empty where it does not tell.
    """

    book: str
    page: str
    panel: str
    context: tuple[tuple[str, ...], ...]
    candidates: tuple[str, ...]
    correct: int
    context_panels: tuple[str, ...] = ()


def read_cloze(path: Path) -> tuple[Kind, list[ClozeRow]]:
    """What a CSV file asks, and its questions.

    Columns: ``book_id, page_id, answer_panel_id, correct_answer``, ``context_text_<panel>_<text>``,
    ``context_panel_<panel>_id`` and, by kind, ``answer_candidate_<number>_text``, ``answer_candidate_<number>_box_0`` or
    ``answer_candidate_id_<number>``; any number of panels, texts and candidates. Others are ignored. Source of the form:
    M. Iyyer et al., "The Amazing Mysteries of the Gutter", 2017.

    Raises:
        MissingInputError: no such file.
        FileFormatError: a column is absent, or a value is not what it should be; names the line.
    """
    if not path.is_file():
        raise MissingInputError(f"truth={path}: no such file; wanted a CSV file of cloze questions")
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            layout = _Layout.of(path, reader.fieldnames or ())
            rows = [layout.row(f"{path}, line {reader.line_num}", line) for line in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise FileFormatError(f"{path}: has columns but no questions")
    return layout.kind, rows


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns of the context per panel, and of the candidates."""

    kind: Kind
    context: tuple[tuple[str, ...], ...]
    candidates: tuple[str, ...]
    context_ids: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, names: Sequence[str]) -> _Layout:
        absent = [name for name in _FACTS if name not in names]
        if absent:
            raise FileFormatError(f"{path}: no column {absent[0]}; it has {', '.join(names[:6]) or 'none'}")
        panels: dict[int, list[tuple[int, str]]] = {}
        for name in names:
            if found := _CONTEXT.fullmatch(name):
                panels.setdefault(int(found[1]), []).append((int(found[2]), name))
        by_kind = {kind: _numbered(pattern, names) for kind, pattern in _CANDIDATES.items()}
        kind, candidates = max(by_kind.items(), key=lambda one: len(one[1]))
        if not panels or len(candidates) < 2:
            raise FileFormatError(
                f"{path}: wanted columns context_text_0_0 ... and at least two answer_candidate_<number>_text, _box_0 or "
                f"answer_candidate_id_<number>, found {len(panels)} panels of context and {len(candidates)} candidates"
            )
        ids = _numbered(_CONTEXT_ID, names)
        if kind == "picture" and len(ids) != len(panels):
            raise FileFormatError(
                f"{path}: wanted a column context_panel_<number>_id for each of {len(panels)} panels of context"
            )
        context = tuple(tuple(name for _, name in sorted(panels[panel])) for panel in sorted(panels))
        return cls(kind, context, candidates, ids)

    def row(self, where: str, line: Mapping[str, str | None]) -> ClozeRow:
        short = [name for name in (*_FACTS, *self.candidates) if line.get(name) is None]
        if short or None in line:
            wrong = f"no value for {short[0]}" if short else "more values than columns"
            raise FileFormatError(f"{where}: {wrong}")
        value = str(line["correct_answer"]).strip()
        if not value.isdecimal() or int(value) >= len(self.candidates):
            raise FileFormatError(f"{where}: correct_answer is {value!r}, wanted 0 to {len(self.candidates) - 1}")
        context = tuple(tuple(text for name in panel if (text := (line.get(name) or "").strip())) for panel in self.context)
        book, page, panel = (str(line[name]).strip() for name in _FACTS[:3])
        ids = tuple((line.get(name) or "").strip() for name in self.context_ids)
        return ClozeRow(book, page, panel, context, tuple(str(line[name]).strip() for name in self.candidates), int(value), ids)


def _numbered(pattern: re.Pattern[str], names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a pattern, by their number."""
    found = [(int(one[1]), name) for name in names if (one := pattern.fullmatch(name))]
    return tuple(name for _, name in sorted(found))


def readable(text: str) -> str:
    """A text of separated tokens as it would be written: marks at their words, ``UNK`` for unknown words left out.

    >>> readable("don ' t UNK go , jake !")
    "don't go, jake!"
    """
    text = re.sub(r"\bUNK\b", " ", text)
    text = re.sub(r"(?<=\w)\s+'\s+(?=(?:s|t|ll|re|ve|m|d)\b)", "'", text)
    text = re.sub(r"\s+([.,!?;:])", r"\1", text)
    return " ".join(text.split())
