"""The `embed` stage: pages and a model in, rows of one store out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from comix.core.errors import ComixError, ItemError
from comix.core.journal import Journal, Status
from comix.core.progress import Progress
from comix.core.shard import ALL, Shard
from comix.core.work import Summary, parse_retry
from comix.data.page import PageExample
from comix.embed.chunk import ChunkWriter, journal_row, needs_work
from comix.embed.encoder import EncodedPage, PageEncoder
from comix.embed.rows import EmbedInput
from comix.io.zarrstore import EmbeddingStore

_MOST_STUMBLES = 8
"""Pages in a row that the model stumbles over before the run stops: by then it is not the pages."""


class EmbedStoppedError(ComixError, RuntimeError):
    """Embedding cannot go on: what fails is not a page."""


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How the stage runs.

    Attributes:
        batch_size: pages that go through the model together.
        shard: this process writes every n-th chunk, starting with the k-th.
        retry: "" to leave failed pages alone, "failed" or "failed:REASON" to try them again.
        flush_s: longest time between two writes of a chunk; a killed run loses no more than this.
    """

    batch_size: int = 32
    shard: Shard = ALL
    retry: str = ""
    flush_s: float = 20.0


def run_embed(
    store: EmbeddingStore,
    inputs: Sequence[EmbedInput],
    open_encoder: Callable[[], PageEncoder],
    journal: Journal,
    options: EmbedOptions,
) -> Summary:
    """Embed every page that is not finished yet.

    Args:
        store: has a row for every input that has an id in it; see `prepare_store`.
        inputs: the pages of the list; those without a row (an unreadable DataSpec) are journalled by the first shard.
        open_encoder: loads the model; called only when a page has to be encoded.
        journal: the stage's ledger.
        options: see `EmbedOptions`.

    Returns:
        Counts over the inputs of this shard.
    """
    run = _Run(store, open_encoder, journal, options)
    members, homeless = _split(store, inputs, options.shard)
    run.summary.inputs = len(homeless) + sum(len(rows) for rows in members.values())
    started = time.monotonic()
    journal.record([(journal_row(one, "failed", one.reason, one.detail), ()) for one in homeless])
    run.summary.failed = len(homeless)
    n_todo = sum(len(run.todo(chunk, rows)) for chunk, rows in members.items())
    try:
        if n_todo:
            with Progress("embed", n_todo, "pages") as progress:
                run.work(members, progress)
        else:
            run.work(members, None)
    finally:
        run.close()
    run.summary.seconds = time.monotonic() - started
    run.summary.notes += _dropped_note(store, members)
    return run.summary


Members = dict[int, list[tuple[int, EmbedInput]]]
"""Chunk -> its inputs with their rows."""


def _split(store: EmbeddingStore, inputs: Sequence[EmbedInput], shard: Shard) -> tuple[Members, list[EmbedInput]]:
    """The inputs of a shard by chunk, and those that have no row."""
    row_of = {page_id: row for row, page_id in enumerate(store.page_ids())}
    members: Members = {}
    for one in inputs:
        chunk = row_of.get(one.key, 0) // store.rows_per_chunk
        if one.key in row_of and chunk % shard.n_parts == shard.part - 1:
            members.setdefault(chunk, []).append((row_of[one.key], one))
    for rows in members.values():
        rows.sort(key=lambda member: member[0])
    return members, [one for one in inputs if one.key not in row_of] if shard.part == 1 else []


def _dropped_note(store: EmbeddingStore, members: Members) -> list[str]:
    per_page: list[int] = []
    for chunk, rows in members.items():
        here = store.chunk_rows(chunk)
        dropped = store.read("n_panels_dropped", here)
        per_page += [int(dropped[row - here.start]) for row, _ in rows]
    n_pages, n_panels = sum(n > 0 for n in per_page), sum(per_page)
    slots = store.dims.max_panels
    return [f"{n_pages} pages have more than max_panels={slots} panels: {n_panels} left out"] if n_pages else []


