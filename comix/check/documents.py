"""Detections, analyses, DataSpecs, tables and lists: each readable, and of pages that exist."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from comix.check.finding import Part
from comix.core.errors import ComixError
from comix.core.ids import escape
from comix.core.workspace import Workspace
from comix.io.analysis import read_analysis
from comix.io.coco import PageDetections, read_predictions
from comix.io.dataspec import dataspec_names, read_dataspec
from comix.io.tables import read_parquet

Sizes = Mapping[str, tuple[int, int]]
"""Page id -> width and height of its image."""

_SLACK = 1.0
"""Pixels that a box may stand over the edge of its page, for coordinates that were rounded."""


def check_detections(workspace: Workspace, sizes: Sizes) -> Iterator[Part]:
    """Every ``predictions.json``: known pages, boxes on the page, an order without gaps."""
    for name in workspace.detectors_present():
        part = Part(f"detections/{name}", "pages")
        again = f"run comix detect and comix order detections={name} again: they write the file from their journals"
        try:
            found = read_predictions(workspace.predictions(name))
        except ComixError as error:
            part.add(workspace.predictions(name), str(error), again)
            yield part
            continue
        for page_id, page in found.items():
            part.n_looked_at += 1
            trouble = _page_trouble(page, sizes.get(page_id))
            if trouble:
                part.add(page_id, trouble, again)
        yield part


def _page_trouble(page: PageDetections, size: tuple[int, int] | None) -> str:
    if size is None:
        return "this page is not in the page table"
    if (page.width, page.height) != size:
        return f"was detected at {page.width} x {page.height}, the page has {size[0]} x {size[1]}"
    for one in page.detections:
        x, y, w, h = one.box.xywh
        if x < -_SLACK or y < -_SLACK or x + w > size[0] + _SLACK or y + h > size[1] + _SLACK:
            return f"the box {[x, y, w, h]} is not on the page of {size[0]} x {size[1]}"
    ranks = sorted(rank for rank in page.order if rank is not None)
    if page.is_ordered and ranks != list(range(len(ranks))):
        return f"the reading order {ranks} has gaps or doubles"
    return ""


def check_readings(workspace: Workspace, sizes: Sizes) -> Iterator[Part]:
    """Every analysis and every DataSpec: valid, of a known page, under that page's name."""

    def analysis_id(path: Path) -> str:
        return read_analysis(path).page_id

    def dataspec_id(path: Path) -> str:
        return read_dataspec(path).page_id

    for reader in workspace.readers_present():
        folder = workspace.analysis_dir(reader)
        again = f"remove the file and run comix analyze vlm={reader} again"
        yield _check_files(Part(f"analysis/{reader}", "files"), folder, sizes, analysis_id, again, _analysis_names)
    if workspace.dataspec_dir.is_dir():
        again = "remove the file and run comix align again"
        yield _check_files(Part("dataspec", "files"), workspace.dataspec_dir, sizes, dataspec_id, again, dataspec_names)


def _analysis_names(page_id: str) -> tuple[str, ...]:
    return (f"{escape(page_id)}.json",)


def _check_files(
    part: Part,
    folder: Path,
    sizes: Sizes,
    page_of: Callable[[Path], str],
    mend: str,
    names_of: Callable[[str], tuple[str, ...]],
) -> Part:
    for path in sorted(folder.rglob("*.json")):
        part.n_looked_at += 1
        name = path.relative_to(folder).as_posix()
        try:
            page_id = page_of(path)
        except ComixError as error:
            part.add(path, str(error), mend)
            continue
        if name not in names_of(page_id):
            part.add(path, f"speaks of page {page_id!r}, which goes by {names_of(page_id)[0]}", mend)
        elif page_id not in sizes:
            part.add(path, "this page is not in the page table", "remove the file, or extract its book again")
    return part


def check_tables(workspace: Workspace, page_ids: Collection[str]) -> Iterator[Part]:
    """The alignment and curation tables: one row per known page; the lists: every file is there."""
    for path, stage in ((workspace.alignment_dir / "alignment.parquet", "align"), (workspace.curation_table, "curate")):
        if path.is_file():
            part, again = Part(path.relative_to(workspace.root).as_posix(), "rows"), f"run comix {stage} again"
            try:
                ids = [str(one) for one in read_parquet(path)["page_id"]]
            except (ComixError, KeyError) as error:
                part.add(path, str(error), again)
                ids = []
            part.n_looked_at = len(ids)
            seen: set[str] = set()
            for page_id in ids:
                if page_id in seen or page_id not in page_ids:
                    part.add(page_id, "stands there twice" if page_id in seen else "is not in the page table", again)
                seen.add(page_id)
            yield part
    part = Part("lists", "entries")
    for path in sorted(workspace.lists_dir.glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            part.n_looked_at += 1
            if line.strip() and not (path.parent / line.strip()).is_file():
                part.add(f"{path}:{number}", f"{line.strip()} is not there", "run comix align again")
    if workspace.lists_dir.is_dir():
        yield part
