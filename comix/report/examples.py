"""Example searches with their results, run once per index and kept in ``report/search_examples.json``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from comix.core.errors import ComixError, ItemError, MissingInputError
from comix.core.files import digest, json_bytes, read_json, write_bytes
from comix.core.workspace import Workspace
from comix.embed.place import INDEX, STORE, choose_embeddings, embeddings_dir
from comix.io.images import BgrImage, read_bgr
from comix.report.pages import PageView
from comix.report.queries import Query, suggest
from comix.report.thumbnail import crop_uri
from comix.search.find import Hit, Searcher
from comix.search.manifest import NAME, is_current, is_intact, read_manifest
from comix.search.web import marked, shortened

VERSION = 1
TOP_K = 5
_HEIGHT, _WIDTH = 150, 260


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Found(_Strict):
    """One result; ``image`` is a data URI, "" when the page's image cannot be read."""

    page_id: str
    panel: int
    score: float
    text: str
    image: str

    def pieces(self, query: str) -> list[tuple[str, bool]]:
        """The text in pieces, words of the query marked."""
        return marked(shortened(self.text, 150), query)


class Example(_Strict):
    """One search with its results; ``problem`` says why there are none."""

    kind: str
    text: str
    source: str
    page_id: str
    panel: int
    image: str = ""
    found: list[Found] = []
    problem: str = ""

    @property
    def rank(self) -> int | None:
        """Where the panel itself was found, from 1; None beyond the list."""
        places = [place for place, one in enumerate(self.found, 1) if (one.page_id, one.panel) == (self.page_id, self.panel)]
        return places[0] if places else None


class Examples(_Strict):
    """The kept file; ``key`` is of the index, the queries and this code."""

    version: int
    key: str
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class SearchView:
    """What the section shows; without ``examples``, ``problem`` says why and ``command`` mends it ("" for nothing to do)."""

    examples: tuple[Example, ...] = ()
    name: str = ""
    n_panels: int = 0
    n_pages: int = 0
    problem: str = ""
    command: str = ""


def read_examples(workspace: Workspace, views: Sequence[PageView], where: str) -> SearchView:
    """Results of a few searches, from the kept file where index and pages are as they were then; never raises.

    Args:
        workspace: as elsewhere; its newest embeddings are searched.
        views: the shown pages, which the searches are made from.
        where: ``workspace=...`` as the commands name it.
    """
    try:
        name = choose_embeddings(workspace, "")
    except ComixError:
        return SearchView(problem="There is nothing to search yet.", command=f"comix embed {where} && comix index {where}")
    folder = embeddings_dir(workspace, name)
    command = f"comix index {shlex.quote(f'name={name}')} {where}"
    tables = {"curation": workspace.curation_table}
    manifest = read_manifest(folder / INDEX)
    if manifest is None:
        return SearchView(name=name, problem="The embeddings are not indexed yet.", command=command)
    if not is_current(manifest, folder / STORE, tables):
        return SearchView(name=name, problem="The index is older than the embeddings or the page types.", command=command)
    if not is_intact(manifest, folder / INDEX):
        return SearchView(name=name, problem="The index is damaged: a file is not the one that was built.", command=command)
    try:
        examples = _examples(workspace, folder, tables, views, command)
    except Exception as error:  # noqa: BLE001  (an example that cannot be made never costs the report)
        return SearchView(name=name, problem=f"No example could be made ({type(error).__name__}: {error}).", command=command)
    problem = "" if examples else "No shown page is in the index and has a line or a panel that makes an example."
    return SearchView(
        tuple(examples), name, manifest.n_vectors.get("panel", 0), manifest.n_vectors.get("page", 0), problem,
        "" if examples else f"comix search WORDS {where}",
    )  # fmt: skip


