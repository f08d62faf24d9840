"""JSON-to-image maps: written by `comix map`, and read in all shapes that earlier tools wrote and took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError
from comix.core.files import read_json
from comix.core.pathforms import RootMap, below

_WANTED = (
    "wanted {json: image}, {image: json}, {image: [json, ...]}, {any: {json_path, image_path}}, or a list of "
    "{json_path, image_path} or [json, image]"
)


def read_map(path: Path, json_dir: str, root_map: RootMap) -> dict[str, list[str]]:
    """Images by JSON path relative to the JSON folder; more than one image means that the map contradicts itself.

    Args:
        path: the map.
        json_dir: the JSON folder, absolute, `posix_form`.
        root_map: where the folders of foreign files lie here.

    Raises:
        MissingInputError: no such file.
        FileFormatError: none of the known shapes.
    """
    found: dict[str, list[str]] = {}
    for json_path, image in _pairs(read_json(path), path):
        text = root_map.here(json_path)
        names = below(text, [json_dir]) if text.startswith("/") else [text]
        for name in names or [text]:
            images = found.setdefault(name, [])
            if image not in images:
                images.append(image)
    return found


def _pairs(document: Any, path: Path) -> Iterator[tuple[str, str]]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from _pair(key, value, path)
    elif isinstance(document, list):
        for one in document:
            if isinstance(one, list) and len(one) == 2:
                yield from _pair(one[0], one[1], path)
            else:
                yield from _pair("", one, path)
    else:
        raise FileFormatError(f"{path}: not a map ({type(document).__name__}); {_WANTED}")


def _pair(key: Any, value: Any, path: Path) -> Iterator[tuple[str, str]]:
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        for one in value:
            yield from _pair(key, one, path)
        return
    if isinstance(value, Mapping):
        json_path, image = value.get("json_path"), value.get("image_path")
    elif isinstance(key, str) and isinstance(value, str) and key.lower().endswith(".json") != value.lower().endswith(".json"):
        json_path, image = (key, value) if key.lower().endswith(".json") else (value, key)
    else:
        json_path = image = None
    if not (isinstance(json_path, str) and isinstance(image, str) and json_path and image):
        raise FileFormatError(f"{path}: entry {key!r}: {value!r}; {_WANTED}")
    yield json_path, image
