"""One page aligned: panels with their text as a DataSpec, and its row of the alignment table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from comix.align.match import Assignment, assign_readings
from comix.align.quality import panel_count_ratio, score_counted, score_given, subsets
from comix.core.errors import FileFormatError, MissingInputError
from comix.core.page import TEXT_KINDS, Detection, PageRecord
from comix.core.task import Outcome
from comix.io.analysis import Analysis, PanelReading, TextItem, UnassignedText, read_analysis
from comix.io.coco import PageDetections
from comix.io.dataspec import (
    DataSpec,
    PanelSpec,
    PanelText,
    PanelTextItem,
    Provenance,
    Quality,
    TextKind,
    write_dataspec,
)

_KINDS: tuple[TextKind, ...] = ("dialogue", "thought", "narration", "sfx")


@dataclass(frozen=True, slots=True)
class AlignJob:
    """One page: its record, what was detected, where the analysis is, where the DataSpec goes."""

    page: PageRecord
    found: PageDetections | None
    analysis: Path
    target: Path
    image: Path
    direction: Literal["ltr", "rtl"]


@dataclass(frozen=True, slots=True)
class Aligner:
    """Aligns pages; the worker of this stage. Arguments as in ``conf/align.yaml``."""

    detector: str
    reader: str
    min_det_score: float
    min_text_coverage: float
    require_image_exists: bool

    def __call__(self, job: AlignJob) -> Outcome:
        """Join one page's detections and analysis, score it, write its DataSpec, give its row."""
        if job.found is None:
            return Outcome("skipped", "missing_input", "no detections for this page", result=_bare_row(job))
        try:
            analysis = read_analysis(job.analysis)
        except MissingInputError:
            return Outcome("skipped", "missing_input", f"no analysis for this page ({job.analysis})", result=_bare_row(job))
        except FileFormatError as error:
            return Outcome("failed", "invalid_input", str(error), result=_bare_row(job))
        if analysis.page_id != job.page.page_id:
            detail = f"{job.analysis} speaks of page {analysis.page_id!r}"
            return Outcome("failed", "invalid_input", detail, result=_bare_row(job))
        if self.require_image_exists and not job.image.is_file():
            return Outcome("failed", "image_missing", str(job.image), result=_bare_row(job))
        panels = job.found.panels(self.min_det_score)
        spec, row = self._aligned(job, panels, analysis)
        write_dataspec(job.target, spec)
        return Outcome(result=row)

    def _aligned(self, job: AlignJob, panels: list[Detection], analysis: Analysis) -> tuple[DataSpec, dict[str, Any]]:
        assignment = assign_readings([one.box for one in panels], analysis)
        specs = [
            _panel(index, one, reading, confidence)
            for index, (one, reading, confidence) in enumerate(
                zip(panels, assignment.readings, assignment.confidences, strict=True)
            )
        ]
        unassigned = [*analysis.unassigned, *_leftover(assignment)]
        n_texts = sum(len(spec.texts) for spec in specs)
        share = n_texts / (n_texts + len(unassigned)) if n_texts + len(unassigned) else None
        coverage = sum(bool(spec.texts) for spec in specs) / len(specs) if specs else 0.0
        margin = job.found.margin if job.found else None
        ratio = panel_count_ratio(len(analysis.panels), len(panels), analysis.panel_source)
        if analysis.panel_source == "given":
            score = score_given(len(panels), coverage, share, margin, self.min_text_coverage)
        else:
            score = score_counted(len(analysis.panels), len(panels), coverage, self.min_text_coverage)
        spec = DataSpec(
            page_image_path=job.page.image_path, panels=specs, page_id=job.page.page_id,
            page_size=[job.page.width, job.page.height], reading_direction=job.direction, page_type=job.page.page_type,
            unassigned_text=unassigned,
            provenance=Provenance(
                detector=self.detector, reader=self.reader, reader_model=analysis.reader.model,
                panel_source=analysis.panel_source, assignment=assignment.method, container=job.page.container,
                member=job.page.member, sha256=job.page.sha256,
            ),
            quality=Quality(
                score=score, panel_count_ratio=_rounded(ratio), text_coverage=round(coverage, 4), order_margin=margin,
                assigned_text_share=_rounded(share),
            ),
        )  # fmt: skip
        return spec, _row(job, spec, len(analysis.panels))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _texts(reading: PanelReading) -> list[PanelTextItem]:
    return [_item(kind, item) for kind in _KINDS for item in getattr(reading, kind) if item.text.strip()]


