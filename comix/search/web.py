"""Search results as one HTML file that needs no network and no other file."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comix.core.files import write_bytes
from comix.search.find import Hit
from comix.search.words import words_of

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class ResultPage:
    """What the page says beside the hits.

    Attributes:
        query: as the user gave it.
        kind: ``text``, ``image`` or ``like``.
        notes: pairs of label and value: name of the embeddings, filters, how it was searched.
        picture: data URI of the query's own picture, "" without.
    """

    query: str
    kind: str
    notes: tuple[tuple[str, str], ...]
    picture: str = ""


def slug(kind: str, query: str, *settings: object) -> str:
    """A file name for a search: readable, valid everywhere, another one for other words or settings.

    >>> slug("text", "What?! a 100% flying/witch")
    'text-what-a-100-flying-witch-b40f5682'
    """
    plain = unicodedata.normalize("NFKC", query).casefold()
    words = re.sub(r"[^\w]+", "-", plain).strip("-")[:48].strip("-")
    key = hashlib.sha256(repr((kind, query, settings)).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join(part for part in (kind, words, key) if part)


def marked(text: str, query: str) -> list[tuple[str, bool]]:
    """A text in pieces, those that hold a word of the query marked.

    >>> marked("NO! Don't even", "don't")
    [('NO! ', False), ("Don't", True), (' even', False)]
    """
    wanted = set(words_of(query))
    pieces: list[tuple[str, bool]] = []
    for piece in re.split(r"([^\W_]+(?:['’][^\W_]+)*)", text):
        is_match = bool(wanted & set(words_of(piece)))
        if pieces and pieces[-1][1] == is_match:
            pieces[-1] = (pieces[-1][0] + piece, is_match)
        elif piece:
            pieces.append((piece, is_match))
    return pieces


def shortened(text: str, most: int) -> str:
    """A text on one line, cut between two words where it is longer, with an ellipsis that says so.

    >>> shortened("nobody will  believe me", 12), shortened("short", 12)
    ('nobody will…', 'short')
    """
    plain = " ".join(text.split())
    if len(plain) <= most:
        return plain
    cut = plain[:most]
    return (cut.rpartition(" ")[0] if " " in cut and plain[most - 1] != " " else cut[:-1]).rstrip() + "…"


def write_results(path: Path, page: ResultPage, hits: Sequence[Hit], thumbnail: Callable[[Hit], str]) -> None:
    """Write the page.

    Args:
        path: the ``.html`` file.
        page: its head.
        hits: best first.
        thumbnail: gives a hit's picture as a data URI, "" when there is none.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    cards = [(hit, thumbnail(hit), marked(hit.text, page.query if page.kind == "text" else "")) for hit in hits]
    html = environment.get_template("results.html.j2").render(page=page, cards=cards)
    write_bytes(path, html.encode("utf-8", "replace"))