def _examples(
    workspace: Workspace, folder: Path, tables: dict[str, Path], views: Sequence[PageView], command: str
) -> list[Example]:
    queries = suggest(views, _embedded(folder))
    key = digest(VERSION, (folder / INDEX / NAME).read_text(encoding="utf-8"), folder.name, TOP_K, queries)
    kept = workspace.report.parent / "search_examples.json"
    known = _kept(kept)
    if known is not None and known.key == key:
        return known.examples
    searcher = Searcher(folder / INDEX, folder / STORE, tables, command)
    runner = _Runner(workspace, searcher, views)
    examples = [runner.run(query) for query in queries]
    if not any(one.problem for one in examples):
        write_bytes(kept, json_bytes(Examples(version=VERSION, key=key, examples=examples).model_dump(mode="json"), indent=1))
    return examples


def _embedded(folder: Path) -> set[str]:
    """Ids of the pages that can be found."""
    from comix.io.tables import read_parquet
    from comix.search.index import PAGES

    pages = read_parquet(folder / INDEX / PAGES)
    return {str(page_id) for page_id in pages.loc[pages["is_written"], "page_id"]}


def _kept(path: Path) -> Examples | None:
    try:
        found = Examples.model_validate(read_json(path))
    except (ComixError, ValidationError):
        return None
    return found if found.version == VERSION else None


class _Runner:
    """Runs queries; loads an encoder only for the query that needs it, and every page image once."""

    def __init__(self, workspace: Workspace, searcher: Searcher, views: Sequence[PageView]) -> None:
        self._workspace, self._searcher = workspace, searcher
        self._paths = {view.page_id: view.image_path for view in views}
        self._images: dict[str, BgrImage | None] = {}

    def run(self, query: Query) -> Example:
        """One query; what goes wrong is said in it."""
        path = self._paths[query.page_id]
        own = self._crop(path, query.box) if query.box else ""
        facts = {"kind": query.kind, "text": query.text, "source": query.source, "page_id": query.page_id, "panel": query.panel}
        try:
            hits = self._hits(query)
        except (ComixError, ImportError, OSError) as error:
            return Example(**facts, image=own, problem=str(error))
        found = [
            Found(
                page_id=hit.page_id, panel=hit.panel, score=round(float(hit.score), 4), text=hit.text,
                image=self._crop(hit.image_path, hit.box or ()),
            )
            for hit in hits
        ]  # fmt: skip
        return Example(**facts, image=own, found=found)

    def _hits(self, query: Query) -> list[Hit]:
        if query.kind == "like":
            return self._searcher.like_panel(query.page_id, query.panel, TOP_K)
        if query.kind == "text":
            from comix.search.minilm import QueryEncoder

            return self._searcher.by_text(query.text, QueryEncoder().encode(query.text), TOP_K)
        vector = panel_picture(self._searcher.folder.parent / STORE, query.page_id, query.panel)
        hits = self._searcher.by_image(vector, TOP_K + 1)
        return [hit for hit in hits if (hit.page_id, hit.panel) != (query.page_id, query.panel)][:TOP_K]

    def _crop(self, path: str, box: Sequence[float]) -> str:
        image = self._read(path)
        if image is None or len(box) != 4:
            return ""
        return crop_uri(image, box, max(24, min(_HEIGHT, round(_WIDTH * box[3] / max(box[2], 1)))))

    def _read(self, path: str) -> BgrImage | None:
        if path not in self._images:
            try:
                self._images[path] = read_bgr(self._workspace.root / path)
            except (ItemError, OSError):
                self._images[path] = None
        return self._images[path]


def panel_picture(path: Path, page_id: str, panel: int) -> NDArray[np.float32]:
    """Features ``(1280,)`` of a panel's picture as the store has them, of length 1: no encoder has to be loaded.

    Raises:
        MissingInputError: no such panel in the store.
    """
    from comix.io.zarrstore import EmbeddingStore
    from comix.search.spaces import unit

    store = EmbeddingStore(path)
    row = store.page_ids().index(page_id)
    features = store.read("panel_image_embeddings", slice(row, row + 1))[0]  # (slots, 1280)
    if not 1 <= panel <= len(features) or not np.isfinite(features[panel - 1]).all():
        raise MissingInputError(f"{page_id}: panel {panel} is not in the store; run comix embed and comix index again")
    vector: NDArray[np.float32] = unit(features[panel - 1])
    return vector
