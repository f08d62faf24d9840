"""The documented files of `align`, written from the journal in table order, some thousand pages in memory at a time."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from comix.align.quality import SUBSETS, Gates
from comix.align.source import PageFacts
from comix.core.journal import Journal
from comix.core.workspace import Workspace
from comix.io.dataspec import dataspec_name
from comix.io.streams import ChangedOnly, changed_only

COLUMNS: Mapping[str, Any] = {
    "image_id": "", "image_path": "", "rcnn_panels": 0, "vlm_panels": 0, "panel_count_ratio": None, "text_coverage": 0.0,
    "vlm_panels_with_text": 0, "vlm_text_dialogue_panels": 0, "vlm_text_narration_panels": 0, "vlm_text_sfx_panels": 0,
    "quality_score": 0, "is_perfect_match": False, "vlm_key": "", "vlm_json_path": "", "has_vlm_data": False,
    "resolved_image_path": "", "image_exists": False,
    "page_id": "", "book_id": "", "dataspec_path": "", "panel_source": "none", "assignment": "none", "order_margin": None,
    "assigned_text_share": None, "reading_direction": "", "n_texts": 0, "n_unassigned_texts": 0, "n_words": 0, "n_all_words": 0,
    "is_candidate": False, "order_agreement": None, "mean_iou": None, "text_agreement": None, "gates_failed": "",
}  # fmt: skip
"""Columns of the alignment table with the value of a page that lacks one: the document's first, ours after them."""

MANIFEST_COLUMNS = [
    "image_path", "resolved_image_path", "image_exists", "vlm_key", "vlm_json_path", "rcnn_panels", "vlm_panels",
    "vlm_panels_with_text", "vlm_text_dialogue_panels", "vlm_text_narration_panels", "vlm_text_sfx_panels",
]  # fmt: skip
_AT_ONCE = 4096
_GATED = ("order_agreement", "mean_iou", "text_agreement")


@dataclass(slots=True)
class Counts:
    """What the table holds: pages by score, DataSpecs, and per gate how many pages fail it or show nothing for it."""

    scores: Counter[int] = field(default_factory=Counter)
    n_specs: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

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
    schema = pa.schema([(name, _arrow_type(name, value)) for name, value in COLUMNS.items()])
    with ExitStack() as stack:

        def opened(path: Any) -> ChangedOnly:
            return stack.enter_context(changed_only(path))

        parquet = stack.enter_context(_closing_writer(pq.ParquetWriter(opened(folder / "alignment.parquet"), schema)))
        members = {name: opened(folder / f"alignment_{name}.txt") for name in SUBSETS}
        lists = {name: opened(workspace.lists_dir / f"dataspec_{name}_list.txt") for name in ("all", "perfect")}
        manifest = opened(folder / "alignment_perfect_match_training_manifest.csv")
        manifest.write(_csv([MANIFEST_COLUMNS]))
        lists_dir = os.fspath(workspace.lists_dir)
        prefix = os.path.relpath(workspace.root, lists_dir).replace(os.sep, "/")
        while some := list(islice(pages, _AT_ONCE)):
            results = journal.results([page.page_id for page in some])
            records = []
            for page in some:
                if page.page_id not in results:
                    continue
                status, result = results[page.page_id]
                record = _record(page, result, min_score, naming)
                records.append(record)
                _count(counts, record, status)
                for name in result.get("subsets", ["low_quality"]):  # a worker that died left no result
                    members[name].write(f"{page.image_path}\n".encode())
                if record["dataspec_path"]:
                    line = f"{prefix}/{record['dataspec_path']}\n".encode()
                    for name in ("all", "perfect") if record["is_perfect_match"] else ("all",):
                        lists[name].write(line)
                    if record["is_perfect_match"]:
                        manifest.write(_csv([[record[name] for name in MANIFEST_COLUMNS]]))
            if records:
                columns = [pa.array([one[name] for one in records], schema.field(name).type) for name in COLUMNS]
                parquet.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return counts


class _closing_writer:  # noqa: N801  (used as a context manager)
    """Ends a Parquet file before the file under it is put into its place; on an error both are dropped."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __enter__(self) -> Any:
        return self._writer

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def _arrow_type(name: str, value: Any) -> Any:
    import pyarrow as pa

    if isinstance(value, bool):
        return pa.bool_()
    return pa.string() if isinstance(value, str) else pa.int64() if isinstance(value, int) else pa.float64()


def _record(page: PageFacts, result: dict[str, Any], min_score: int, naming: str) -> dict[str, Any]:
    record = {**COLUMNS, **{key: value for key, value in result.items() if key in COLUMNS}}
    record |= {"image_id": page.page_id, "page_id": page.page_id, "book_id": page.book_id, "image_path": page.image_path}
    if result.get("has_vlm_data"):
        record["vlm_key"], record["vlm_json_path"] = page.key, page.json_path
    if result.get("image_exists"):
        record["resolved_image_path"] = page.images[result.get("image_at", 0)]
    if result.get("emitted"):
        record["dataspec_path"] = f"dataspec/{dataspec_name(page.page_id, naming)}"
    is_good = record["quality_score"] >= min_score and not record["gates_failed"]
    record["is_candidate"] = bool(record["dataspec_path"]) and is_good and record["image_exists"]
    return record


def _count(counts: Counts, record: dict[str, Any], status: str) -> None:
    counts.scores[record["quality_score"]] += 1
    counts.n_specs += bool(record["dataspec_path"])
    counts.failed.update(record["gates_failed"].split(";"))
    if status == "done":
        counts.unknown.update(name for name in _GATED if record[name] is None)


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
