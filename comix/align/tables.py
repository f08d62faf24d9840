"""The documented files of `align`, written from the journal in table order, some thousand pages in memory at a time."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from comix.align.quality import SUBSETS, Gates
from comix.align.source import PageFacts
from comix.core.files import PART_PREFIX
from comix.core.journal import Journal
from comix.core.workspace import Workspace
from comix.io.dataspec import dataspec_name
from comix.io.streams import ChangedOnly, changed_only

COLUMNS: Mapping[str, type] = {
    "image_id": str, "image_path": str, "rcnn_panels": int, "vlm_panels": int, "panel_count_ratio": float,
    "text_coverage": float, "vlm_panels_with_text": int, "vlm_text_dialogue_panels": int, "vlm_text_narration_panels": int,
    "vlm_text_sfx_panels": int, "quality_score": int, "is_perfect_match": bool, "vlm_key": str, "vlm_json_path": str,
    "has_vlm_data": bool, "resolved_image_path": str, "image_exists": bool,
    "page_id": str, "book_id": str, "dataspec_path": str, "panel_source": str, "assignment": str, "order_margin": float,
    "assigned_text_share": float, "reading_direction": str, "n_texts": int, "n_unassigned_texts": int, "n_words": int,
    "n_all_words": int, "is_candidate": bool, "order_agreement": float, "mean_iou": float, "text_agreement": float,
    "gates_failed": str,
}  # fmt: skip
"""Columns of the alignment table with their types: the document's first, ours after them."""

MANIFEST_COLUMNS = [
    "image_path", "resolved_image_path", "image_exists", "vlm_key", "vlm_json_path", "rcnn_panels", "vlm_panels",
    "vlm_panels_with_text", "vlm_text_dialogue_panels", "vlm_text_narration_panels", "vlm_text_sfx_panels",
]  # fmt: skip
_AT_ONCE = 4096
_ARROW = {str: "string", int: "int64", float: "float64", bool: "bool"}
_GATED = ("order_agreement", "mean_iou", "text_agreement")


class _Result(msgspec.Struct):
    """A page's row of the journal: columns by their names, with the value of a page that lacks one.

    Attributes:
        image_at: which of the page's possible images is there.
        emitted: whether it has a DataSpec.
        subsets: lists that name the page; a worker that died left no result and so no better one.
    """

    rcnn_panels: int = 0
    vlm_panels: int = 0
    panel_count_ratio: float | None = None
    text_coverage: float = 0.0
    vlm_panels_with_text: int = 0
    vlm_text_dialogue_panels: int = 0
    vlm_text_narration_panels: int = 0
    vlm_text_sfx_panels: int = 0
    quality_score: int = 0
    is_perfect_match: bool = False
    has_vlm_data: bool = False
    image_exists: bool = False
    panel_source: str = "none"
    assignment: str = "none"
    order_margin: float | None = None
    assigned_text_share: float | None = None
    reading_direction: str = ""
    n_texts: int = 0
    n_unassigned_texts: int = 0
    n_words: int = 0
    n_all_words: int = 0
    order_agreement: float | None = None
    mean_iou: float | None = None
    text_agreement: float | None = None
    gates_failed: str = ""
    image_at: int = 0
    emitted: bool = False
    subsets: tuple[str, ...] = ("low_quality",)


_DECODER = msgspec.json.Decoder(_Result)


@dataclass(slots=True)
class Counts:
    """What the table holds: pages by score, DataSpecs, and per gate how many pages fail it or show nothing for it."""

    scores: Counter[int] = field(default_factory=Counter)
    n_specs: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, results: Sequence[_Result], columns: Mapping[str, Sequence[Any]], statuses: Sequence[str]) -> None:
        """Count some pages."""
        self.scores.update(columns["quality_score"])
        self.n_specs += sum(map(bool, columns["dataspec_path"]))
        for one in results:
            if one.gates_failed:
                self.failed.update(one.gates_failed.split(";"))
        for name in _GATED:
            self.unknown[name] += sum(
                value is None and status == "done" for value, status in zip(columns[name], statuses, strict=True)
            )

    def note(self) -> str:
        """Scores on one line."""
        scores = ", ".join(f"{score}: {self.scores[score]}" for score in (4, 3, 2, 1, 0))
        return f"scores {scores}; {self.n_specs} DataSpecs"

    def gate_notes(self, gates: Gates) -> list[str]:
        """One line for each gate that was set."""
        return [
            f"min_{name}: {self.failed[name]} pages below it, {self.unknown[name]} on which it cannot be measured (kept)"
            for name in _GATED
            if getattr(gates, f"min_{name}") > 0
        ]


