"""One page aligned: panels with their text as a DataSpec, and its row of the alignment table."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from comix.align.job import PageJob, decode_job
from comix.align.match import Assignment, assign_readings, loose_texts
from comix.align.quality import (
    Gates,
    order_agreement,
    panel_count_ratio,
    score_counted,
    score_given,
    subsets,
    text_agreement,
)
from comix.align.spec import Evidence, Origin, encode_spec
from comix.core.errors import FileFormatError, MissingInputError
from comix.core.geometry import Box
from comix.core.order import order_panels
from comix.core.page import Detection
from comix.core.task import Outcome
from comix.io.containers.inplace import MARK
from comix.io.dataspec import dataspec_name
from comix.io.detections import PageDetections, unpack
from comix.io.images import image_exists
from comix.io.readings import PanelRead, Reader, Reading, read_reading
from comix.io.smallfiles import SmallFiles

_ENCODER = msgspec.json.Encoder(order="sorted")
_SILENT = Reading("", Reader(""), "reader")
EMIT = ("everything", "subset", "perfect", "near_perfect", "high", "medium", "low", "none")
"""Which pages get a DataSpec: all that can be aligned, those that may train, one subset, none."""


@dataclass(frozen=True, slots=True)
class Aligner:
    """Aligns pages; the worker of this stage. Arguments as in ``conf/align.yaml``; an empty ``reader`` reads nothing."""

    detector: str
    reader: str
    min_det_score: float
    min_text_coverage: float
    require_image_exists: bool
    second_reader: str = ""
    emit: str = "everything"
    naming: str = "preserve_tree"
    dataspec_dir: Path = Path()
    min_score: int = 3
    gates: Gates = field(default_factory=Gates)
    staging: Path = Path()
    _files: SmallFiles = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", SmallFiles(self.staging))

    def settle(self) -> None:
        """Write the DataSpecs of the pages since the last call."""
        self._files.settle()

    def __call__(self, payload: bytes | PageJob) -> Outcome:
        """Join one page's detections and reading, score it, write its DataSpec, give its row."""
        job = decode_job(payload)
        there = [at for at, path in enumerate(job.images) if _is_there(path)]
        facts: dict[str, Any] = {"image_exists": True, "image_at": there[0]} if len(there) == 1 else {}
        if job.trouble:
            return Outcome("failed", "invalid_input", job.trouble, result=_bare(facts, 0))
        if job.packed is None:
            return Outcome("skipped", "missing_input", "no detections for this page", result=_bare(facts, 0))
        found = unpack(job.packed)
        panels = found.panels(self.min_det_score)
        if self.reader and not job.analysis:
            return Outcome("skipped", "missing_input", "no analysis for this page", result=_bare(facts, len(panels)))
        try:
            reading = self._read(job, job.analysis) if self.reader else _SILENT
            second = self._read(job, job.second) if job.second else None
        except MissingInputError as error:
            return Outcome("skipped", "missing_input", f"no analysis for this page ({error})", result=_bare(facts, len(panels)))
        except FileFormatError as error:
            facts["has_vlm_data"] = True
            return Outcome("failed", "invalid_input", str(error), result=_bare(facts, len(panels)))
        facts |= {"has_vlm_data": True} if self.reader else {}
        if self.require_image_exists and len(there) != 1:
            detail = f"{len(there)} files could be this image: {', '.join(job.images)}"
            return Outcome("failed", "image_missing", detail, result=_bare(facts, len(panels)))
        return self._aligned(job, found, panels, reading, second, facts)

    def _read(self, job: PageJob, path: str) -> Reading:
        reading = read_reading(path, (job.width, job.height))
        if job.expects and reading.page_id not in ("", job.expects):
            raise FileFormatError(f"{path} speaks of page {reading.page_id!r}")
        if len(reading.panels) > 1:
            reading.panels.sort(key=lambda one: one.panel_number)
        return reading

    def _aligned(
        self, job: PageJob, found: PageDetections, panels: list[Detection], reading: Reading, second: Reading | None,
        facts: dict[str, Any],
    ) -> Outcome:  # fmt: skip
        margin = found.margin
        if not job.order_source:
            order = order_panels([one.box for one in panels], job.direction, size=(job.width, job.height))
            panels, margin = [panels[index] for index in order.indices], order.margin
        boxes = [one.box for one in panels]
        size = (job.width, job.height)
        assignment = assign_readings(boxes, reading, size, job.direction)
        evidence = self._evidence(boxes, reading, assignment, margin)
        evidence.agreements, evidence.text_agreement = self._second_opinion(job, boxes, assignment, second)
        row = self._row(job, reading, evidence, facts, len(panels))
        if self._is_emitted(row):
            row["emitted"] = True
            origin = Origin(self.detector, self.reader, self.second_reader)
            objects = [one for one in found.detections if one.category != "panel" and one.score >= self.min_det_score]
            path = f"{self.dataspec_dir}/{dataspec_name(job.page_id, self.naming)}"
            self._files.add(path, encode_spec(origin, job, objects, panels, reading, evidence))
        return Outcome(encoded=_ENCODER.encode(row).decode())

    def _evidence(self, boxes: list[Box], reading: Reading, assignment: Assignment, margin: float | None) -> Evidence:
        loose = [*reading.unassigned, *loose_texts(assignment)]
        counts = [_n_texts(one) for one in assignment.readings]
        n_texts, n_panels = sum(counts), len(boxes)
        share = n_texts / (n_texts + len(loose)) if n_texts + len(loose) else None
        coverage = sum(map(bool, counts)) / n_panels if n_panels else 0.0
        source = reading.panel_source if self.reader else "none"
        if not self.reader:
            score = 0
        elif source == "given":
            score = score_given(n_panels, coverage, share, margin, self.min_text_coverage)
        else:
            score = score_counted(len(reading.panels), n_panels, coverage, self.min_text_coverage)
        return Evidence(
            score=score, ratio=panel_count_ratio(len(reading.panels), n_panels, source), coverage=coverage, margin=margin,
            share=share, order_agreement=order_agreement(assignment.order), loose=loose, n_texts=n_texts,
            mean_iou=sum(assignment.ious) / len(assignment.ious) if assignment.ious else None,
            panel_source=source, assignment=assignment,
        )  # fmt: skip

    def _second_opinion(
        self, job: PageJob, boxes: list[Box], assignment: Assignment, second: Reading | None
    ) -> tuple[list[float | None], float | None]:
        """Agreement of the two readers per panel, and over the page's panels with text, weighted by letters."""
        if second is None:
            return [], None
        other = assign_readings(boxes, second, (job.width, job.height), job.direction)
        pairs = [(_words(one), _words(two)) for one, two in zip(assignment.readings, other.readings, strict=True)]
        agreements = [text_agreement(one, two) for one, two in pairs]
        weights = [sum(map(len, [*one, *two])) for one, two in pairs]
        total = sum(weight for value, weight in zip(agreements, weights, strict=True) if value is not None)
        if not total:
            return agreements, None
        mean = sum(value * weight for value, weight in zip(agreements, weights, strict=True) if value is not None) / total
        return agreements, round(mean, 4)

    def _row(self, job: PageJob, reading: Reading, evidence: Evidence, facts: dict[str, Any], n_panels: int) -> dict[str, Any]:
        readings = [one for one in evidence.assignment.readings if one is not None]
        texts = [item.text for one in readings for item in one.texts()]
        n_words = sum(len(text.split()) for text in texts)
        row = {
            **facts, "rcnn_panels": n_panels, "vlm_panels": len(reading.panels),
            "panel_count_ratio": _rounded(evidence.ratio), "text_coverage": round(evidence.coverage, 4),
            "vlm_panels_with_text": sum(_n_texts(one) > 0 for one in readings),
            "vlm_text_dialogue_panels": sum(bool(one.dialogue) for one in readings),
            "vlm_text_narration_panels": sum(bool(one.narration) for one in readings),
            "vlm_text_sfx_panels": sum(bool(one.sfx) for one in readings), "quality_score": evidence.score,
            "is_perfect_match": evidence.ratio == 1.0, "panel_source": evidence.panel_source,
            "assignment": evidence.assignment.method, "order_margin": evidence.margin,
            "assigned_text_share": _rounded(evidence.share), "n_texts": evidence.n_texts,
            "n_unassigned_texts": len(evidence.loose), "n_words": n_words,
            "n_all_words": n_words + sum(len(item.text.split()) for item in evidence.loose),
            "order_agreement": evidence.order_agreement, "mean_iou": _rounded(evidence.mean_iou),
            "text_agreement": evidence.text_agreement, "reading_direction": job.direction,
            "gates_failed": ";".join(
                self.gates.failed(evidence.order_agreement, evidence.mean_iou, evidence.text_agreement)
            ),
            "subsets": subsets(evidence.score, evidence.ratio),
        }  # fmt: skip
        return {key: value for key, value in row.items() if value is not None and value is not False and value != ""}

    def _is_emitted(self, row: dict[str, Any]) -> bool:
        if self.emit == "everything":
            return True
        if self.emit == "subset":
            return row["quality_score"] >= self.min_score and "gates_failed" not in row
        names = {"perfect": "perfect_matches", "high": "high_quality", "medium": "medium_quality", "low": "low_quality"}
        return names.get(self.emit, self.emit) in row["subsets"]


def _bare(facts: dict[str, Any], n_panels: int) -> dict[str, Any]:
    """The row of a page that could not be aligned: it stays in the table with score 0."""
    return {**facts, "rcnn_panels": n_panels, "quality_score": 0, "is_perfect_match": False, "subsets": subsets(0, None)}


def _n_texts(reading: PanelRead | None) -> int:
    return 0 if reading is None else sum(bool(item.text.strip()) for item in reading.texts())


def _words(reading: PanelRead | None) -> list[str]:
    return [] if reading is None else [item.text for item in reading.texts()]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _is_there(path: str) -> bool:
    """Whether a page image is there: a file, or a member of an archive."""
    return os.path.isfile(path) or (MARK in path and image_exists(Path(path)))  # noqa: PTH113  (a third of the time)
