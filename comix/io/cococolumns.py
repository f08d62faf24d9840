"""COCO files of any size as columns: some hundred bytes a page, with a `PageDetections` made per page when asked for."""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from comix.core.errors import FileFormatError, MissingInputError
from comix.io.detections import ALIASES, CATEGORY_NAMES, DIRECTIONS, RECORD, Packed, PageDetections, unpack

T = TypeVar("T")
_AT_ONCE = 16_384
_MOST_ORDER = 2**31 - 1
_RECORDS = np.dtype([("box", "<f8", 4), ("score", "<f8"), ("category", "<i2"), ("order", "<i4")])
assert _RECORDS.itemsize == RECORD.size


class _Document(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[_Category] = []
    info: Any = None


class _Category(msgspec.Struct):
    id: int | str
    name: str = ""


class _Image(msgspec.Struct, gc=False):
    id: int | str
    file_name: str = ""
    page_id: str = ""
    width: float | None = None
    height: float | None = None
    reading_direction: str | None = ""
    order_margin: float | msgspec.UnsetType | None = msgspec.UNSET


class _Annotation(msgspec.Struct, gc=False):
    image_id: int | str
    bbox: tuple[float, float, float, float]
    category_id: int | str | None = None
    score: float | None = None
    order: int | None = None
    segmentation: list[Any] | dict[str, Any] | None = None


class CocoColumns(Mapping[str, PageDetections]):
    """A COCO file by page id (where images carry one), or by position: `packed`.

    Attributes:
        page_ids: per image, in file order; "" where the file gives none.
        file_names: per image.
        sizes: ``(n, 2)`` int32, width and height; 0 where the file does not say.
        has_order: ``(n,)`` bool: the image's panels all carry an ``order``.
        ignored: annotations left out because their category is none of ours, by category name.
        info: the file's own ``info`` object.
    """

    def __init__(self, path: Path, images: Sequence[_Image], info: Any) -> None:
        self.path, self.info = path, info if isinstance(info, dict) else {}
        self.page_ids = [one.page_id for one in images]
        self.file_names = [one.file_name for one in images]
        self.sizes = np.array([(one.width or 0, one.height or 0) for one in images], np.int32).reshape(-1, 2)
        unset = msgspec.UNSET
        self._is_ordered = np.array([one.order_margin is not unset for one in images], bool)
        self._facts = [
            (int(one.width or 0), int(one.height or 0), _direction(one.reading_direction), one.order_margin is not unset,
             None if one.order_margin is unset else one.order_margin)
            for one in images
        ]  # fmt: skip
        self._rows = {page_id: row for row, page_id in enumerate(self.page_ids) if page_id}
        self.has_order = np.zeros(len(images), bool)
        self.ignored: Counter[str] = Counter()
        self._bytes = b""
        self._bounds = [0] * (len(images) + 1)
        self._starts = np.zeros(len(images) + 1, np.int64)
        self._n_points = np.empty(0, "<i4")
        self._points = np.empty(0, "<f4")
        self._point_starts = np.zeros(1, np.int64)

    def fill(
        self, rows: NDArray[Any], records: NDArray[Any], n_points: NDArray[Any], points: NDArray[Any], others: Sequence[str]
    ) -> None:
        """Take the annotations in, grouped by image, in file order within one; those of no category of ours are counted.

        Args:
            rows: ``(m,)`` position of each annotation's image.
            records: ``(m,)`` packed detections.
            n_points: ``(m,)`` polygon corners of each.
            points: float32 coordinates of all corners in the same order.
            others: names of the categories that are none of ours, numbered after them.
        """
        beyond = records["category"][records["category"] >= len(CATEGORY_NAMES)] - len(CATEGORY_NAMES)
        self.ignored.update(others[one] if one < len(others) else "category without a name" for one in beyond.tolist())
        by_image = np.argsort(rows, kind="stable")
        by_image = by_image[records["category"][by_image] < len(CATEGORY_NAMES)]
        self._starts = np.searchsorted(rows[by_image], np.arange(len(self.page_ids) + 1)).astype(np.int64)
        ends = np.cumsum(2 * n_points.astype(np.int64))
        if len(points) and not np.array_equal(by_image, np.arange(len(rows))):
            points = np.concatenate([points[ends[one] - 2 * n_points[one] : ends[one]] for one in by_image])
        chosen = records[by_image]
        self._bytes, self._bounds = chosen.tobytes(), self._starts.tolist()
        self._n_points, self._points = n_points[by_image], points
        self._point_starts = np.concatenate([[0], np.cumsum(2 * self._n_points.astype(np.int64))])
        panel = chosen["category"] == 0
        unordered = np.concatenate([[0], np.cumsum(panel & (chosen["order"] < 0))])
        n_panels = np.concatenate([[0], np.cumsum(panel)])
        first, last = self._starts[:-1], self._starts[1:]
        self.has_order = (unordered[last] == unordered[first]) & (n_panels[last] > n_panels[first])

    def packed(self, row: int) -> Packed:
        """The image at a position, for another process; `unpack` opens it."""
        first, last = self._bounds[row], self._bounds[row + 1]
        begin, end = (int(self._point_starts[first]), int(self._point_starts[last])) if len(self._points) else (0, 0)
        width, height, direction, is_ordered, margin = self._facts[row]
        return Packed(
            self.page_ids[row], self.file_names[row], width, height, direction, is_ordered, margin,
            self._bytes[first * RECORD.size : last * RECORD.size],
            self._n_points[first:last].tobytes() if end > begin else b"", self._points[begin:end].tobytes() if end else b"",
        )  # fmt: skip

    def row(self, page_id: str) -> int | None:
        """Position of a page, None when the file does not have it."""
        return self._rows.get(page_id)

    def first_unordered(self) -> str | None:
        """Page id of the first image with detections on which `order` did not run."""
        waiting = np.flatnonzero(~self._is_ordered & (self._starts[1:] > self._starts[:-1]))
        return self.page_ids[waiting[0]] if len(waiting) else None

    def __getitem__(self, page_id: str) -> PageDetections:
        return unpack(self.packed(self._rows[page_id]))

    def __contains__(self, page_id: object) -> bool:
        return page_id in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _direction(text: str | None) -> int:
    return DIRECTIONS.index(text) if text in DIRECTIONS else 0


def read_columns(path: Path, panel_names: Sequence[str] = ()) -> CocoColumns:
    """A COCO file of any origin; categories go by their names, so that the two id maps in use cannot be mixed up.

    The benchmark's map is 1 panel, 2 character, 3 balloon, 4 text, 5 onomatopoeia, 6 link_sbsc, 7 face; a second one is
    1 panel, 2 character, 3 text, 4 face. A file without category names is read for what both maps agree on, 1 and 2.

    Args:
        path: the file.
        panel_names: names of categories that are panels too, beyond the known ones.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO: names the part or the entry.
    """
    document = _decoded(path, msgspec.json.Decoder(_Document), _open_map(path))
    images = _images(path, document.images)
    columns = CocoColumns(path, images, document.info)
    codes, names = _codes(path, document.categories, panel_names, bool(document.annotations))
    rows = {one.id: row for row, one in enumerate(images)}
    columns.fill(*_annotations(path, document.annotations, rows, codes), names)
    return columns


def _open_map(path: Path) -> memoryview:
    """The bytes of a file without holding them in memory, a byte-order mark left out; unmapped with the last reference."""
    try:
        with path.open("rb") as stream:
            if not stream.read(1):
                raise FileFormatError(f"{path}: is empty; wanted a COCO file")
            view = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; wanted a COCO file") from None
    except IsADirectoryError:
        raise MissingInputError(f"{path}: is a folder; wanted a COCO file") from None
    return view[3:] if bytes(view[:3]) == b"\xef\xbb\xbf" else view


def _decoded(path: Path, decoder: Any, data: Any, where: str = "") -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        what = where or "not a COCO file, wanted images, annotations, categories"
        raise FileFormatError(f"{path}: {what}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not valid JSON ({error}); write the file again or remove it") from error


def _batches(path: Path, raws: Sequence[msgspec.Raw], kind: type[T], where: str) -> Iterator[list[T]]:
    """Entries decoded some ten thousand in one go; one by one where that fails, so that the message names the entry."""
    many, one = msgspec.json.Decoder(list[kind]), msgspec.json.Decoder(kind)  # type: ignore[valid-type]
    for start in range(0, len(raws), _AT_ONCE):
        some = raws[start : start + _AT_ONCE]
        try:
            yield many.decode(b"[" + b",".join(some) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield [_decoded(path, one, raw, f"{where}[{position}]") for position, raw in enumerate(some, start)]


def _images(path: Path, raws: Sequence[msgspec.Raw]) -> list[_Image]:
    images: list[_Image] = []
    seen: set[int | str] = set()
    for position, image in enumerate(chain.from_iterable(_batches(path, raws, _Image, "images"))):
        if any(side is not None and not side > 0 for side in (image.width, image.height)):
            raise FileFormatError(f"{path}: images[{position}]: width and height must be numbers above 0")
        if not (image.page_id or image.file_name):
            raise FileFormatError(f"{path}: images[{position}]: has neither file_name nor page_id")
        if image.id in seen:
            raise FileFormatError(f"{path}: images[{position}]: the id {image.id!r} was given to an image before")
        seen.add(image.id)
        images.append(image)
    return images


def _codes(
    path: Path, categories: Sequence[_Category], panel_names: Sequence[str], needed: bool
) -> tuple[dict[int | str | None, int], list[str]]:
    """Category id of the file -> our number, or beyond ours for what is left out; the names of those left out."""
    extra = {name.lower() for name in panel_names}
    if not categories:
        return {1: 0, 2: 1}, []
    codes: dict[int | str | None, int] = {}
    others: list[str] = []
    for one in categories:
        name = one.name.strip().lower()
        known = "panel" if name in extra else ALIASES.get(name)
        if known is None:
            others.append(name)
        codes[one.id] = CATEGORY_NAMES.index(known) if known else len(CATEGORY_NAMES) + len(others) - 1
    if needed and 0 not in codes.values():
        found = ", ".join(sorted(one.name for one in categories))
        wanted = sorted(extra or {name for name, known in ALIASES.items() if known == "panel"})
        raise FileFormatError(
            f"{path}: no category is a panel (found: {found}); wanted one named {', '.join(wanted)}, "
            "or panel_category_names=[NAME]"
        )
    return codes, others


def _annotations(
    path: Path, raws: list[msgspec.Raw], rows: Mapping[int | str, int], codes: Mapping[Any, int]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Image positions, records, corner counts and corners of all annotations; see `CocoColumns.fill`."""
    where, records = np.empty(len(raws), np.int32), np.empty(len(raws), _RECORDS)
    n_points, points = np.zeros(len(raws), "<i4"), []
    unknown, start = len(CATEGORY_NAMES) + 30_000, 0
    for some in _batches(path, raws, _Annotation, "annotations"):
        for position, one in enumerate(some, start):
            if one.image_id not in rows:
                raise FileFormatError(f"{path}: annotations[{position}] names image_id {one.image_id!r}, which is absent")
            if one.order is not None and not -1 <= one.order <= _MOST_ORDER:
                raise FileFormatError(
                    f"{path}: annotations[{position}] has the order {one.order}; wanted the panel's place, from 0"
                )
            if one.segmentation and isinstance(one.segmentation, list):
                flat = _polygon(path, position, one.segmentation)
                n_points[position] = len(flat) // 2
                points.append(np.array(flat, "<f4"))
        part = slice(start, start + len(some))
        where[part] = [rows[one.image_id] for one in some]
        records["box"][part] = [one.bbox for one in some]
        records["score"][part] = [1.0 if one.score is None else one.score for one in some]
        records["category"][part] = [codes.get(one.category_id, unknown) for one in some]
        records["order"][part] = [-1 if one.order is None else one.order for one in some]
        start += len(some)
    _check_boxes(path, records["box"])
    return where, records, n_points, np.concatenate(points) if points else np.empty(0, "<f4")


def _polygon(path: Path, position: int, segmentation: list[Any]) -> list[float]:
    """The first polygon's coordinates, an even number of them."""
    flat = segmentation[0] if isinstance(segmentation[0], list) else segmentation
    if not all(isinstance(value, int | float) for value in flat):
        raise FileFormatError(f"{path}: annotations[{position}]: segmentation must be [[x, y, x, y, ...]]")
    return flat[: len(flat) // 2 * 2]


def _check_boxes(path: Path, boxes: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1) | (boxes[:, 2] < 0) | (boxes[:, 3] < 0))
    if len(bad):
        box = boxes[bad[0]].tolist()
        raise FileFormatError(f"{path}: annotations[{bad[0]}]: the box {box} has NaN, infinite or negative extent")
