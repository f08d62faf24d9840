"""Finding panels and pages: text meets words, pictures meet pictures, "like this" meets the fused space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import MissingInputError, UsageError
from comix.search.index import PAGES, PANELS
from comix.search.manifest import is_current, is_intact, read_manifest
from comix.search.spaces import Floats, Ids, Space
from comix.search.words import WordIndex, words_of

Level = Literal["panel", "page"]
Mask = NDArray[np.bool_]
Ranking = tuple[Ids, Floats]
"""Ids with their scores, best first."""

SURE = 0.5
"""BM25 share from which on the words alone decide. A half-remembered line reaches 0.3 to 0.6, a paraphrase 0.05 to 0.25."""
_CANDIDATES = 200
_MOST_NAMES = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """One result.

    Attributes:
        rank: from 1.
        score: cosine; for text see `fused`. Higher is better.
        page_id: where; ``panel`` counts from 1 in reading order, 0 for a whole page.
        text: the panel's words, for a page those of its best panel or "".
        image_path: page image, relative to the workspace where it is inside.
        box: ``(x, y, w, h)`` of the panel, None for a whole page.
    """

    rank: int
    score: float
    page_id: str
    panel: int
    series: str
    page_type: str
    text: str
    image_path: str
    box: tuple[float, float, float, float] | None


class Searcher:
    """An open index.

    Args:
        folder: the ``index`` folder.
        store: the store it belongs to.
        tables: files that the filters come from, as given to `build_index`.
        command: the command that builds the index, for messages.

    Raises:
        MissingInputError: never indexed.
        UsageError: the index is older than its store or tables, or its files were changed.
    """

    def __init__(self, folder: Path, store: Path, tables: dict[str, Path], command: str = "comix index") -> None:
        manifest = read_manifest(folder)
        if manifest is None:
            raise MissingInputError(f"{folder}: these embeddings are not indexed yet; first run: {command}")
        if not is_current(manifest, store, tables):
            raise UsageError(f"{folder}: the index is older than its store or its page types; run again: {command}")
        if not is_intact(manifest, folder):
            raise UsageError(f"{folder}: the index is damaged (a file is not the one that was built); run again: {command}")
        self.folder, self.manifest = folder, manifest
        self._spaces: dict[str, Space] = {}
        pages = _read(folder / PAGES)
        self._page_ids, self._series, self._types, self._images = (
            pages[name].to_pylist() for name in ("page_id", "series", "page_type", "image_path")
        )
        self._written: Mask = np.asarray(pages["is_written"])

    @cached_property
    def _panels(self) -> Any:
        return _read(self.folder / PANELS)

    @cached_property
    def _row_of(self) -> Ids:
        """Row of the page of each panel ``(n_panels,)``."""
        return np.asarray(self._panels["row"])

    def _space(self, name: str) -> Space:
        if name not in self._spaces:
            self._spaces[name] = Space(self.folder / f"{name}.faiss")
        return self._spaces[name]

    def pages_where(self, series: str = "", page_type: str = "") -> Mask | None:
        """Which pages ``(n_rows,)`` the filters leave; None for all.

        Args:
            series: whole name, upper and lower case alike; "" for any. Likewise ``page_type``.

        Raises:
            UsageError: no page has such a value; names the nearest ones.
        """
        mask: Mask | None = None
        for key, wanted, values in (("series", series, self._series), ("page_type", page_type, self._types)):
            if not wanted.strip():
                continue
            here = np.array([value.casefold() == wanted.strip().casefold() for value in values], np.bool_)
            if not here.any():
                raise UsageError(
                    f"{key}={wanted}: no page has it{_all_of(wanted, sorted({value for value in values if value}))}"
                )
            mask = here if mask is None else mask & here
        return mask

    def by_text(self, text: str, vector: Floats, top_k: int, level: Level = "panel", pages: Mask | None = None) -> list[Hit]:
        """Panels, or pages by their best panel, whose words fit a text in meaning and spelling.

        Args:
            text: any characters.
            vector: ``(384,)`` the text's MiniLM vector.
            top_k: how many; fewer only where fewer pages have words at all.
            level: what to list.
            pages: filter, see `pages_where`.
        """
        words = WordIndex(self.folder, len(self._row_of)).scores(text)
        space, allowed = self._space("panel_text"), self._panels_on(pages)

        def search(n: int) -> Ranking:
            return fused(space, vector, words, n, allowed)

        return self._hits(self._ranked(search, top_k, level), level)

    def unknown_words(self, text: str) -> list[tuple[str, list[str]]]:
        """Words of a text that stand nowhere in the collection, each with those there that are spelled nearly like it."""
        words = WordIndex(self.folder, len(self._row_of))
        return [(word, words.near(word)) for word in words.unknown(text)]

    def by_image(self, vector: Floats, top_k: int, level: Level = "panel", pages: Mask | None = None) -> list[Hit]:
        """Panels, or pages by their best panel, that look like a picture.

        Args:
            vector: ``(1280,)`` the picture's features, of length 1; the rest as in `by_text`.
        """
        allowed, space = self._panels_on(pages), self._space("panel_image")
        return self._hits(self._ranked(lambda n: space.nearest(vector, n, allowed), top_k, level), level)

    def like_panel(self, page_id: str, panel: int, top_k: int, level: Level = "panel", pages: Mask | None = None) -> list[Hit]:
        """Panels, or pages by their best panel, like one of the collection's, itself left out.

        Raises:
            UsageError: unknown page, or no such panel.
        """
        row = self._row(page_id)
        here = np.flatnonzero(self._row_of == row)
        if not 1 <= panel <= len(here):
            raise UsageError(f"like={page_id}:{panel}: this page has {len(here)} panels; wanted a number from 1 to {len(here)}")
        allowed = self._panels_on(pages)
        allowed = np.ones(len(self._row_of), np.bool_) if allowed is None else allowed
        own = int(here[panel - 1])
        allowed[here if level == "page" else own] = False
        space = self._space("panel")
        vector = space.vector(own)
        return self._hits(self._ranked(lambda n: space.nearest(vector, n, allowed), top_k, level), level)

    def like_page(self, page_id: str, top_k: int, pages: Mask | None = None) -> list[Hit]:
        """Pages like one of the collection's, itself left out.

        Raises:
            UsageError: unknown page.
        """
        row = self._row(page_id)
        allowed = np.ones(len(self._page_ids), np.bool_) if pages is None else pages.copy()
        allowed[row] = False
        space = self._space("page")
        ids, scores = space.nearest(space.vector(row), top_k, allowed)
        return [self._page_hit(rank, score, int(one), "") for rank, (one, score) in enumerate(zip(ids, scores, strict=True), 1)]

    def split_like(self, like: str) -> tuple[str, int]:
        """Page id and panel of ``PAGE_ID[:PANEL]``; panel 0 where none is named. A page id may hold colons itself."""
        page_id, colon, panel = like.rpartition(":")
        if like in self._page_ids or not colon or not panel.isdecimal():
            return like, 0
        return page_id, int(panel)

    def _row(self, page_id: str) -> int:
        if page_id not in self._page_ids:
            near = get_close_matches(page_id, _similar(page_id, self._page_ids), n=3, cutoff=0.4)
            guess = f"; nearest: {', '.join(repr(one) for one in near)}" if near else "; ids are BOOK/0001, see pages.parquet"
            raise UsageError(f"like={page_id}: no such page among the {len(self._page_ids)} embedded ones{guess}")
        row = self._page_ids.index(page_id)
        if not self._written[row]:
            raise UsageError(f"like={page_id}: not embedded (no panels, or failed); see comix failures skipped=true")
        return int(row)

    def _panels_on(self, pages: Mask | None) -> Mask | None:
        return None if pages is None else pages[self._row_of]

    def _ranked(self, search: Callable[[int], Ranking], top_k: int, level: Level) -> Ranking:
        """The best ``top_k``; for pages it asks for ever more panels until that many pages are among them."""
        n = top_k if level == "panel" else 4 * top_k
        while True:
            ids, scores = search(n)
            if level == "page":
                _, first = np.unique(self._row_of[ids], return_index=True)
                first.sort()
                if len(first) < top_k and len(ids) >= n:
                    n *= 4
                    continue
                ids, scores = ids[first], scores[first]
            return ids[:top_k], scores[:top_k]

    def _hits(self, ranking: Ranking, level: Level) -> list[Hit]:
        ids, scores = ranking
        rows = self._panels.take(ids).to_pylist()
        hits = []
        for rank, (score, panel) in enumerate(zip(scores, rows, strict=True), 1):
            row = panel["row"]
            if level == "page":
                hits.append(self._page_hit(rank, score, row, panel["text"]))
                continue
            box = (panel["x"], panel["y"], panel["w"], panel["h"])
            facts = (self._series[row], self._types[row], panel["text"], self._images[row])
            hits.append(Hit(rank, float(score), self._page_ids[row], panel["panel"], *facts, box))
        return hits

    def _page_hit(self, rank: int, score: float, row: int, text: str) -> Hit:
        facts = (self._series[row], self._types[row], text, self._images[row])
        return Hit(rank, float(score), self._page_ids[row], 0, *facts, None)


def fused(
    space: Space, vector: Floats, words: Floats, n: int, allowed: Mask | None = None, trust: float | None = None
) -> Ranking:
    """The ``n`` best panels by words and meaning together: candidates of either, each scored by both.

    The better the query's words are found anywhere, the more they count: a line somebody half remembers is found by its
    words, a paraphrase by its meaning. Score = trust * words / best words + (1 - trust) * cosine.

    Args:
        space: text vectors.
        vector: ``(d,)`` of the query.
        words: ``(n_panels,)`` BM25 shares.
        n: how many.
        allowed: ``(n_panels,)`` filter.
        trust: weight of the words; None takes it from how well they are found, see `SURE`.
    """
    wide = max(_CANDIDATES, 2 * n)
    near, cosines = space.nearest(vector, wide, allowed)
    spelled = np.flatnonzero(words if allowed is None else words * allowed)
    spelled = spelled[np.argsort(-words[spelled], kind="stable")[:wide]]
    others = np.zeros(len(words), np.bool_)
    others[np.setdiff1d(spelled, near)] = True
    rest, rest_cosines = space.nearest(vector, int(others.sum()), others)
    ids = np.concatenate([near, rest])
    best = max(float(words.max(initial=0)), 1e-9)
    trust = min(1.0, best / SURE) if trust is None else trust
    scores = trust * words[ids] / best + (1 - trust) * np.concatenate([cosines, rest_cosines])
    order = np.lexsort((ids, -scores))[:n]
    return ids[order], scores[order].astype(np.float32)


def _all_of(wanted: str, known: list[str]) -> str:
    """Every name there is, the nearest first, for a message; of very many the first ones and how many more."""
    near = get_close_matches(wanted, known, n=3, cutoff=0.5)
    names = [*near, *(name for name in known if name not in near)]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    guess = f" (did you mean {near[0]!r}?)" if near else ""
    return f"{guess}; there are: {', '.join(names[:_MOST_NAMES]) or 'none'}{more}"


def _similar(page_id: str, known: list[str], most: int = 2000) -> list[str]:
    """Ids worth comparing letter by letter: those that share a word or the book's beginning, at most so many."""
    words = set(words_of(page_id))
    start = page_id.casefold()[:4]
    return [one for one in known if one.casefold().startswith(start) or words & set(words_of(one))][:most]


def _read(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(path, memory_map=True)
