"""DataSpec list files to pages; what cannot be used is counted, never fatal."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from comix.core.errors import FileFormatError, ItemError, MissingInputError
from comix.core.geometry import Box
from comix.core.joined import Joined
from comix.data.known import Known, Stat, image_hash, stat_of
from comix.data.page import PageExample
from comix.io.dataspec import DataSpec, read_dataspec
from comix.io.images import image_exists, inspect_image, read_image_bytes
from comix.io.tables import read_parquet

_OUTSIDE = 0.02
"""A box may stick out of the page by this share of its size (rounding); it is cut to the page. More is a fault."""
_AT_ONCE = 2000
_GROUPS = ("dup_canonical_key", "dup_group_exact", "dup_group_phash")
"""Columns of ``curation.parquet`` that name a page's group of copies."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line of a list that gave no page.

    Attributes:
        path: the DataSpec file as resolved.
        page_id: "" when the file could not be read.
        status: ``skipped`` for a page without panels or listed twice, else ``failed``.
        reason: a code of `comix.core.reasons`.
        detail: what was found.
    """

    path: str
    page_id: str
    status: Literal["failed", "skipped"]
    reason: str
    detail: str

    @property
    def told(self) -> str:
        """The detail with the DataSpec file it is about."""
        is_said = self.path in ("", self.page_id) or self.path in self.detail
        return self.detail if is_said else f"{self.path}: {self.detail}"


def load_pages(
    lists: Sequence[Path],
    image_root: Path,
    max_samples: int | None = None,
    curation: Path | None = None,
    known_file: Path | None = None,
    max_lines: int | None = None,
) -> tuple[list[PageExample], list[Rejected]]:
    """Pages of one or several list files, in their order, and the lines that gave none.

    Args:
        lists: text files with one DataSpec path a line, relative to the list's folder or absolute; blank lines and lines
            that start with ``#`` are left out.
        image_root: folder that ``page_image_path`` is relative to; the workspace for CoMix's own files.
        max_samples: take at most this many pages; None for all.
        curation: the workspace's ``curation.parquet``: its duplicate groups are joined where it exists.
        known_file: where is kept what was read (``cache/pages.sqlite``), so that the next reading is quick and an image that
            was changed since is noticed; None to read everything.
        max_lines: read no more lines than this, whatever they give; None for all.

    Returns:
        pages (``len(pages) + len(rejected)`` is the number of lines read), rejected lines with a reason each.

    Raises:
        MissingInputError: a list file does not exist, or all lists together name nothing.
    """
    groups = duplicate_groups(curation) if curation is not None and curation.is_file() else {}
    pages: list[PageExample] = []
    rejected: list[Rejected] = []
    seen: set[str] = set()
    paths = listed_paths(lists)[:max_lines]
    with Known(known_file, image_root) as known:
        for start in range(0, len(paths), _AT_ONCE):
            for path, found in _load(paths[start : start + _AT_ONCE], image_root, known):
                if max_samples is not None and len(pages) >= max_samples:
                    return pages, rejected
                if isinstance(found, PageExample) and found.page_id in seen:
                    rejected.append(Rejected(str(path), found.page_id, "skipped", "duplicate", "page id listed before"))
                elif isinstance(found, PageExample):
                    seen.add(found.page_id)
                    pages.append(replace(found, duplicate_group=groups.get(found.page_id, ""), dataspec=path))
                else:
                    rejected.append(found)
    return pages, rejected


def listed_paths(lists: Sequence[Path]) -> list[Path]:
    """The DataSpec files that lists name, in their order; see `load_pages`."""
    found: list[Path] = []
    for one in lists:
        try:
            lines = one.read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            raise MissingInputError(
                f"{one}: no such list file; wanted one DataSpec path a line (comix align and comix curate write lists/*.txt)"
            ) from None
        except (UnicodeDecodeError, IsADirectoryError) as error:
            raise FileFormatError(f"{one}: not a text file ({error}); wanted one DataSpec path a line") from error
        names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        found += [Path(os.path.join(one.parent, name)) for name in names]  # noqa: PTH118  (a third of the time, for 300,000)
    if not found:
        given = ", ".join(str(one) for one in lists) or "no list given"
        raise MissingInputError(
            f"{given}: no pages listed; wanted one DataSpec path a line. Lower `min_score` of comix align, or name another "
            "list (lists/dataspec_all_list.txt has every page)"
        )
    return found


Found = PageExample | Rejected


def _load(paths: Sequence[Path], image_root: Path, known: Known) -> Iterator[tuple[Path, Found]]:
    """What each DataSpec gives; those that are as they were last time are not read again."""
    root = image_root.resolve()
    names = [os.path.abspath(path) for path in paths]  # noqa: PTH100  (`Path` does not take .. out)
    stats = {name: stat_of(name) for name in names}
    before = known.find("dataspec", stats)
    found: dict[str, Found] = {}
    fresh: list[tuple[str, Stat, Any]] = []
    for path, name in zip(paths, names, strict=True):
        is_same, kept = before.get(name, (False, None))
        found[name] = _revived(str(path), kept, root) if is_same else _read(path, root)
        stat = stats[name]
        if not is_same and stat is not None:
            fresh.append((name, stat, _kept(found[name], root)))
    known.keep("dataspec", fresh)
    checked = _checked(found, known)
    for path, name in zip(paths, names, strict=True):
        yield path, checked[name]


def _read(path: Path, root: Path) -> Found:
    try:
        spec = read_dataspec(path)
    except MissingInputError as error:
        return Rejected(str(path), "", "failed", "missing_input", str(error))
    except (FileFormatError, OSError) as error:
        return Rejected(str(path), "", "failed", "invalid_input", str(error))
    if not spec.panels:
        return Rejected(str(path), spec.page_id, "skipped", "no_panels", "the DataSpec lists no panels")
    image = Path(os.path.normpath(root / spec.page_image_path))
    if spec.page_size == [0, 0]:  # an older file that does not say
        try:
            facts = inspect_image(read_image_bytes(image), decode=False)
        except ItemError as error:
            return Rejected(str(path), spec.page_id, "failed", error.reason, error.detail)
        spec = spec.model_copy(update={"page_size": [facts.width, facts.height]})
    fault = _first_fault(spec)
    if fault:
        return Rejected(str(path), spec.page_id, "failed", "invalid_input", fault)
    return as_example(spec, image)


def _kept(found: Found, root: Path) -> list[Any]:
    """What `_revived` takes: without what depends on other files."""
    if isinstance(found, Rejected):
        return [found.page_id, found.status, found.reason, found.detail]
    image = found.image.relative_to(root) if found.image.is_relative_to(root) else found.image
    boxes = [box.xywh for box in found.boxes]
    return [
        found.page_id, found.book_id, image.as_posix(), found.sha256, found.width, found.height, found.direction, boxes,
        found.texts, found.page_type, found.order_is_weak,
    ]  # fmt: skip


def _revived(path: str, kept: list[Any], root: Path) -> Found:
    if len(kept) == 4:
        return Rejected(path, *kept)
    page_id, book_id, image, sha256, width, height, direction, boxes, texts, page_type, order_is_weak = kept
    return PageExample(
        page_id, book_id, Path(os.path.join(root, image)), sha256,  # noqa: PTH118
         width, height, direction, tuple(Box(*box) for box in boxes), tuple(texts),
        page_type, order_is_weak=order_is_weak,
    )  # fmt: skip


def _checked(found: Mapping[str, Found], known: Known) -> dict[str, Found]:
    """Pages whose image is there and is the one their DataSpec was made from.

    An image is read where the DataSpec does not tell its hash, and where it has another size or time than last time.
    """
    stats = {str(one.image): stat_of(str(one.image)) for one in found.values() if isinstance(one, PageExample)}
    before = known.find("image", stats)
    out: dict[str, Found] = {}
    fresh: list[tuple[str, Stat, Any]] = []
    for path, one in found.items():
        out[path] = one
        if isinstance(one, Rejected):
            continue
        stat, (is_same, kept) = stats[str(one.image)], before.get(str(one.image), (False, ""))
        try:
            if stat is None and not image_exists(one.image):
                raise ItemError("image_missing", str(one.image))
            told_anew = one.sha256 if not kept else ""
            actual = kept if is_same else told_anew or image_hash(one.image)
            if is_same and one.sha256 not in ("", actual):  # what was kept may itself only have been told
                actual, is_same = image_hash(one.image), False
            if stat is not None and not is_same:
                fresh.append((str(one.image), stat, actual))
            if one.sha256 and stat is not None and actual != one.sha256:
                raise ItemError("image_changed", f"{one.image}: sha256 {actual[:16]}.., the DataSpec has {one.sha256[:16]}..")
            out[path] = replace(one, sha256=actual)
        except ItemError as error:
            out[path] = Rejected(path, one.page_id, "failed", error.reason, error.detail)
    known.keep("image", fresh)
    return out


def as_example(spec: DataSpec, image: Path, duplicate_group: str = "") -> PageExample:
    """The page of a DataSpec; boxes cut to the page, words of a panel joined by line ends."""
    width, height = spec.page_size
    panels = sorted(spec.panels, key=lambda panel: panel.order)
    return PageExample(
        page_id=spec.page_id,
        book_id=spec.page_id.rpartition("/")[0] or spec.page_id,
        image=image,
        sha256=spec.provenance.sha256,
        width=width,
        height=height,
        direction=spec.reading_direction,
        boxes=tuple(Box.from_xywh(panel.panel_coords).clipped(width, height) for panel in panels),
        texts=tuple("\n".join(text for text in panel.text.all() if text.strip()) for panel in panels),
        page_type=spec.page_type,
        duplicate_group=duplicate_group,
        order_is_weak=spec.order_source not in ("annotated", "constructed"),
    )


def _first_fault(spec: DataSpec) -> str:
    """What is wrong with the page's numbers, "" if nothing."""
    width, height = spec.page_size
    if width < 1 or height < 1:
        return f"page_size is {spec.page_size}; wanted pixels"
    for number, panel in enumerate(spec.panels):
        x, y, w, h = panel.panel_coords
        if not all(math.isfinite(value) for value in panel.panel_coords):
            return f"panel {number}: panel_coords {panel.panel_coords} are not numbers"
        if w < 1 or h < 1:
            return f"panel {number}: panel_coords {panel.panel_coords} have no extent; wanted [x, y, w, h]"
        slack_x, slack_y = _OUTSIDE * width, _OUTSIDE * height
        if x < -slack_x or y < -slack_y or x + w > width + slack_x or y + h > height + slack_y:
            return f"panel {number}: panel_coords {panel.panel_coords} lie outside the {width} x {height} page"
    orders = sorted(panel.order for panel in spec.panels)
    return "" if orders == list(range(len(orders))) else f"order is {orders}; wanted 0 to {len(orders) - 1}, each once"


def duplicate_groups(curation: Path) -> dict[str, str]:
    """Page id -> the group of its copies, exact or near; only pages that have copies.

    Every column of the table that groups pages counts: pages that any of them joins are one group.
    """
    table = read_parquet(curation)
    joined = Joined()
    ids = [str(page) for page in table["page_id"]] if "page_id" in table.columns else []
    for column in (name for name in _GROUPS if name in table.columns):
        for page, value in zip(ids, table[column], strict=True):
            if isinstance(value, str) and value:
                joined.join(f"page:{page}", f"{column}:{value}")
    groups = {page: joined.group(f"page:{page}") for page in ids}
    sizes = Counter(groups.values())
    return {page: group for page, group in groups.items() if sizes[group] > 1}
