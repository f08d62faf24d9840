r"""Paths as other machines write them, in one form: the only place where drive letters and ``/mnt/x`` are translated."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comix.core.errors import UsageError

_DRIVE = re.compile(r"^([A-Za-z]):[\\/]*")
_PAIR = re.compile(r"""\s*(['"])(?P<old>.*?)\1\s*:\s*(['"])(?P<new>.*?)\3\s*(?:,|$)""")
_ELEMENT = re.compile(r"""\s*(?:(['"])(?P<quoted>.*?)\1|(?P<bare>[^,]*?))\s*(?:,|$)""")


def posix_form(path: str) -> str:
    r"""A path with ``/`` between its parts, ``E:\`` as ``/mnt/e/``, NFC, without ``.`` parts and doubled slashes.

    >>> posix_form("E:\\Comics\\a\\01.jpg"), posix_form("/mnt/e/Comics//a/./01.jpg"), posix_form("a\\b.jpg")
    ('/mnt/e/Comics/a/01.jpg', '/mnt/e/Comics/a/01.jpg', 'a/b.jpg')
    """
    if "\\" not in path and ":" not in path[:2] and "//" not in path and "/." not in path and path[:2] != "./":
        return path if path.isascii() else unicodedata.normalize("NFC", path)
    drive = _DRIVE.match(path)
    text = f"/mnt/{drive[1].lower()}/{path[drive.end() :]}" if drive else path
    if drive or "/" not in text:
        text = text.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", ("/" if text.startswith("/") else "") + "/".join(parts))


@dataclass(frozen=True, slots=True)
class RootMap:
    """Where the folders that foreign files speak of lie here; the longest prefix wins.

    Attributes:
        pairs: (prefix as they write it, prefix here), both in `posix_form`, longest first.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    def here(self, path: str) -> str:
        r"""The path on this machine, in `posix_form`.

        >>> parse_root_map('{"E:\\X": "/data/x"}').here("E:\\X\\a\\1.jpg")
        '/data/x/a/1.jpg'
        """
        text = posix_form(path)
        for old, new in self.pairs:
            if text == old or text.startswith(f"{old}/"):
                return new + text[len(old) :]
        return text


def parse_root_map(text: str) -> RootMap:
    r"""A ``{"OLD": "NEW", ...}`` mapping as typed; backslashes are taken as they are; "" for none.

    Raises:
        UsageError: another form.
    """
    body = text.strip()
    if not body:
        return RootMap()
    wanted = 'wanted root_map={"FOLDER AS THEY WRITE IT": "FOLDER HERE", ...}, both in quotes'
    if not (body.startswith("{") and body.endswith("}")):
        raise UsageError(f"root_map={text}: {wanted}")
    body, pairs, position = body[1:-1].strip(), [], 0
    while position < len(body):
        match = _PAIR.match(body, position)
        if match is None:
            raise UsageError(f"root_map={text}: {wanted}; cannot read it from {body[position:]!r}")
        pairs.append((posix_form(match["old"]).rstrip("/"), posix_form(match["new"]).rstrip("/")))
        position = match.end()
    return RootMap(tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))


def parse_folders(text: str) -> list[str]:
    """Folders as typed: one path, or ``[A, B, 'with, comma']``; "" gives none.

    >>> parse_folders("[/a/b, 'c, d']"), parse_folders("/a, b"), parse_folders("")
    (['/a/b', 'c, d'], ['/a, b'], [])
    """
    body = text.strip()
    if not (body.startswith("[") and body.endswith("]")) or Path(body).is_dir():
        return [body] if body else []
    found = [match["quoted"] or match["bare"] or "" for match in _ELEMENT.finditer(body[1:-1])]
    return [str(Path(one).expanduser()) for one in found if one]


def below(path: str, roots: Sequence[str]) -> list[str]:
    """The path relative to each of the roots that it lies below; roots in `posix_form`, absolute.

    >>> below("/lib/a/1.jpg", ["/lib", "/other"])
    ['a/1.jpg']
    """
    return [path[len(root) + 1 :] for root in roots if path.startswith(f"{root}/")]


def without_suffix(path: str) -> str:
    """The path without its last suffix, when that is short enough to be one.

    >>> without_suffix("a/01.jpg"), without_suffix("a/Dr. Slump"), without_suffix("a.b/c")
    ('a/01', 'a/Dr. Slump', 'a.b/c')
    """
    stem, _, suffix = path.rpartition(".")
    return stem if 0 < len(suffix) < 5 and suffix.isalnum() and stem and stem[-1] != "/" else path
