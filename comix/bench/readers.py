"""``comix compare readers=a,b``: what readers of the same pages say, where they agree, what they cost and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from comix.bench.figures import Figure, Row
from comix.bench.readings import read_folder, texts_read
from comix.bench.text import ReadPage, read_page, text_row
from comix.bench.transcripts import TranscriptPage
from comix.core.errors import UsageError
from comix.core.geometry import Box
from comix.core.journal import Journal
from comix.core.workspace import Workspace
from comix.io.analysis import Analysis
from comix.metrics.text import words_of
from comix.vlm.api.ledger import Ledger
from comix.vlm.lettering import is_wide

READERS = {
    "n_failed": "failed", "n_texts": "texts", "n_words": "words", "n_outside": "outside", "requests": "requests",
    "seconds": "s/page", "cost_usd": "$", "usd_per_1000": "$/1000 pages",
}  # fmt: skip
AGREEMENT = {
    "words_recall": "words", "words_precision": "words back", "chars_recall": "chars", "cer": "CER", "whole": "whole",
    "panel": "panel", "kind": "kind",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row per reader, one per pair of readers on the pages that both have read, and what failed."""

    readers: list[Row]
    agreements: list[Row]
    notes: list[str]


def compare_readers(workspace: Workspace, names: Sequence[str]) -> Comparison:
    """Compare readers of a workspace.

    Raises:
        UsageError: fewer than two, or one named twice.
        MissingInputError: one has read nothing here.
    """
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise UsageError(f"readers={','.join(names)}: wanted two or more different folders below analysis/")
    found = {name: _by_page(workspace, name) for name in names}
    rows, notes = [], []
    for name in names:
        row, classes = _reader_row(workspace, name, found[name])
        rows.append(row)
        if classes:
            notes.append(f"{name}: {', '.join(f'{n} {cls}' for cls, n in sorted(classes.items(), key=lambda one: -one[1]))}")
    return Comparison(rows, [_agreement(*pair, found) for pair in combinations(names, 2)], notes)


def _by_page(workspace: Workspace, name: str) -> dict[str, Analysis]:
    return {one.page_id: one for one in read_folder(workspace.require_analyses(name)).values()}


def _reader_row(workspace: Workspace, name: str, pages: dict[str, Analysis]) -> tuple[Row, Counter[str]]:
    """A reader's figures; and its classes of replies and failures."""
    texts = [item.text for page in pages.values() for item in _as_truth(page).texts]
    figures: dict[str, Figure] = {
        "n_texts": len(texts),
        "n_words": sum(len(words_of(text)) for text in texts),
        "n_outside": sum(len(page.unassigned) for page in pages.values()),
    }
    classes: Counter[str] = Counter()
    seconds: float | None = None
    if workspace.journal("analyze").is_file():
        with Journal(workspace.journal("analyze"), name, read_only=True) as journal:
            tried = list(journal.rows())
        failed = [row for row in tried if row.status == "failed"]
        figures["n_failed"] = len(failed)
        classes.update(f"page failed: {row.reason}" for row in failed)
        timed = [row.seconds for row in tried if row.status == "done" and row.seconds > 0]
        seconds = sum(timed) / len(timed) if timed else None
    ledgers = sorted((workspace.root / "vlm").glob("ledger*.sqlite"))
    if ledgers:
        with Ledger(ledgers[0], ledgers[1:]) as ledger:
            attempts, totals = ledger.by_class(name), ledger.totals(reader=name)
        if attempts:
            classes.update({f"reply {cls}": n for cls, (n, _) in attempts.items()})
            seconds = sum(spent for _, spent in attempts.values()) / len(pages)
            cost = totals.cost_usd + totals.at_risk_usd
            figures |= {"requests": totals.n, "cost_usd": cost, "usd_per_1000": 1000 * cost / len(pages)}
    figures["seconds"] = seconds
    return Row(name, "all", len(pages), figures), classes


def _agreement(one: str, other: str, found: dict[str, dict[str, Analysis]]) -> Row:
    """How much of what the first reader says the second says too, on the pages that both have read."""
    both = sorted(found[one].keys() & found[other].keys())
    pages: list[ReadPage] = [read_page(_as_truth(found[one][key]), found[other][key]) for key in both]
    name = f"{one} = {other}"
    return text_row(name, "both", pages) if pages else Row(name, "both", 0, {})


def _as_truth(analysis: Analysis) -> TranscriptPage:
    """A reader's page as if it were a transcript."""
    book = analysis.page_id.rpartition("/")[0]
    panels = {panel.panel_number: Box.from_xywh(panel.box) for panel in analysis.panels if panel.box}
    page = TranscriptPage(analysis.page_id, analysis.page_id, "", "", book, book, {}, ())
    texts = tuple(texts_read(page, analysis))
    letters = [character for text in texts for character in text.text if character.isalnum()]
    without_spaces = 2 * sum(map(is_wide, letters)) > len(letters)
    return replace(page, panels=panels, texts=texts, language="ja" if without_spaces else "")
