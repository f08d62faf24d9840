"""Book and page ids, and the file names made from them.

Ids are assigned once and are permanent: a book added later never renames an older one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from pathlib import PurePosixPath

_UNSAFE = '<>:"|?*\\%'
_NEEDS_ESCAPE = re.compile(rf"[{re.escape(_UNSAFE)}\x00-\x1f]")
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}


def page_id(book_id: str, number: int) -> str:
    """``book_id/NNNN``; ``number`` counts from 1 in reading sequence.

    >>> page_id("Haruko/Haruko 01", 7)
    'Haruko/Haruko 01/0007'
    """
    return f"{book_id}/{number:04d}"


def propose_book_ids(container: str, source: str, suffixes: Container[str]) -> Iterator[str]:
    """Ids that a container may get, best first: without suffix, with it, with the library's name, numbered.

    Args:
        container: path relative to the library root.
        source: name of the library.
        suffixes: suffixes of container files, lower case; anything else after a dot is part of the name ("Dr. Slump").

    >>> ids = propose_book_ids("A/x.cbz", "lib", {".cbz"})
    >>> [next(ids) for _ in range(4)]
    ['A/x', 'A/x.cbz', 'lib/A/x.cbz', 'lib/A/x.cbz~2']
    """
    path = PurePosixPath(unicodedata.normalize("NFC", container))
    stem = path.with_suffix("") if path.suffix.lower() in suffixes and path.name != path.suffix else path
    yield str(stem)
    yield str(path)
    yield f"{source}/{path}"
    number = 2
    while True:
        yield f"{source}/{path}~{number}"
        number += 1


def escape(identifier: str, letters: bool = False) -> str:
    """A file path for an id: reversible (`unescape`), valid on Windows and other systems.

    Args:
        identifier: a book id; ``/`` separates folders.
        letters: escape every letter that has a case, for an id that differs from another only by case.

    >>> escape('What? 100%/CON')
    'What%3F 100%25/%43ON'
    >>> unescape(escape('What? 100%/CON'))
    'What? 100%/CON'
    """
    return "/".join(_escape_part(part, letters) for part in identifier.split("/"))


def _escape_part(part: str, letters: bool) -> str:
    escaped = part
    if letters or _NEEDS_ESCAPE.search(part):
        escaped = "".join(
            _percent(char) if char in _UNSAFE or ord(char) < 32 or (letters and char.lower() != char.upper()) else char
            for char in part
        )
    if part.split(".", maxsplit=1)[0].rstrip(" ").casefold() in _RESERVED or part in (".", ".."):
        escaped = escaped if escaped.startswith("%") else _percent(part[0]) + escaped[1:]
    if escaped and escaped[-1] in " .":
        escaped = escaped[:-1] + _percent(escaped[-1])
    return escaped


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def unescape(name: str) -> str:
    """The id an escaped path stands for.

    >>> unescape('a%3Fb/%E3%81%82')
    'a?b/あ'
    """
    from urllib.parse import unquote

    return unquote(name)