def _item(kind: TextKind, item: TextItem) -> PanelTextItem:
    return PanelTextItem(kind=kind, text=item.text, speaker=item.speaker, bbox=item.bbox, confidence=item.confidence)


def _panel(index: int, one: Detection, reading: PanelReading | None, confidence: float) -> PanelSpec:
    texts = _texts(reading) if reading else []
    by_kind = {kind: [item.text for item in texts if item.kind == kind] for kind in TEXT_KINDS}
    return PanelSpec(
        panel_coords=[round(value, 2) for value in one.box.xywh], text=PanelText(**by_kind), order=index,
        confidence=round(one.score, 4), text_confidence=confidence if texts else None, texts=texts,
        polygon=[[x, y] for x, y in one.polygon], characters=reading.characters if reading else [],
        description=reading.description if reading else "",
    )  # fmt: skip


def _leftover(assignment: Assignment) -> list[UnassignedText]:
    return [
        UnassignedText(kind=item.kind, text=item.text, speaker=item.speaker, bbox=item.bbox, confidence=item.confidence)
        for reading in assignment.leftover
        for item in _texts(reading)
    ]


def _bare_row(job: AlignJob) -> dict[str, Any]:
    """The row of a page that could not be aligned: it stays in the table with score 0."""
    n_panels = len(job.found.panels()) if job.found else 0
    return {
        **_identity(job),
        "rcnn_panels": n_panels,
        "quality_score": 0,
        "is_perfect_match": False,
        "subsets": subsets(0, None),
    }


def _identity(job: AlignJob) -> dict[str, Any]:
    return {
        "image_id": job.page.page_id, "image_path": job.page.image_path, "has_vlm_data": job.analysis.is_file(),
        "image_exists": job.image.is_file(), "page_id": job.page.page_id, "book_id": job.page.book_id,
    }  # fmt: skip


def _row(job: AlignJob, spec: DataSpec, n_reader: int) -> dict[str, Any]:
    def with_text(kind: str) -> int:
        return sum(bool(getattr(panel.text, kind)) for panel in spec.panels)

    quality = spec.quality
    n_words = sum(len(text.split()) for panel in spec.panels for text in panel.text.all())
    return {
        **_identity(job), "rcnn_panels": len(spec.panels), "vlm_panels": n_reader,
        "panel_count_ratio": quality.panel_count_ratio, "text_coverage": quality.text_coverage,
        "vlm_panels_with_text": sum(bool(panel.texts) for panel in spec.panels),
        "vlm_text_dialogue_panels": with_text("dialogue"), "vlm_text_narration_panels": with_text("narration"),
        "vlm_text_sfx_panels": with_text("sfx"), "quality_score": quality.score,
        "is_perfect_match": quality.panel_count_ratio == 1.0, "panel_source": spec.provenance.panel_source,
        "assignment": spec.provenance.assignment, "order_margin": quality.order_margin,
        "assigned_text_share": quality.assigned_text_share, "reading_direction": spec.reading_direction,
        "n_texts": sum(len(panel.texts) for panel in spec.panels), "n_unassigned_texts": len(spec.unassigned_text),
        "n_words": n_words, "n_all_words": n_words + sum(len(item.text.split()) for item in spec.unassigned_text),
        "subsets": subsets(quality.score, quality.panel_count_ratio),
    }  # fmt: skip
