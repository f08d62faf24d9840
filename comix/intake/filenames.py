"""What a file name says of a book."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from comix.core.errors import UsageError
from comix.intake.dialects import BookMetadata

_SUFFIXES = frozenset(["cbz", "cbr", "cb7", "cbt", "cba", "zip", "rar", "7z", "tar", "pdf", "epub", "ace"])
_YEAR = re.compile(r"[(\[]((?:19|20)\d\d)[^)\]]*[)\]]")
_VOLUME = re.compile(r"\b(?:v|vol\.?|volume|tome|band)\s*(\d+)\b", re.IGNORECASE)
_EASTERN_VOLUME = re.compile(r"第?\s*(\d+)\s*(?:巻|卷|권)")
_ISSUE = re.compile(
    r"(?P<annual>\bannual\s*#?\s*)?(?:#\s*|\bissue\s+|\bno\.?\s*|\bch(?:apter|ap|\.)?\s*|\bc(?=\d)|(?<=\s))"
    r"(?P<number>(?:(?<=[#\s])-)?\d+(?:\.\d+)?(?:/\d+)?(?:\.?(?:au|mu|inh|now))?|[½¼¾])(?!\w)",
    re.IGNORECASE,
)
_SET = re.compile(r"\.part\d+$|\.\d{3}$", re.IGNORECASE)


def from_file_name(container: str, reader: str = "comix") -> BookMetadata:
    """Series, issue, volume and year as file names usually state them.

    Args:
        container: path relative to the library root.
        reader: ``comix``, or ``comicfn2dict`` for the library of that name (GPL-3.0, not installed by default).

    >>> meta = from_file_name("x/Captain Science #001 (1950) The Beginning.cbz")
    >>> meta.series, meta.issue, meta.year
    ('Captain Science', '1', '1950')
    >>> from_file_name("Pepper&Carrot 01 - Potion of Flight.cbz").series
    'Pepper&Carrot'
    >>> meta = from_file_name("X-Men Annual 3 (1990).cbz")
    >>> meta.series, meta.issue
    ('X-Men', 'Annual 3')

    Raises:
        UsageError: ``comicfn2dict`` is wanted but not installed.
    """
    path = PurePosixPath(container)
    if reader == "comicfn2dict":
        return _through_library(path.name)
    stem = path.stem if path.suffix.lower().lstrip(".") in _SUFFIXES else path.name
    stem = _SET.sub("", stem).replace("_", " ")
    year = _YEAR.search(stem)
    bare = re.sub(r"[(\[][^)\]]*[)\]]", " ", stem)
    volume = _VOLUME.search(bare) or _EASTERN_VOLUME.search(bare)
    issue = _ISSUE.search(bare if volume is None else bare.replace(volume[0], " "))
    places = [bare.find(match[0]) for match in (volume, issue) if match is not None]
    start = min(places, default=-1)
    series = bare[:start] if start > 0 else bare.split(" - ")[0]
    return BookMetadata(
        series=" ".join(series.split()).strip(" -"),
        issue=_issue(issue) if issue else "",
        volume=volume[1].lstrip("0") or "0" if volume else "",
        year=year[1] if year else "",
    )


def _issue(found: re.Match[str]) -> str:
    number = re.sub(r"^(-?)0+(?=\d)", r"\1", found["number"])
    return f"Annual {number}" if found["annual"] else number


def _through_library(name: str) -> BookMetadata:
    try:
        from comicfn2dict import comicfn2dict
    except ImportError:
        raise UsageError(
            "file_names=comicfn2dict: that library is not installed; pip install comicfn2dict (GPL-3.0), or leave it out"
        ) from None
    found = {key: str(value) for key, value in comicfn2dict(name).items() if isinstance(value, str | int | float)}
    issue = re.sub(r"^(-?)0+(?=\d)", r"\1", found.get("issue", ""))
    volume = found.get("volume", "").lstrip("0")
    return BookMetadata(
        series=found.get("series", ""), issue=issue, volume=volume, title=found.get("title", ""), year=found.get("year", "")
    )
