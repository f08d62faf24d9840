"""The analysis JSON of earlier tools, in today's form.

The earlier prompt asks for ``overall_summary, panels[{panel_number, caption, description, speakers[{character, dialogue,
speech_type}], key_elements, actions}], summary{characters, setting, plot, dialogue}``. Only what stands in a balloon or is
named as text counts as literal: captions (the model's own), descriptions, key elements and actions never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from comix.core.errors import FileFormatError

IDENTITY_KEYS = (
    "page_id", "canonical_id", "source_image_path", "page_image_path", "image_path", "image", "IMAGE_PATH", "page_image",
)  # fmt: skip
"""Fields in which a foreign JSON names its page, surest first."""

_KINDS = ("dialogue", "thought", "narration", "sfx")
SPOKEN = {"thought": "thought", "thinking": "thought", "narration": "narration", "caption": "narration", "sfx": "sfx"}
_DESCRIBING = ("caption", "description", "title", "alt", "key_elements", "actions")
_PLAIN_TEXT = ("text", "ocr_text", "ocr")
_PAGE_KEYS = {"overall_summary", "summary", "panels"}


def upgraded(document: Any, page_size: tuple[int, int], where: str) -> dict[str, Any] | None:
    """An earlier JSON as the fields of an `Analysis`; None when it is none of the known shapes.

    Args:
        document: as parsed; a list of one object stands for that object.
        page_size: width and height in pixels, for boxes given in thousandths; (0, 0) when not known.
        where: opens the message.

    Raises:
        FileFormatError: nearly one: says which field is not what it should be.
    """
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict) or not _PAGE_KEYS & document.keys() or "reader" in document:
        return None
    panels = document.get("panels") or []
    if not isinstance(panels, list) or not all(isinstance(one, dict) for one in panels):
        raise FileFormatError(f"{where}: panels: wanted a list of objects")
    numbers = [_number(one.get("panel_number")) for one in panels]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(panels) + 1))
    summary = document.get("summary")
    plot = summary.get("plot", "") if isinstance(summary, dict) else summary
    return {
        "page_id": next((str(document[key]) for key in IDENTITY_KEYS if document.get(key)), ""),
        "reader": {"name": "earlier", "model": str(document.get("model") or "")},
        "panel_source": "reader",
        "panels": [
            _panel(number, one, page_size, f"{where}: panels[{at}]")
            for at, (number, one) in enumerate(zip(numbers, panels, strict=True))
        ],
        "page": {"summary": _words(document.get("overall_summary") or plot or "")},
    }


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _panel(number: Any, panel: dict[str, Any], page_size: tuple[int, int], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {"panel_number": number, **{kind: [] for kind in _KINDS}}
    names: dict[str, None] = {}
    for speaker in _items(panel.get("speakers"), f"{where}: speakers"):
        if isinstance(speaker, str):
            names[speaker] = None
            continue
        name, kind = _words(speaker.get("character") or ""), _words(speaker.get("speech_type") or "").lower()
        for text in _texts(speaker.get("dialogue"), f"{where}: dialogue"):
            found[SPOKEN.get(kind, "dialogue")].append({**text, **({"speaker": name} if name else {})})
        names |= {name: None} if name else {}
    nested = panel["text"] if isinstance(panel.get("text"), dict) else {}
    for source in (panel, nested):
        for kind in _KINDS:
            found[kind] += _texts(source.get(kind), f"{where}: {kind}")
    for key in _PLAIN_TEXT:
        if not isinstance(panel.get(key), dict):
            found["dialogue"] += _texts(panel.get(key), f"{where}: {key}")
    names |= dict.fromkeys(one for one in _items(panel.get("characters"), f"{where}: characters") if isinstance(one, str))
    found["characters"] = list(names)
    found["description"] = "\n".join(filter(None, (_words(panel.get(key)) for key in _DESCRIBING)))
    box = _box(panel, page_size, where)
    return found | ({"box": box} if box else {})


def _items(value: Any, where: str) -> Iterator[Any]:
    if value is None:
        return
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str | dict):
            raise FileFormatError(f"{where}: wanted text or objects, found {one!r}")
        yield one


def _texts(value: Any, where: str) -> list[dict[str, Any]]:
    """``"text"``, ``["text", ...]`` or ``[{text|dialogue|content, speaker|character}, ...]``; empty ones left out."""
    texts = []
    for one in _items(value, where):
        if isinstance(one, str):
            text, speaker = one, ""
        else:
            text = _words(one.get("text") or one.get("dialogue") or one.get("content") or "")
            speaker = _words(one.get("speaker") or one.get("character") or "")
        if text.strip():
            texts.append({"text": " ".join(text.split()), **({"speaker": speaker} if speaker else {})})
    return texts


def _words(value: Any) -> str:
    """Text of a field that may be a string, a list of strings or an object."""
    if value is None:
        return ""
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(filter(None, (_words(one) for one in value)))
    return " ".join(str(value).split())


def _box(panel: dict[str, Any], page_size: tuple[int, int], where: str) -> list[float] | None:
    """``box`` and ``panel_coords`` are x, y, w, h in pixels; ``box_2d`` is top, left, bottom, right in thousandths."""
    for key in ("box", "panel_coords", "box_2d"):
        value = panel.get(key)
        if value is None or value == []:
            continue
        if not (isinstance(value, list) and len(value) == 4 and all(isinstance(one, int | float) for one in value)):
            raise FileFormatError(f"{where}: {key}: wanted four numbers, found {value!r}")
        if key != "box_2d":
            return [float(one) for one in value]
        if all(page_size):
            top, left, bottom, right = (one / 1000 for one in value)
            width, height = page_size
            return [left * width, top * height, (right - left) * width, (bottom - top) * height]
    return None