def derive_files(workspace: Workspace, pages: Iterator[PageFacts], journal: Journal, min_score: int, naming: str) -> Counts:
    """Write ``alignment.parquet``, the subset lists, the manifest and the DataSpec lists from the journal."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts, folder = Counts(), workspace.alignment_dir
    schema = pa.schema([(name, pa.type_for_alias(_ARROW[kind])) for name, kind in COLUMNS.items()])
    with ExitStack() as stack:

        def opened(path: Any) -> ChangedOnly:
            return stack.enter_context(changed_only(path))

        parquet = stack.enter_context(_closing_writer(pq.ParquetWriter(opened(folder / "alignment.parquet"), schema)))
        members = {name: opened(folder / f"alignment_{name}.txt") for name in SUBSETS}
        lists = {name: opened(workspace.lists_dir / f"dataspec_{name}_list.txt") for name in ("all", "perfect")}
        manifest = opened(folder / "alignment_perfect_match_training_manifest.csv")
        manifest.write(_csv([MANIFEST_COLUMNS]))
        prefix = os.path.relpath(workspace.root, workspace.lists_dir).replace(os.sep, "/")
        while some := list(islice(pages, _AT_ONCE)):
            found = journal.encoded([page.page_id for page in some])
            some = [page for page in some if page.page_id in found]
            results = [_DECODER.decode(found[page.page_id][1]) for page in some]
            columns = _columns(some, results, min_score, naming)
            counts.add(results, columns, [found[page.page_id][0] for page in some])
            for name, stream in members.items():
                stream.write(_lines(page.image_path for page, one in zip(some, results, strict=True) if name in one.subsets))
            perfect = columns["is_perfect_match"]
            specs = [f"{prefix}/{path}" if path else "" for path in columns["dataspec_path"]]
            lists["all"].write(_lines(filter(None, specs)))
            lists["perfect"].write(_lines(path for path, one in zip(specs, perfect, strict=True) if path and one))
            rows = zip(*(columns[name] for name in MANIFEST_COLUMNS), strict=True)
            manifest.write(_csv(row for row, path, one in zip(rows, specs, perfect, strict=True) if path and one))
            if some:
                arrays = [pa.array(columns[name], schema.field(name).type) for name in COLUMNS]
                parquet.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return counts


def remove_unlisted(workspace: Workspace) -> int:
    """Remove the DataSpecs that an earlier naming, choice of pages or variant left and no list names; how many."""
    prefix = os.path.relpath(workspace.dataspec_dir, workspace.lists_dir).replace(os.sep, "/") + "/"
    listed = (workspace.lists_dir / "dataspec_all_list.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line.removeprefix(prefix) for line in listed}
    n_removed = 0
    for folder, folders, names in os.walk(workspace.dataspec_dir):
        folders[:] = [name for name in folders if not name.startswith(PART_PREFIX)]
        below = os.path.relpath(folder, workspace.dataspec_dir).replace(os.sep, "/")
        below = "" if below == "." else f"{below}/"
        for name in names:
            if name.endswith(".json") and f"{below}{name}" not in wanted:
                os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118
                n_removed += 1
    if n_removed:
        for folder, _, _ in os.walk(workspace.dataspec_dir, topdown=False):
            with suppress(OSError):  # it holds something
                os.rmdir(folder)  # noqa: PTH106
    return n_removed


def _columns(pages: Sequence[PageFacts], results: Sequence[_Result], min_score: int, naming: str) -> dict[str, list[Any]]:
    """Values of all columns, a list each."""
    pairs = list(zip(pages, results, strict=True))
    columns: dict[str, list[Any]] = {
        name: list(map(attrgetter(name), results)) for name in _Result.__struct_fields__ if name in COLUMNS
    }
    columns["page_id"] = columns["image_id"] = [page.page_id for page in pages]
    columns["book_id"] = [page.book_id for page in pages]
    columns["image_path"] = [page.image_path for page in pages]
    columns["vlm_key"] = [page.key if one.has_vlm_data else "" for page, one in pairs]
    columns["vlm_json_path"] = [page.json_path if one.has_vlm_data else "" for page, one in pairs]
    columns["resolved_image_path"] = [page.images[one.image_at] if one.image_exists else "" for page, one in pairs]
    columns["dataspec_path"] = [f"dataspec/{dataspec_name(page.page_id, naming)}" if one.emitted else "" for page, one in pairs]
    columns["is_candidate"] = [
        one.emitted and one.image_exists and one.quality_score >= min_score and not one.gates_failed for one in results
    ]
    return columns


class _closing_writer:  # noqa: N801  (used as a context manager)
    """Ends a Parquet file before the file under it is put into its place; on an error both are dropped."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __enter__(self) -> Any:
        return self._writer

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def _lines(paths: Iterable[str]) -> bytes:
    return "".join([f"{path}\n" for path in paths]).encode()


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
