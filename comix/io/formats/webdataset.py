"""WebDataset: tar shards with ``KEY.json`` (and ``KEY.jpg`` when images go along) per page.

Keys have the form ``c00004_p006`` (book, page) of the public comic page shards; the JSON has their fields (page_id,
page_class, split, detections.<name>.{panels, characters, faces, textboxes}, boxes as ``[x, y, w, h]``), and under ``comix``
the whole page, which is what reading takes.

Source: WebDataset format (samples are adjacent members that share a name up to its first dot).
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from comix.core.errors import FileFormatError
from comix.core.files import json_bytes
from comix.io.formats.exchange import PageEntry, checked_page
from comix.io.formats.flatpage import page_from_row

_LISTS = {"panels": "panel", "characters": "character", "faces": "face", "textboxes": "text"}
_MAX_JSON = 64 << 20


def sample_key(book_number: int, page_num: int) -> str:
    """The key of a page.

    >>> sample_key(4, 6)
    'c00004_p006'
    """
    return f"c{book_number:05d}_p{page_num:03d}"


def sample_json(key: str, page: PageEntry, row: dict[str, Any], detector: str) -> dict[str, Any]:
    """The JSON of one page; panels are listed in reading order where there is one."""
    boxes: dict[str, list[list[float]]] = {name: [] for name in _LISTS}
    boxes["panels"] = [list(page.regions[index].bbox) for index in page.panels()]
    for name, category in _LISTS.items():
        if category != "panel":
            boxes[name] = [list(one.bbox) for one in page.regions if one.category == category]
    return {
        "page_id": key, "page_class": page.page_type, "split": "", "width": page.width, "height": page.height,
        "detections": {detector: boxes}, "comix": row,
    }  # fmt: skip


def write_shard(stream: IO[bytes], samples: Iterable[tuple[str, list[tuple[str, bytes]]]]) -> int:
    """One tar shard; the number of samples. Times and owners are left out, so equal samples give equal bytes.

    Args:
        stream: where to.
        samples: key, and ``(suffix, bytes)`` of each member.
    """
    number = 0
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for key, members in samples:
            for suffix, data in members:
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size, member.mode = len(data), 0o644
                archive.addfile(member, io.BytesIO(data))
            number += 1
    return number


def as_member(value: Any) -> bytes:
    """JSON as a member's bytes."""
    return json_bytes(value)


def read_shard(path: Path, box_format: str = "", detector: str = "") -> Iterator[PageEntry]:
    """Pages of one shard.

    Args:
        path: the tar file.
        box_format: ``xywh`` or ``xyxy``: how shards of others give their boxes, which they do not say themselves.
        detector: whose boxes to take from shards of others; "" when there is only one.

    Raises:
        FileFormatError: not a tar, or a JSON in it that is no page; names the member.
    """
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".json"):
                    where = f"{path}: {member.name}"
                    if member.size > _MAX_JSON:
                        raise FileFormatError(f"{where}: {member.size >> 20} MiB of JSON for one page")
                    stream = archive.extractfile(member)
                    assert stream is not None
                    yield _page(where, member.name, stream.read(), box_format, detector)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise FileFormatError(f"{path}: not a readable tar shard ({error})") from error


def _page(where: str, name: str, data: bytes, box_format: str, detector: str) -> PageEntry:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise FileFormatError(f"{where}: wanted an object, found a {type(value).__name__}")
    if "comix" in value:
        return page_from_row(where, value["comix"])
    return _others_page(where, name, value, box_format, detector)


def _others_page(where: str, name: str, value: dict[str, Any], box_format: str, detector: str) -> PageEntry:
    found = value.get("detections")
    if not isinstance(found, dict) or not found:
        raise FileFormatError(f"{where}: no 'detections'; wanted a page of a comic WebDataset")
    if not detector and len(found) > 1:
        raise FileFormatError(f"{where}: boxes of several detectors ({', '.join(found)}); say whose: detector=NAME")
    chosen = found.get(detector) if detector else next(iter(found.values()))
    if not isinstance(chosen, dict):
        raise FileFormatError(f"{where}: no detections by {detector!r}; it has {', '.join(found)}")
    if box_format not in ("xywh", "xyxy"):
        raise FileFormatError(f"{where}: does not say how its boxes are given; say it: box_format=xywh or box_format=xyxy")
    regions = []
    for key, category in _LISTS.items():
        boxes = chosen.get(key) or []
        if not isinstance(boxes, list):
            raise FileFormatError(f"{where}: {key} must be a list of boxes, found {boxes!r}")
        for box in boxes:
            regions.append({"category": category, "bbox": _xywh(where, box, box_format)})
    label = str(value.get("page_id") or name.removesuffix(".json"))
    return checked_page(where, {"label": label, "file_name": name.removesuffix(".json"), "regions": regions,
                                "page_type": str(value.get("page_class") or "")})  # fmt: skip


def _xywh(where: str, box: Any, box_format: str) -> list[float]:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(one, int | float) for one in box):
        raise FileFormatError(f"{where}: a box must be four numbers, found {box!r}")
    return box if box_format == "xywh" else [box[0], box[1], box[2] - box[0], box[3] - box[1]]