@dataclass
class _Run:
    """One run over one shard."""

    store: EmbeddingStore
    open_encoder: Callable[[], PageEncoder]
    journal: Journal
    options: EmbedOptions

    def __post_init__(self) -> None:
        self.summary = Summary("embed", "pages")
        self._retry = parse_retry(self.options.retry)
        self._known = self.journal.state()
        self._encoder: PageEncoder | None = None
        self._stumbled = 0

    def work(self, members: Members, progress: Progress | None) -> None:
        """All chunks, those held by another process last."""
        waiting = list(members)
        try:
            for wait in (False, True):
                if wait and waiting:
                    Progress.say(f"embed: another process writes {len(waiting)} of these chunks; waiting for it")
                waiting = [chunk for chunk in waiting if not self._one_chunk(chunk, members[chunk], wait, progress)]
        except KeyboardInterrupt:
            self.summary.interrupted = True
            Progress.say("Stopping: what is embedded is written; the same command goes on.")
        summary = self.summary
        summary.not_reached = summary.inputs - summary.done - summary.failed - summary.skipped

    def todo(self, chunk: int, members: list[tuple[int, EmbedInput]]) -> list[tuple[int, EmbedInput]]:
        """Members of a chunk that have to be worked on."""
        rows = self.store.chunk_rows(chunk)
        status, digests = self.store.read("status", rows), self.store.read("row_digest", rows)
        places = [row - rows.start for row, _ in members]
        return [
            (row, one)
            for (row, one), place in zip(members, places, strict=True)
            if needs_work(one, int(status[place]), int(digests[place]), self._known.get(one.key), self._retry)
        ]

    def _one_chunk(self, chunk: int, members: list[tuple[int, EmbedInput]], wait: bool, progress: Progress | None) -> bool:
        """Do a chunk; whether it could be claimed."""
        with self.store.claim(chunk, wait) as is_mine:
            if not is_mine:
                return False
            if wait:
                self._known = self.journal.state()  # the other process has done some of it
            todo = self.todo(chunk, members)
            pending = {row for row, _ in todo}
            for row, one in members:
                if row not in pending:
                    self._count(self._known[one.key][0])
            if todo:
                writer = ChunkWriter(self.store, chunk, self.journal, self.options.flush_s)
                try:
                    self._fill(writer, todo, progress)
                finally:
                    writer.flush()
            return True

    def _fill(self, writer: ChunkWriter, todo: list[tuple[int, EmbedInput]], progress: Progress | None) -> None:
        """Encode and put; a page's batch follows from its row, so that a resumed run rounds as an undisturbed one does."""
        for row, one in todo:
            if one.page is None:
                self._finish(writer.put_fault(row, one), one, progress)
        with_page = [(row, one, one.page) for row, one in todo if one.page is not None]
        size = self.options.batch_size
        held: list[tuple[int, EmbedInput, EncodedPage | ItemError]] = []
        for _, members in groupby(with_page, key=lambda member: member[0] // size):
            batch = list(members)
            found = self._encode([page for _, _, page in batch])
            held += [(row, one, answer) for (row, one, _), answer in zip(batch, found, strict=True)]
            if not self._stumbled:  # else it is not known yet whether it is these pages or the machine
                self._put(writer, held, progress)
                held = []
            writer.flush_when_due()
        self._put(writer, held, progress)

    def _put(
        self, writer: ChunkWriter, answers: list[tuple[int, EmbedInput, EncodedPage | ItemError]], progress: Progress | None
    ) -> None:
        for row, one, answer in answers:
            self._finish(writer.put(row, one, answer), one, progress)

    def _finish(self, status: Status, one: EmbedInput, progress: Progress | None) -> None:
        self._count(status)
        self.summary.fresh += 1
        if progress is not None:
            progress.advance(status, one.key)

    def _count(self, status: str) -> None:
        setattr(self.summary, status, getattr(self.summary, status) + 1)

    def _encode(self, pages: list[PageExample]) -> list[EncodedPage | ItemError]:
        """Answers for a batch; when the model stumbles, half by half, so that only the faulty page fails.

        Raises:
            EmbedStoppedError: it stumbles over every page, one after another: that is no page's fault.
            OSError: the disk, the weights or the cache: no page's fault either.
        """
        self._encoder = self._encoder or self.open_encoder()
        try:
            found = self._encoder.encode(pages)
        except (OSError, ComixError):
            raise
        except Exception as error:
            if len(pages) > 1:
                middle = len(pages) // 2
                return self._encode(pages[:middle]) + self._encode(pages[middle:])
            self._stumbled += 1
            if self._stumbled >= _MOST_STUMBLES:
                raise EmbedStoppedError(
                    f"the model fails on page after page ({self._stumbled} so far, last {pages[0].page_id}): {_line(error)}; "
                    "what is embedded is kept; see to this, then run the same command again"
                ) from error
            reason = "out_of_memory" if _is_memory(error) else "internal_error"
            return [ItemError(reason, traceback.format_exc(limit=-8))]
        self._stumbled = 0
        return found

    def close(self) -> None:
        """Let the encoder write what it keeps."""
        if self._encoder is not None:
            self._encoder.close()


def _is_memory(error: Exception) -> bool:
    """Whether memory ran out, the processor's or the GPU's, whose error is only known by torch."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
