"""Issue numbers are text ("1/2", "Annual 3", "-1"); this is how they are put in order."""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"(?P<sign>-?)(?P<whole>\d+(?:[.,]\d+)?)?(?:\s*/\s*(?P<under>\d+))?")
_FRACTION = re.compile(r"(?P<over>\d+)\u2044(?P<under>\d+)")
_ZERO = 1_000_000_000


def issue_sort(issue: str) -> str:
    """Text that sorts, letter by letter, as the issues do: numbers by value, then named ones (annuals), then the unknown.

    >>> issues = ["Annual 3", "10", "2", "1/2", "-1", "2.MU", "0.5", "\u00bd", "1a", "1", "Special", "Annual 12", ""]
    >>> sorted(issues, key=issue_sort)
    ['-1', '1/2', '0.5', '\u00bd', '1', '1a', '2', '2.MU', '10', 'Annual 3', 'Annual 12', 'Special', '']
    >>> issue_sort("12")
    '0 1000000012.0000'
    """
    text = unicodedata.normalize("NFKC", issue).strip().lstrip("#").strip().casefold()
    text = _FRACTION.sub(lambda found: str(int(found["over"]) / max(int(found["under"]), 1)), text)
    if not text:
        return "9"
    found = _NUMBER.match(text)
    if found and found["whole"]:
        rest = text[found.end() :].strip(" .")
        return f"0 {_shifted(found)}" + (f" {rest}" if rest else "")
    named = re.match(r"(?P<name>\D*?)[\s#.]*(?=-?\d|$)", text)
    name = named["name"].strip() if named else text
    found = _NUMBER.match(text[named.end() :] if named else "")
    return f"1 {name}" + (f" {_shifted(found)}" if found and found["whole"] else "")


def _shifted(found: re.Match[str]) -> str:
    """The number as digits that sort: far above zero, four places behind the point."""
    value = float(found["whole"].replace(",", "."))
    if found["under"]:
        value /= max(int(found["under"]), 1)
    value = min(-value if found["sign"] else value, float(_ZERO))
    return f"{max(_ZERO + value, 0):015.4f}"
