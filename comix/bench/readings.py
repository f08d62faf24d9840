"""Analyses of any reader, and the transcribed pages they speak of: joined by page id or exact path, never by guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comix.bench.transcripts import TranscriptPage
from comix.core.errors import MissingInputError, UsageError
from comix.core.geometry import Box
from comix.core.page import TEXT_KINDS, PageRecord
from comix.interop.join import JoinRules, PageIndex, plain_path
from comix.io.analysis import Analysis, TextItem, read_analysis
from comix.io.formats.exchange import BookEntry, PageEntry
from comix.metrics.reading import PlacedText, same_panels


@dataclass(frozen=True, slots=True)
class JoinedReadings:
    """Pages with what a reader found on them; ``missing``: keys of those without; ``n_beyond``: analyses of other pages."""

    pairs: list[tuple[TranscriptPage, Analysis]]
    missing: list[str]
    n_beyond: int


def read_folder(folder: Path) -> dict[str, Analysis]:
    """Every analysis below a folder by page id, and by its own path there without ``.json`` where that is another.

    Raises:
        MissingInputError: no such folder, or no JSON file in it.
        FileFormatError: one of them is no analysis.
    """
    paths = sorted(folder.rglob("*.json"))
    if not paths:
        raise MissingInputError(f"{folder}: no analyses there; first: comix analyze, or name a folder of analysis JSON files")
    found: dict[str, Analysis] = {}
    for path in paths:
        analysis = read_analysis(path)
        found[plain_path(analysis.page_id)] = analysis
        found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), analysis)
    return found


def join_readings(
    pages: Sequence[TranscriptPage],
    found: dict[str, Analysis],
    table: Iterable[PageRecord] = (),
    missing: Literal["empty", "leave_out"] = "empty",
    where: str = "",
) -> JoinedReadings:
    """Each transcribed page with its analysis; one without counts as a page on which nothing was read, or is left out.

    Args:
        pages: see `comix.bench.transcripts.read_transcripts`.
        found: see `read_folder`.
        table: the workspace's pages, where the analyses are a workspace's: then the transcript may also name a page by its
            image path, or by ``container/member``.
        missing: what becomes of pages without analysis.
        where: of the analyses, for messages.

    Raises:
        UsageError: not one page matches.
    """
    records = list(table)
    index = PageIndex(records, JoinRules()) if records else None
    pairs, absent, used = [], [], set()
    for page in pages:
        analysis = _analysis(page, found, index)
        if analysis is not None:
            used.add(analysis.page_id)
        else:
            absent.append(page.key)
            if missing == "leave_out":
                continue
            analysis = Analysis.model_validate(
                {"page_id": page.key, "reader": {"name": "none"}, "panel_source": "reader", "status": "missing"}
            )
        pairs.append((page, analysis))
    if not used:
        raise UsageError(
            f"{where}: none of its analyses is of one of the transcript's {len(pages)} pages. They are joined by page_id or by "
            f"the exact path; the transcript has {pages[0].key!r}, the analyses {next(iter(found))!r}"
        )
    return JoinedReadings(pairs, absent, len({one.page_id for one in found.values()} - used))


def _analysis(page: TranscriptPage, found: dict[str, Analysis], index: PageIndex | None) -> Analysis | None:
    for name in (page.page_id, page.file_name):
        if name and plain_path(name) in found:
            return found[plain_path(name)]
    if index is None:
        return None
    match = index.find(BookEntry(), PageEntry(page_id=page.page_id, file_name=page.file_name))
    return found.get(plain_path(match.page_id)) if match.page_id else None


def texts_read(page: TranscriptPage, analysis: Analysis) -> list[PlacedText]:
    """The reader's texts in its own order, in the numbers of the true panels.

    A panel of the reader is the true one that it overlaps (IoU .5 or more, one to one) where both have boxes, and of no
    true panel (number 0) where it overlaps none; without boxes it is the one with its number.
    """
    boxes = {one.panel_number: Box.from_xywh(one.box) for one in analysis.panels if one.box}
    same = same_panels(page.panels, boxes) if boxes and page.panels else None
    found = []
    for panel in analysis.panels:
        number = panel.panel_number if same is None else same.get(panel.panel_number, 0)
        found += [_placed(item, number, kind) for kind in TEXT_KINDS for item in getattr(panel, kind)]
    return found + [_placed(item, None, item.kind) for item in analysis.unassigned]


def _placed(item: TextItem, panel: int | None, kind: str) -> PlacedText:
    return PlacedText(item.text, panel, kind, Box.from_xywh(item.bbox) if item.bbox else None)
