"""The DataSpec of an aligned page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from comix.align.match import KINDS, Assignment
from comix.core.page import Detection
from comix.io.dataspec import DataSpec
from comix.io.detections import PageDetections
from comix.io.readings import LooseText, PanelRead, Reading, Text

if TYPE_CHECKING:
    from comix.align.job import PageJob
    from comix.align.page import Aligner


@dataclass(slots=True)
class Evidence:
    """What was measured on a page; see docs/quality.md.

    Attributes:
        loose: literal text on no panel.
        agreements: per panel, with the second reader; empty without one.
    """

    score: int
    ratio: float | None
    coverage: float
    margin: float | None
    share: float | None
    order_agreement: float | None
    mean_iou: float | None
    panel_source: Literal["given", "reader", "none"]
    assignment: Assignment
    loose: list[LooseText]
    n_texts: int
    agreements: list[float | None] = field(default_factory=list)
    text_agreement: float | None = None


def build_spec(
    settings: Aligner,
    job: PageJob,
    found: PageDetections,
    panels: Sequence[Detection],
    reading: Reading,
    assignment: Assignment,
    evidence: Evidence,
) -> DataSpec:
    """The page as training reads it; panels in reading order."""
    agreements = evidence.agreements or [None] * len(panels)
    specs = [
        _panel(order, *parts)
        for order, parts in enumerate(zip(panels, assignment.readings, assignment.confidences, agreements, strict=True))
    ]
    return DataSpec.model_validate({
        "page_image_path": job.image_path, "panels": specs, "page_id": job.page_id, "page_size": [job.width, job.height],
        "reading_direction": job.direction, "order_source": job.order_source or "rule", "page_type": job.page_type,
        "objects": [
            {"category": one.category, "bbox": _short(one.box.xywh), "score": round(one.score, 4)}
            for one in found.detections
            if one.category != "panel" and one.score >= settings.min_det_score
        ],
        "unassigned_text": [{**_item(item), "kind": item.kind} for item in evidence.loose],
        "provenance": {
            "detector": settings.detector, "reader": settings.reader or "none", "reader_model": reading.reader.model,
            "panel_source": evidence.panel_source, "assignment": assignment.method, "container": job.container,
            "member": job.member, "sha256": job.sha256, "second_reader": settings.second_reader,
        },
        "quality": {
            "score": evidence.score, "panel_count_ratio": _rounded(evidence.ratio),
            "text_coverage": round(evidence.coverage, 4), "order_margin": evidence.margin,
            "assigned_text_share": _rounded(evidence.share), "order_agreement": evidence.order_agreement,
            "mean_iou": _rounded(evidence.mean_iou), "text_agreement": evidence.text_agreement,
        },
    })  # fmt: skip


def _panel(order: int, one: Detection, reading: PanelRead | None, confidence: float, agreement: float | None) -> dict[str, Any]:
    texts = [
        {"kind": kind, **_item(item)}
        for kind in KINDS
        for item in (cast(list[Text], getattr(reading, kind)) if reading else [])
        if item.text.strip()
    ]
    return {
        "panel_coords": _short(one.box.xywh),
        "text": {kind: [item["text"] for item in texts if item["kind"] == kind] for kind in KINDS},
        "order": order, "confidence": round(one.score, 4), "text_confidence": confidence if texts else None,
        "text_agreement": agreement, "texts": texts, "polygon": [list(point) for point in one.polygon],
        "characters": reading.characters if reading else [], "description": reading.description if reading else "",
    }  # fmt: skip


def _item(item: Text) -> dict[str, Any]:
    bbox = None if item.bbox is None else list(item.bbox)
    return {"text": item.text, "speaker": item.speaker, "bbox": bbox, "confidence": item.confidence}


def _short(xywh: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in xywh]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
