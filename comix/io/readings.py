"""Analyses as `align` reads them: our own file and every older or foreign shape, parsed in microseconds, in one form.

The structs mirror `comix.io.analysis` field by field (a test holds them together); unknown fields are refused there and here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from comix.core.errors import FileFormatError, MissingInputError
from comix.io.analysis import ANALYSIS_VERSION
from comix.io.earlier import IDENTITY_KEYS, SPOKEN, upgraded

XYWH = tuple[float, float, float, float]


class Text(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.TextItem`."""

    text: str
    speaker: str | None = None
    bbox: XYWH | None = None
    confidence: float | None = None


class LooseText(Text):
    """See `comix.io.analysis.UnassignedText`."""

    kind: Literal["dialogue", "thought", "narration", "sfx"] = "narration"


class PanelRead(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.PanelReading`."""

    panel_number: int
    box: XYWH | None = None
    dialogue: list[Text] = []
    thought: list[Text] = []
    narration: list[Text] = []
    sfx: list[Text] = []
    characters: list[str] = []
    description: str = ""

    def texts(self) -> list[Text]:
        """All literal texts, dialogue first."""
        return [*self.dialogue, *self.thought, *self.narration, *self.sfx]


class Reader(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.ReaderInfo`."""

    name: str
    model: str = ""
    prompt_id: str = ""
    version: str = ""


class Style(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.ArtStyle`."""

    tradition: str = ""
    medium: str = ""
    colour: str = ""
    line: str = ""
    shading: str = ""
    tags: list[str] = []


class Differs(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.Disagreement`."""

    what: Literal["text", "kind", "only_kept", "only_other"]
    panel_number: int | None = None
    kept: str = ""
    other: str = ""


class PageRead(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.PageReading`."""

    summary: str = ""
    reading_direction: Literal["ltr", "rtl"] | None = None
    page_type: str | None = None
    style: Style | None = None


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    """See `comix.io.analysis.Analysis`."""

    page_id: str
    reader: Reader
    panel_source: Literal["given", "reader"]
    version: int = 1
    panels: list[PanelRead] = []
    unassigned: list[LooseText] = []
    page: PageRead = msgspec.field(default_factory=PageRead)
    usage: dict[str, Any] = {}
    status: str = "ok"
    disagreements: list[Differs] | None = None


def has_words(reading: Reading) -> bool:
    """Whether a reading holds literal text."""
    return any(item.text.strip() for panel in reading.panels for item in panel.texts()) or bool(reading.unassigned)


class Identity(msgspec.Struct, kw_only=True):
    """What a foreign JSON says of the page it describes; fields as `IDENTITY_KEYS` lists them."""

    page_id: str | None = None
    canonical_id: str | None = None
    source_image_path: str | None = None
    page_image_path: str | None = None
    image_path: str | None = None
    image: str | None = None
    IMAGE_PATH: str | None = None
    page_image: str | None = None

    def values(self) -> list[tuple[str, str]]:
        """(field, value) of what is given."""
        return [(key, value) for key in IDENTITY_KEYS if (value := getattr(self, key))]


class _Spoken(msgspec.Struct, forbid_unknown_fields=True):
    dialogue: str | None = None
    character: str | None = None
    speech_type: str | None = None


class _EarlierPanel(msgspec.Struct, forbid_unknown_fields=True):
    panel_number: int
    caption: str | None = None
    description: str | None = None
    speakers: list[_Spoken] = []
    key_elements: list[str] = []
    actions: list[str] = []


class _EarlierPage(Identity, kw_only=True):
    """The shape that the earlier prompt asks for, to the letter; anything else takes the long way."""

    overall_summary: str
    panels: list[_EarlierPanel]
    model: str | None = None
    reader: msgspec.UnsetType = msgspec.UNSET


_EARLIER = msgspec.json.Decoder(_EarlierPage)
_OURS = msgspec.json.Decoder(Reading)
_ANY = msgspec.json.Decoder()
_IDENTITY = msgspec.json.Decoder(Identity)


def read_file(path: str | Path) -> bytes:
    """All bytes of a small file, a byte-order mark left out.

    Raises:
        MissingInputError: no such file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; wanted an analysis JSON") from None
    try:
        parts = [os.read(descriptor, 1 << 20)]
        while len(parts[-1]) == 1 << 20:
            parts.append(os.read(descriptor, 1 << 20))
    finally:
        os.close(descriptor)
    data = b"".join(parts)
    return data[3:] if data[:3] == b"\xef\xbb\xbf" else data


def read_reading(path: str | Path, page_size: tuple[int, int] = (0, 0)) -> Reading:
    """One analysis of any known shape.

    Args:
        path: the file.
        page_size: width and height, for shapes whose boxes are relative; 0 where not known.

    Raises:
        MissingInputError: no such file.
        FileFormatError: no known shape, or a version newer than this one; says which field.
    """
    data = read_file(path)
    if b'"panel_source"' not in data:
        try:
            earlier = _from_earlier(_EARLIER.decode(data))
        except (msgspec.DecodeError, UnicodeDecodeError):
            earlier = None  # not to the letter: the long way says what is wrong, if anything
        if earlier is not None:
            return earlier
    try:
        reading = _OURS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _read_other(path, data, page_size, error)
    return _checked(path, reading)


def _from_earlier(page: _EarlierPage) -> Reading | None:
    """What `comix.io.earlier.upgraded` makes of it (a test compares the two); None where the panels are not numbered."""
    panels = []
    for one in page.panels:
        found = PanelRead(one.panel_number, characters=[], description="\n".join(filter(None, _describing(one))))
        for item in one.speakers:
            name = squeezed(item.character)
            if name and name not in found.characters:
                found.characters.append(name)
            text = squeezed(item.dialogue)
            if text:
                kind = SPOKEN.get((item.speech_type or "").strip().lower(), "dialogue")
                texts: list[Text] = getattr(found, kind)
                texts.append(Text(text, name or None))
        panels.append(found)
    numbers = [one.panel_number for one in panels]
    if numbers and (min(numbers) < 1 or len(set(numbers)) < len(numbers)):
        return None
    says = page.values()
    return Reading(
        says[0][1] if says else "", Reader("earlier", page.model or ""), "reader", panels=panels,
        page=PageRead(squeezed(page.overall_summary)),
    )  # fmt: skip


def _describing(panel: _EarlierPanel) -> tuple[str, ...]:
    lists = [", ".join(map(squeezed, some)) for some in (panel.key_elements, panel.actions) if some]
    return (squeezed(panel.caption), squeezed(panel.description), *lists)


def squeezed(text: str | None) -> str:
    """Runs of space as one."""
    if not text:
        return ""
    if text.isprintable() and "  " not in text and text[0] != " " != text[-1]:  # the usual text, at a quarter of the cost
        return text
    return " ".join(text.split())


def _read_other(path: str | Path, data: bytes, page_size: tuple[int, int], error: Exception) -> Reading:
    try:
        document = _ANY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise FileFormatError(f"{path}: not valid JSON ({fault}); write the file again or remove it") from fault
    earlier = upgraded(document, page_size, str(path))
    if earlier is None:
        raise FileFormatError(f"{path}: {error}; wanted an analysis, see docs/formats.md") from error
    try:
        return _checked(path, msgspec.convert(earlier, Reading))
    except msgspec.ValidationError as fault:
        raise FileFormatError(f"{path}: {fault}; see docs/formats.md for the shapes that are read") from fault


def _checked(path: str | Path, reading: Reading) -> Reading:
    if reading.version > ANALYSIS_VERSION:
        raise FileFormatError(f"{path}: version {reading.version} is newer than {ANALYSIS_VERSION}; update comix")
    numbers = [one.panel_number for one in reading.panels]
    if numbers and min(numbers) < 1:
        raise FileFormatError(f"{path}: panels: panel_number {min(numbers)}; wanted 1 or more")
    return reading


def read_identity(data: bytes) -> Identity | None:
    """Which page a JSON says it describes; None when it is not JSON or not an object of this kind.

    >>> read_identity(b'{"source_image_path": "a/1.jpg", "panels": [{}]}').values()
    [('source_image_path', 'a/1.jpg')]
    """
    try:
        return _IDENTITY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        document = _ANY.decode(data)
        single = document[0] if isinstance(document, list) and len(document) == 1 else None
        return msgspec.convert(single, Identity) if isinstance(single, dict) else None
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None
