"""A claimed chunk of the store in memory: rows are filled in one by one, and written whole."""

from __future__ import annotations

import time

import numpy as np

from comix.core.errors import ItemError
from comix.core.journal import Journal, Row, Status
from comix.core.reasons import hint_for
from comix.embed.encoder import EncodedPage
from comix.embed.rows import EmbedInput
from comix.io.zarrlayout import BEYOND_SLOTS, EMPTY, FAILED, NO_PANELS, VARIABLES, WRITTEN, names
from comix.io.zarrstore import Arrays, EmbeddingStore

Known = tuple[str, str, str]
"""What the journal says of an input: status, fingerprint, reason."""


def needs_work(one: EmbedInput, status: int, digest: int, known: Known | None, retry: tuple[bool, str]) -> bool:
    """Whether a row has to be made; it counts as finished only when store and journal agree.

    Args:
        one: the input.
        status: of its row in the store; likewise ``digest``.
        known: what the journal says, None when it says nothing.
        retry: whether failed inputs are tried again, and which reason only ("" for all).
    """
    if known is None or known[1] != one.fingerprint or status == EMPTY:
        return True
    if known[0] == "failed":
        return retry[0] and retry[1] in ("", known[2])
    return digest != one.digest or status != (WRITTEN if known[0] == "done" else NO_PANELS)


def journal_row(one: EmbedInput, status: Status, reason: str = "", detail: str = "", n_panels: int = 0) -> Row:
    """What became of an input."""
    return Row(one.key, status, "", reason, detail, hint_for(reason), one.fingerprint, {"n_panels": n_panels})


class ChunkWriter:
    """The arrays of a chunk that this process has claimed, with the journal rows that wait for them to be written."""

    def __init__(self, store: EmbeddingStore, chunk: int, journal: Journal, flush_s: float) -> None:
        self._store, self._chunk, self._journal, self._flush_s = store, chunk, journal, flush_s
        self._start = store.chunk_rows(chunk).start
        self._arrays: Arrays = store.read_chunk(chunk)
        self._rows: list[Row] = []
        self._last = time.monotonic()

    def put(self, row: int, one: EmbedInput, found: EncodedPage | ItemError) -> Status:
        """Fill a row with an answer of the model; what became of the input."""
        place = row - self._start
        if isinstance(found, ItemError):
            _put_nothing(self._arrays, place, one.digest, FAILED)
            return self._settle(journal_row(one, "failed", found.reason, found.detail))
        _put_page(self._arrays, place, one.digest, found)
        return self._settle(journal_row(one, "done", n_panels=len(found.boxes)))

    def put_fault(self, row: int, one: EmbedInput) -> Status:
        """Note an input that cannot be encoded; what was embedded before a page broke stays. What became of it."""
        place = row - self._start
        is_skipped = one.reason == "no_panels"
        if is_skipped or self._arrays["status"][place] != WRITTEN:
            _put_nothing(self._arrays, place, one.digest, NO_PANELS if is_skipped else FAILED)
        return self._settle(journal_row(one, "skipped" if is_skipped else "failed", one.reason, one.detail))

    def _settle(self, row: Row) -> Status:
        self._rows.append(row)
        return row.status

    def flush_when_due(self) -> None:
        """Write when the last time is long ago."""
        if time.monotonic() - self._last > self._flush_s:
            self.flush()

    def flush(self) -> None:
        """Write the chunk, then the journal: a journal row never speaks of what the store does not hold."""
        if self._rows:
            self._store.write_chunk(self._chunk, self._arrays)
            self._journal.record([(row, ()) for row in self._rows])
        self._rows, self._last = [], time.monotonic()


def _put_page(chunk: Arrays, place: int, digest: int, page: EncodedPage) -> None:
    """Fill one row; panels that do not fit the slots are dropped and counted."""
    _clear(chunk, place)
    n = min(len(page.boxes), chunk["panel_mask"].shape[1])
    parts = {
        "panel_embeddings": page.panel_embeddings, "panel_image_embeddings": page.panel_image_embeddings,
        "panel_text_embeddings": page.panel_text_embeddings, "attention_weights": page.attention,
        "panel_coordinates": page.boxes,
        "reading_order": np.where(page.next_panel >= n, BEYOND_SLOTS, page.next_panel),
    }  # fmt: skip
    chunk["next_panel_probability"][place, :n, :n] = page.next_probability[:n, :n]
    chunk["next_panel_probability"][place, :n, -1] = page.next_probability[:n, -1]
    for name, values in parts.items():
        chunk[name][place, :n] = values[:n]
    for slot, text in enumerate(page.texts[:n]):
        chunk["text_content"][place, slot] = text
    chunk["panel_mask"][place, :n] = True
    chunk["page_embeddings"][place] = page.page_embedding
    chunk["n_panels_dropped"][place] = len(page.boxes) - n
    chunk["row_digest"][place], chunk["status"][place] = digest, WRITTEN


def _put_nothing(chunk: Arrays, place: int, digest: int, status: int) -> None:
    """Empty one row; its mask is empty, its status says why."""
    _clear(chunk, place)
    chunk["row_digest"][place], chunk["status"][place] = digest, status


def _clear(chunk: Arrays, place: int) -> None:
    for name in names("data"):
        chunk[name][place] = VARIABLES[name].empty
