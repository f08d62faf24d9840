"""File names of unknown encoding: which of the common legacy code pages they were written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def guess_encoding(raw_names: Sequence[bytes], fallback: str = "cp437") -> str:
    """Python codec that reads all the names of one archive.

    UTF-8 wins when it decodes; then Korean, Chinese and Japanese when the result looks like it; else the fallback.

    >>> guess_encoding(["제1화.jpg".encode("cp949")]), guess_encoding(["ページ1.jpg".encode("cp932")])
    ('cp949', 'cp932')
    """
    names = [name for name in raw_names if not name.isascii()]
    if not names:
        return "utf-8"
    for codec, strict, plausible in (
        ("utf-8", "utf-8", _anything),
        ("cp949", "euc_kr", _korean),
        ("gb18030", "gb2312", _chinese),
        ("cp932", "cp932", _japanese),
    ):
        text = _decoded(names, strict)
        if text and plausible(text):
            return codec
    return fallback


def decode_names(raw_names: Sequence[bytes], fallback: str = "cp437") -> list[str]:
    """The names of one archive as text; bytes that fit nowhere become U+FFFD."""
    codec = guess_encoding(raw_names, fallback)
    return [name.decode(codec, "replace") for name in raw_names]


def _decoded(names: Sequence[bytes], codec: str) -> str:
    try:
        return "/".join(name.decode(codec) for name in names)
    except UnicodeDecodeError:
        return ""


def _anything(text: str) -> bool:
    return bool(text)


def _share(text: str, test: Callable[[str], bool]) -> float:
    wide = [char for char in text if ord(char) > 127]
    return sum(test(char) for char in wide) / max(len(wide), 1)


def _korean(text: str) -> bool:
    return _share(text, lambda char: "가" <= char <= "힣") >= 0.9


def _chinese(text: str) -> bool:
    """Han characters only, mostly of the frequent first level of GB 2312 (lead bytes B0 to D7)."""
    if _share(text, lambda char: "一" <= char <= "鿿" or "\u3000" <= char <= "〿" or "\uff00" <= char <= "～") < 1:
        return False
    return _share(text, lambda char: 0xB0 <= char.encode("gb2312")[0] <= 0xD7) >= 0.7


def _japanese(text: str) -> bool:
    """Kana or kanji that stand together; misread Western accents stand alone between Latin letters.

    Half-width katakana are what other encodings look like when misread, so they count against it.
    """
    if _share(text, lambda char: "\u3000" <= char <= "ヿ" or "一" <= char <= "鿿" or "\uff00" <= char <= "～") < 0.9:
        return False
    wide = [index for index, char in enumerate(text) if ord(char) > 127]
    touching = sum(any(_is_latin(near) for near in (text[i - 1 : i], text[i + 1 : i + 2])) for i in wide)
    return touching <= 0.4 * len(wide)


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalpha()
