"""From the gathered facts to one HTML string; everything from outside is escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
_URL = re.compile(r"https?://[^\s<>\"'()]+")


def render(facts: Mapping[str, Any]) -> str:
    """The report.

    Args:
        facts: what ``index.html.j2`` names; a missing one is an error.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(count=count, percent=percent, first_url=first_url)
    css = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "learned.css"))
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    template = environment.get_template("index.html.j2")
    return template.render(**facts, css=Markup(css), script=Markup(script), script_sha=sha)


def count(value: float | None) -> str:
    """A number with separators, a dash for what is unknown.

    >>> count(12345), count(None)
    ('12,345', '–')
    """
    return "–" if value is None else f"{value:,}"


def percent(part: float, whole: float = 1.0) -> str:
    """A share as a CSS length, 0 % of nothing.

    >>> percent(1, 3), percent(1, 0)
    ('33.33%', '0%')
    """
    return f"{100 * part / whole:.2f}%" if whole else "0%"


def first_url(text: str) -> str:
    """The first web address in a text, "" without one; never another scheme.

    >>> first_url("https://a.example (files from b.example)"), first_url("javascript:alert(1)")
    ('https://a.example', '')
    """
    match = _URL.search(text)
    return match[0].rstrip(".,;") if match else ""
