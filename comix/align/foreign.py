"""A foreign COCO file with a folder of JSONs as a source of pages."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from comix.align.job import PageJob
from comix.align.join import Json, PageIndex, Unmatched, join
from comix.align.scan import scan
from comix.align.source import PageFacts
from comix.core.files import write_if_changed
from comix.core.pathforms import RootMap, below, posix_form, without_suffix
from comix.core.task import RunOptions
from comix.core.workspace import Workspace
from comix.io.cococolumns import CocoColumns, read_columns
from comix.io.vlmmap import read_map

Direction = Literal["auto", "ltr", "rtl"]


@dataclass(frozen=True, slots=True)
class ForeignFiles:
    """What the user points at.

    Attributes:
        coco: the COCO file; its images are the pages.
        vlm_dir: folder of JSONs, None to make DataSpecs from the boxes alone.
        vlm_map: JSON-to-image map, None for none.
        image_roots: folders below which the images lie; empty when ``file_name`` says it all.
        root_map: where the folders that the files speak of lie here.
        panel_names: names of categories that are panels too.
        direction: of pages whose COCO image does not say; ``auto`` is left to right.
    """

    coco: Path
    vlm_dir: Path | None = None
    vlm_map: Path | None = None
    image_roots: tuple[Path, ...] = ()
    root_map: RootMap = field(default_factory=RootMap)
    panel_names: tuple[str, ...] = ()
    direction: Direction = "auto"


@dataclass
class ForeignSource:
    """Pages of a COCO file, each known by its image's path relative to the image root.

    Writes ``alignment/unmatched.csv`` when it is made: every JSON, map entry and image that fits no page or several.

    Args:
        workspace: where the results go.
        files: see `ForeignFiles`.
        options: how many processes read the JSONs.
    """

    workspace: Workspace
    files: ForeignFiles
    options: RunOptions = field(default_factory=lambda: RunOptions(workers=0))
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        files = self.files
        self._found = read_columns(files.coco, files.panel_names)
        self._roots = [posix_form(os.path.abspath(root)) for root in files.image_roots]  # noqa: PTH100  (keeps links)
        self._names = [image_name(name or page, self._roots, files.root_map) for name, page in _names(self._found)]
        self._ids = page_ids(self._names, self._found.page_ids)
        self.n_pages = len(self._ids)
        folder = files.vlm_dir.name if files.vlm_dir else "none"
        self.variant = f"{files.coco.stem}+{folder}"
        index = PageIndex(self._names, self._ids, self._roots, files.root_map)
        self._jsons: dict[int, str] = {}
        self._twice = {name for name, count in Counter(self._names).items() if count > 1}
        unmatched = [Unmatched("image", name, "listed_twice_in_coco") for name in sorted(self._twice)]
        if files.vlm_dir is not None:
            self._jsons, left = attach(files.vlm_dir, files.vlm_map, index, self.options)
            unmatched += left
        self._say(unmatched)
        made = str(self._found.info.get("created_by", ""))
        self._given = str(self._found.info.get("order_source", "rule" if made.startswith("comix") else "annotated"))

    def _say(self, unmatched: Sequence[Unmatched]) -> None:
        path = self.workspace.alignment_dir / "unmatched.csv"
        write_unmatched(path, unmatched)
        if self._found.ignored:
            names = ", ".join(f"{name} {count}" for name, count in sorted(self._found.ignored.items()))
            self.notes.append(f"annotations of other categories left out: {names}")
        if self.files.vlm_dir is not None:
            self.notes.append(f"{len(self._jsons)} JSONs joined, {len(unmatched)} items unmatched: {path}")

    def jobs(self) -> Iterator[PageJob]:
        """One job after another."""
        folder = os.fspath(self.files.vlm_dir) if self.files.vlm_dir else ""
        for row, (page_id, name) in enumerate(zip(self._ids, self._names, strict=True)):
            packed = self._found.packed(row)
            own = packed.direction or (2 if self.files.direction == "rtl" else 1)
            json = self._jsons.get(row, "")
            yield PageJob(
                page_id, _book(page_id), name, self._images(name), packed.width, packed.height,
                "rtl" if own == 2 else "ltr", "", _book(name), name.rpartition("/")[2], "", packed,
                self._given if self._found.has_order[row] else "", f"{folder}/{json}" if json else "", "", "",
                f"{self.files.coco} lists {name!r} twice" if name in self._twice else "",
            )  # fmt: skip

    def facts(self) -> Iterator[PageFacts]:
        """One page after another, in the same order."""
        folder = os.fspath(self.files.vlm_dir) if self.files.vlm_dir else ""
        for row, (page_id, name) in enumerate(zip(self._ids, self._names, strict=True)):
            json = self._jsons.get(row, "")
            path = f"{folder}/{json}" if json else ""
            yield PageFacts(page_id, _book(page_id), name, self._images(name), json[: -len(".json")], path)

    def _images(self, name: str) -> tuple[str, ...]:
        if not self._roots:
            return (name if name.startswith("/") else os.path.join(os.fspath(self.files.coco.parent), name),)  # noqa: PTH118
        return tuple(f"{root}/{name}" for root in self._roots)


def _names(found: CocoColumns) -> Iterator[tuple[str, str]]:
    return zip(found.file_names, found.page_ids, strict=True)


def _book(page_id: str) -> str:
    return page_id.rpartition("/")[0] or page_id


def image_name(path: str, roots: Sequence[str], root_map: RootMap) -> str:
    r"""An image's path relative to the image root that it lies below; otherwise as it is, in `posix_form`.

    >>> image_name("E:\\Comics\\a\\1.jpg", ["/mnt/e/Comics"], RootMap())
    'a/1.jpg'
    """
    text = root_map.here(path)
    return min(below(text, roots), key=len, default=text) if text.startswith("/") else text


def page_ids(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """Page ids: what the file gives, else the image's path, suffix dropped where that leaves it alone.

    An image that is listed twice gets its position behind its name, so that neither hides the other.

    >>> page_ids(["a/1.jpg", "a/2.jpg", "a/2.png"], ["", "", ""])
    ['a/1', 'a/2.jpg', 'a/2.png']
    """
    proposed = [own or without_suffix(name).strip("/") for own, name in zip(given, names, strict=True)]
    counts = Counter(proposed)
    chosen = [one if counts[one] == 1 else name.strip("/") for one, name in zip(proposed, names, strict=True)]
    counts = Counter(chosen)
    return [one if counts[one] == 1 else f"{one}~{row + 1}" for row, one in enumerate(chosen)]


def attach(
    vlm_dir: Path, vlm_map: Path | None, pages: PageIndex, options: RunOptions
) -> tuple[dict[int, str], list[Unmatched]]:
    """The JSON of each page by exact rules, and what was left out; map entries without a file among it.

    Raises:
        MissingInputError: no such map.
        FileFormatError: the map has none of the known shapes.
    """
    folder = os.fspath(vlm_dir)
    given = read_map(vlm_map, posix_form(os.path.abspath(folder)), pages.root_map) if vlm_map else {}  # noqa: PTH100
    waiting = set(given)

    def jsons() -> Iterator[Json]:
        for one in scan(folder, options):
            if waiting:
                waiting.discard(posix_form(one.path))
            yield one

    attached, unmatched = join(jsons(), pages, given)
    unmatched += [Unmatched("map", name, "no_such_json", tuple(given[name][:5])) for name in sorted(waiting)]
    return attached, sorted(unmatched)


def write_unmatched(path: Path, unmatched: Iterable[Unmatched]) -> None:
    """Write ``unmatched.csv``: kind, item, reason, candidates (up to 5, separated by " | "; looked at, never used)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "item", "reason", "candidates"])
    writer.writerows((one.kind, one.item, one.reason, " | ".join(one.candidates)) for one in unmatched)
    write_if_changed(path, text.getvalue().encode())
