"""Lines to running text: their order in a balloon, joining, hyphens, and slips the recogniser makes with lettering."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from comix.vlm.lines import TextLine


def in_line_order(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines of one balloon as read: rows from the top, pieces of a row from the left; columns from the right."""
    if sum(line.vertical for line in lines) * 2 > len(lines):
        return sorted(lines, key=lambda line: (-line.box.cx, line.box.y))
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda item: item.box.cy):
        if rows and all(_beside(line, other) for other in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda item: item.box.x)]


def _beside(line: TextLine, other: TextLine) -> bool:
    apart = abs(line.box.cy - other.box.cy) > 0.5 * min(line.size, other.size)
    return not apart and line.box.overlap_x(other.box) < 0.3 * min(line.box.w, other.box.w)


def words_between_spaces(lines: Sequence[TextLine]) -> frozenset[str]:
    """The words of a page that stand by themselves, lower case: what `join_two` takes for whole words."""
    return frozenset(word for line in lines for word in re.findall(r"(?<![\w-])[^\W\d_]{3,}(?![\w-])", line.text.lower()))


def joined(lines: Sequence[TextLine], known: frozenset[str] = frozenset()) -> str:
    """The text of ordered lines, see `join_two`."""
    text = ""
    for line in lines:
        text = join_two(text, tidied(line.text), known)
    return text


def join_two(text: str, more: str, known: frozenset[str] = frozenset()) -> str:
    """Two lines as one text: a space between, but not within Japanese or Chinese; a hyphen at the line's end undone.

    The hyphen stays where the word before it is ``known`` to stand by itself, as in a compound ("BIRD-CREATURE").

    >>> join_two("DON'T RECOG-", "NIZE GENIUS")
    "DON'T RECOGNIZE GENIUS"
    >>> join_two("WISEST BIRD-", "CREATURE", frozenset({"bird"})), join_two("THE ZOO --", "AND")
    ('WISEST BIRD-CREATURE', 'THE ZOO -- AND')
    >>> join_two("そんな", "借金なんて")
    'そんな借金なんて'
    """
    if not text or not more:
        return text or more
    if is_wide(text[-1]) and is_wide(more[0]):
        return text + more
    ending = re.search(r"([^\W\d_]{2,})-$", text)
    if ending and re.match(r"[^\W\d_]{2}", more) and ending[1][-1].isupper() == more[0].isupper():
        return text + more if ending[1].lower() in known else text[:-1] + more
    return f"{text} {more}"


def tidied(text: str) -> str:
    """A line without the commonest slips on hand lettering: a slanted exclamation mark read as a slash, an I as 1.

    >>> tidied("IT'S THE FLESH/"), tidied("NIGHTMARE/WHAT NOW"), tidied("HE/SHE IS 1/2")
    ("IT'S THE FLESH!", 'NIGHTMARE! WHAT NOW', 'HE/SHE IS 1/2')
    >>> tidied("TERRIBLE!1 MUST'VE"), tidied("1'LL GO"), tidied("PAGE 1 OF 2")
    ("TERRIBLE! I MUST'VE", "I'LL GO", 'PAGE 1 OF 2')
    """
    text = re.sub(r"(?<=[A-Z]{2})/(?=\s|$)", "!", text)
    text = re.sub(r"(?<=[A-Z]{4})/(?=[A-Z]{3})", "! ", text)
    text = re.sub(r"(?<![\w.,$#])1(?='(?:LL|VE|M|D)\b)", "I", text)
    text = re.sub(r"(?<=[A-Z][!?.,])\s?1 (?=[A-Z]{2})", " I ", text)
    return " ".join(text.split())


def is_wide(character: str) -> bool:
    """Whether it is a character of Japanese, Chinese or Korean writing, set without spaces."""
    return unicodedata.east_asian_width(character) in ("W", "F")
