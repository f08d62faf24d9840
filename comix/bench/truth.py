"""Ground truth out of any COCO file, and the predictions that belong to it: joined by page id or exact path, never by guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import read_json
from comix.core.geometry import Box
from comix.core.order import Direction
from comix.core.page import PageRecord
from comix.interop.join import JoinRules, PageIndex, plain_path
from comix.io.cococolumns import CocoColumns, read_columns
from comix.io.detections import PageDetections, unpack
from comix.io.formats.exchange import BookEntry, PageEntry

_SAME_SHAPE = 0.02
"""Greatest difference of the scales along both axes at which boxes made at another size are scaled."""
Missing = Literal["empty", "leave_out"]


@dataclass(frozen=True, slots=True)
class TruthPage:
    """One page of the ground truth.

    Attributes:
        key: its page id, else its path as the file has it.
        found: boxes of all categories; ``order`` where the file has one.
        direction: ``ltr`` or ``rtl``; a strip that is read downwards is ``ltr``.
        book: what the bootstrap draws: the file's ``book``, the page id without its number, else the image's folder.
        source: what figures are reported by: the file's ``source``, else the first folder of the path.
        truth_file: stem of the file it is from.
        has_order: the panels all have a place of their own.
    """

    key: str
    found: PageDetections
    direction: Direction
    book: str
    source: str
    truth_file: str
    has_order: bool

    @property
    def panels(self) -> list[Box]:
        """Panels, in reading order where there is one."""
        return [one.box for one in self.found.panels()]


def read_truth(paths: Sequence[Path]) -> list[TruthPage]:
    """All pages of the files; a page in two of them is an error.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO, or one page twice.
        UsageError: no file named.
    """
    if not paths:
        raise UsageError("truth= is missing: name a COCO file of ground truth")
    pages: dict[str, TruthPage] = {}
    for path in paths:
        columns, document = read_columns(path), read_json(path)
        for row, image in enumerate(document["images"]):
            page = _page(path, columns, row, image)
            if page.key in pages:
                raise FileFormatError(f"{path}: {page.key!r} is also in {pages[page.key].truth_file}; name each page once")
            pages[page.key] = page
    return list(pages.values())


def _page(path: Path, columns: CocoColumns, row: int, image: Mapping[str, Any]) -> TruthPage:
    found = unpack(columns.packed(row))
    ranks = [rank for rank, one in zip(found.order, found.detections, strict=True) if one.category == "panel"]
    places = [rank for rank in ranks if rank is not None]
    key = found.page_id or plain_path(found.file_name)
    folder = PurePosixPath(key).parent.as_posix()
    return TruthPage(
        key=key,
        found=found,
        direction="rtl" if image.get("reading_direction") == "rtl" else "ltr",
        book=str(image.get("book") or image.get("book_id") or folder),
        source=str(image.get("source") or PurePosixPath(key).parts[0]),
        truth_file=path.stem,
        has_order=bool(places) and len(places) == len(ranks) == len(set(places)),
    )


@dataclass(frozen=True, slots=True)
class Joined:
    """Pages with what was predicted for them.

    Attributes:
        pairs: truth and prediction, boxes at the size of the truth; a page without prediction has an empty one.
        missing: keys of pages that the predictions do not have; ``resized``: keys of those at another shape, likewise empty.
        n_beyond: predicted pages of which the truth says nothing.
    """

    pairs: list[tuple[TruthPage, PageDetections]]
    missing: list[str]
    resized: list[str]
    n_beyond: int


def join(
    pages: Sequence[TruthPage], predictions: CocoColumns, table: Iterable[PageRecord] = (), missing: Missing = "empty"
) -> Joined:
    """Each page of the truth with its prediction.

    Args:
        pages: see `read_truth`.
        predictions: of a workspace or any file.
        table: the workspace's pages, where the predictions are a workspace's: then the truth may also name a page by its
            image path, or by ``container/member``.
        missing: what becomes of pages that the predictions do not have: they count as ``empty``, or are left out.

    Raises:
        UsageError: not one page matches.
    """
    by_path: dict[str, list[int]] = {}
    for position, name in enumerate(predictions.file_names):
        by_path.setdefault(plain_path(name), []).append(position)
    records = list(table)
    index = PageIndex(records, JoinRules()) if records else None
    pairs: list[tuple[TruthPage, PageDetections]] = []
    absent: list[str] = []
    resized: list[str] = []
    used: set[int] = set()
    for page in pages:
        row = _row(page, predictions, by_path, index)
        found = None if row is None else _at_size(unpack(predictions.packed(row)), page)
        if row is not None:
            used.add(row)
        if found is None:
            (absent if row is None else resized).append(page.key)
            if missing == "leave_out":
                continue
        pairs.append((page, found or PageDetections(page.key, page.found.width, page.found.height)))
    if not used:
        raise UsageError(
            f"{predictions.path}: none of its {len(predictions.page_ids)} images is one of the truth's {len(pages)} pages. "
            f"They are joined by page_id or by the exact path; the truth has {pages[0].key!r}, the predictions "
            f"{(predictions.page_ids or [''])[0] or (predictions.file_names or ['nothing'])[0]!r}"
        )
    return Joined(pairs, absent, resized, len(predictions.page_ids) - len(used))


def _row(
    page: TruthPage, predictions: CocoColumns, by_path: Mapping[str, Sequence[int]], index: PageIndex | None
) -> int | None:
    if page.found.page_id and (row := predictions.row(page.found.page_id)) is not None:
        return row
    rows = by_path.get(plain_path(page.found.file_name), ()) if page.found.file_name else ()
    if len(rows) == 1:
        return rows[0]
    if index is None:
        return None
    match = index.find(BookEntry(), PageEntry(page_id=page.found.page_id, file_name=page.found.file_name))
    return predictions.row(match.page_id) if match.page_id else None


def _at_size(found: PageDetections, page: TruthPage) -> PageDetections | None:
    """The prediction at the truth's size; None when the page has another shape."""
    size, wanted = (found.width, found.height), (page.found.width, page.found.height)
    if size == wanted or not all((*size, *wanted)):
        return found
    across, down = wanted[0] / size[0], wanted[1] / size[1]
    if abs(across - down) > _SAME_SHAPE * across:
        return None
    detections = tuple(one._replace(box=one.box.scaled(across, down), polygon=()) for one in found.detections)
    return replace(found, width=wanted[0], height=wanted[1], detections=detections)
