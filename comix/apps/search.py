"""Find panels and pages by words, by a picture, or like one you have.

Words meet the words on the page (meaning by MiniLM, spelling by BM25), pictures meet pictures, ``like=`` meets panels by
everything the model knows of them. Filters go first: you get ``top_k`` results wherever that many exist. Prints a table
and writes a page with pictures below ``search/``.

Examples:
  comix search "the killer must have followed her" top_k=5
  comix search image=panel.jpg series="Pepper&Carrot"
  comix search like="Pepper&Carrot/Pepper&Carrot 01 - Potion of Flight/0002:1"
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import say, workspace_argument
from comix.apps.index import filter_tables
from comix.apps.status import existing_workspace
from comix.core.errors import FileFormatError, ItemError, UsageError
from comix.core.workspace import Workspace
from comix.embed.place import INDEX, STORE, choose_embeddings, embeddings_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.io.images import BgrImage
    from comix.search.find import Hit, Level, Mask, Searcher

_SNIPPET = 90
_PLAIN_WIDTH = 140
"""Columns of the table where the output is no terminal."""


def main(cfg: DictConfig) -> int:
    """Search, print, write the page; 0."""
    kind, query = the_query(cfg.text, cfg.image, cfg.like)
    workspace = existing_workspace(cfg)
    name = choose_embeddings(workspace, cfg.name)
    searcher = open_searcher(workspace, name)
    pages = searcher.pages_where(cfg.series, cfg.page_type)
    picture = read_picture(query) if kind == "image" else None
    hits, level = run_query(searcher, kind, query, picture, cfg.top_k, cfg.level, pages)
    show(hits, level)
    hint = missing_words(searcher, query) if kind == "text" else ""
    if hint:
        say(f"  {hint}")
    filters = [(key, cfg[key]) for key in ("series", "page_type") if cfg[key]]
    notes = (("embeddings", name), ("by", level), *filters, ("results", str(len(hits))), *([("note", hint)] if hint else []))
    path = write_page(workspace, kind, query, notes, hits, picture)
    say(f"search: {len(hits)} results in {name}; {path}")
    return 0


def the_query(text: str, image: str, like: str) -> tuple[str, str]:
    """What is searched for: its kind and the query.

    Raises:
        UsageError: none, or several.
    """
    given = [(kind, value.strip()) for kind, value in (("text", text), ("image", image), ("like", like)) if value.strip()]
    if len(given) != 1:
        found = "the text is empty" if not given else "given: " + " and ".join(f"{kind}=" for kind, _ in given)
        raise UsageError(f"{found}; wanted one: comix search TEXT, or image=FILE, or like=PAGE_ID[:PANEL]")
    return given[0]


def open_searcher(workspace: Workspace, name: str) -> Searcher:
    """The index of these embeddings."""
    from comix.search.find import Searcher

    folder = embeddings_dir(workspace, name)
    command = f"comix index name={name} {workspace_argument(workspace)}"
    return Searcher(folder / INDEX, folder / STORE, filter_tables(workspace), command)


def read_picture(image: str) -> BgrImage:
    """Pixels of the query's picture.

    Raises:
        FileFormatError: not there, or no image.
    """
    from comix.io.images import read_bgr

    path = Path(image)
    try:
        return read_bgr(path)
    except (ItemError, OSError) as error:
        found = "no such file" if not path.exists() else "no decoder accepts it as an image"
        raise FileFormatError(f"image={image}: {found}; wanted a JPEG, PNG, WebP or other picture of a panel") from error


def run_query(
    searcher: Searcher, kind: str, query: str, picture: BgrImage | None, top_k: int, level: str, pages: Mask | None
) -> tuple[list[Hit], Level]:
    """The hits and what they are, panels or pages; loads no more of the encoders than the query needs."""
    wanted: Any = "panel" if level == "auto" else level
    if kind == "text":
        from comix.search.minilm import QueryEncoder

        return searcher.by_text(query, QueryEncoder().encode(query), top_k, wanted, pages), wanted
    if kind == "image":
        from comix.models.frozen import image_encoder
        from comix.search.spaces import unit

        assert picture is not None
        return searcher.by_image(unit(image_encoder().encode([picture])[0]), top_k, wanted, pages), wanted
    page_id, panel = searcher.split_like(query)
    if panel or query != page_id:
        return searcher.like_panel(page_id, panel, top_k, wanted, pages), wanted
    if level == "panel":
        raise UsageError(f"like={query} level=panel: a page is compared with pages; name a panel: like={query}:1")
    return searcher.like_page(page_id, top_k, pages), "page"


def missing_words(searcher: Searcher, query: str) -> str:
    """Which words of the query stand on no page, with the nearest that do; "" when all of them are somewhere."""
    told = [
        f"{word!r}" + (f" (there is {', '.join(map(repr, near))})" if near else "")
        for word, near in searcher.unknown_words(query)
    ]
    return f"on no page: {', '.join(told)}; for these the results go by meaning alone" if told else ""


def show(hits: list[Hit], level: Level) -> None:
    """Print the table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from comix.search.web import shortened

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("page_id", overflow="fold")
    if level == "panel":
        table.add_column("panel", justify="right")
    table.add_column("series", overflow="fold")
    table.add_column("words", overflow="fold")
    for hit in hits:
        cells = [str(hit.rank), f"{hit.score:.3f}", hit.page_id, str(hit.panel), hit.series, shortened(hit.text, _SNIPPET)]
        table.add_row(*(Text(cell) for place, cell in enumerate(cells) if level == "panel" or place != 3))
    console = Console()
    (console if console.is_terminal else Console(width=_PLAIN_WIDTH)).print(table)


def write_page(
    workspace: Workspace, kind: str, query: str, notes: tuple[tuple[str, str], ...], hits: list[Hit], picture: BgrImage | None
) -> Path:
    """Write the page with pictures; its path."""
    from comix.io.images import read_bgr
    from comix.report.thumbnail import crop_uri, data_uri
    from comix.search.web import ResultPage, slug, write_results

    def thumbnail(hit: Hit) -> str:
        try:
            image = read_bgr(workspace.root / hit.image_path)
        except (ItemError, OSError):
            return ""
        return crop_uri(image, hit.box) if hit.box else data_uri(image, min(1.0, 420 / max(image.shape[:2])))

    path = workspace.root / "search" / f"{slug(kind, query, notes)}.html"
    own = data_uri(picture, min(1.0, 420 / max(picture.shape[:2]))) if picture is not None else ""
    write_results(path, ResultPage(query, kind, notes, own), hits, thumbnail)
    return path
