"""DataSpec list files to pages; what cannot be used is counted, never fatal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.geometry import Box
from comix.data.page import PageExample
from comix.io.dataspec import DataSpec, read_dataspec
from comix.io.tables import read_parquet

_OUTSIDE = 0.02
"""A box may stick out of the page by this share of its size (rounding); it is cut to the page. More is a fault."""


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


def load_pages(
    lists: Sequence[Path], image_root: Path, max_samples: int | None = None, curation: Path | None = None
) -> tuple[list[PageExample], list[Rejected]]:
    """Pages of one or several list files, in their order, and the lines that gave none.

    Args:
        lists: text files with one DataSpec path a line, relative to the list's folder or absolute; blank lines and lines
            that start with ``#`` are left out.
        image_root: folder that ``page_image_path`` is relative to; the workspace for CoMix's own files.
        max_samples: take at most this many pages; None for all.
        curation: the workspace's ``curation.parquet``: its duplicate groups are joined where it exists.

    Returns:
        pages (``len(pages) + len(rejected)`` is the number of lines read), rejected lines with a reason each.

    Raises:
        MissingInputError: a list file does not exist, or all lists together name nothing.
    """
    groups = _duplicate_groups(curation) if curation is not None and curation.is_file() else {}
    pages: list[PageExample] = []
    rejected: list[Rejected] = []
    seen: set[str] = set()
    for path in _listed(lists):
        if max_samples is not None and len(pages) >= max_samples:
            break
        found = _load(path, image_root, groups)
        if isinstance(found, PageExample) and found.page_id in seen:
            found = Rejected(str(path), found.page_id, "skipped", "duplicate", "page id listed before")
        if isinstance(found, PageExample):
            seen.add(found.page_id)
            pages.append(found)
        else:
            rejected.append(found)
    return pages, rejected


def _listed(lists: Sequence[Path]) -> list[Path]:
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
        found += [Path(name) if Path(name).is_absolute() else one.parent / name for name in names]
    if not found:
        given = ", ".join(str(one) for one in lists) or "no list given"
        raise MissingInputError(
            f"{given}: no pages listed; wanted one DataSpec path a line. Lower `min_score` of comix align, or name another "
            "list (lists/dataspec_all_list.txt has every page)"
        )
    return found


def _load(path: Path, image_root: Path, groups: dict[str, str]) -> PageExample | Rejected:
    try:
        spec = read_dataspec(path)
    except MissingInputError as error:
        return Rejected(str(path), "", "failed", "missing_input", str(error))
    except (FileFormatError, OSError) as error:
        return Rejected(str(path), "", "failed", "invalid_input", str(error))
    if not spec.panels:
        return Rejected(str(path), spec.page_id, "skipped", "no_panels", "the DataSpec lists no panels")
    fault = _first_fault(spec)
    if fault:
        return Rejected(str(path), spec.page_id, "failed", "invalid_input", fault)
    image = Path(spec.page_image_path)
    image = image if image.is_absolute() else image_root / image
    if not image.is_file():
        return Rejected(str(path), spec.page_id, "failed", "image_missing", str(image))
    return as_example(spec, image.resolve(), groups.get(spec.page_id, ""))


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


def _duplicate_groups(curation: Path) -> dict[str, str]:
    """Page id -> the page that stands for it and its duplicates; only pages that have duplicates."""
    table = read_parquet(curation)
    if not {"page_id", "dup_canonical_key"} <= set(table.columns):
        return {}
    pairs = [(str(page), str(key)) for page, key in zip(table["page_id"], table["dup_canonical_key"], strict=True) if key]
    repeated = {key for key, count in Counter(key for _, key in pairs).items() if count > 1}
    return {page: key for page, key in pairs if key in repeated}
