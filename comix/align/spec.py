"""The DataSpec of an aligned page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from comix.align.job import PageJob
from comix.align.match import KINDS, Assignment
from comix.core.page import Detection
from comix.io.dataspec import DATASPEC_VERSION
from comix.io.readings import LooseText, PanelRead, Reading, Text

_ENCODER = msgspec.json.Encoder()


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


class Origin(NamedTuple):
    """Who found what is on a page; names, "" for nobody."""

    detector: str
    reader: str
    second_reader: str


def encode_spec(
    origin: Origin,
    job: PageJob,
    objects: Sequence[Detection],
    panels: Sequence[Detection],
    reading: Reading,
    evidence: Evidence,
) -> bytes:
    """The page as training reads it, panels in reading order: the bytes that `DataSpec` itself dumps, and a line's end.

    Made without it, at a tenth of the cost; a test holds the two together. On one line, because most pages then fit a
    disk's block of 4 KiB.
    """
    assignment = evidence.assignment
    agreements = evidence.agreements or [None] * len(panels)
    parts = zip(panels, assignment.readings, assignment.confidences, agreements, strict=True)
    document = {
        "page_image_path": job.image_path,
        "panels": [_panel(order, *part) for order, part in enumerate(parts)],
        "version": DATASPEC_VERSION, "page_id": job.page_id, "page_size": [job.width, job.height],
        "reading_direction": job.direction, "order_source": job.order_source or "rule", "page_type": job.page_type,
        "objects": [
            {"category": one.category, "bbox": _short(one.box), "score": round(one.score, 4), "panel": None} for one in objects
        ],
        "unassigned_text": [{**_item(item), "kind": item.kind} for item in evidence.loose],
        "provenance": {
            "detector": origin.detector, "reader": origin.reader or "none", "reader_model": reading.reader.model,
            "panel_source": evidence.panel_source, "assignment": assignment.method, "container": job.container,
            "member": job.member, "sha256": job.sha256, "second_reader": origin.second_reader,
        },
        "quality": {
            "score": evidence.score, "panel_count_ratio": _rounded(evidence.ratio),
            "text_coverage": round(evidence.coverage, 4), "order_margin": evidence.margin,
            "assigned_text_share": _rounded(evidence.share), "order_agreement": evidence.order_agreement,
            "mean_iou": _rounded(evidence.mean_iou), "text_agreement": evidence.text_agreement,
        },
    }  # fmt: skip
    return _ENCODER.encode(document) + b"\n"


def _panel(order: int, one: Detection, reading: PanelRead | None, confidence: float, agreement: float | None) -> dict[str, Any]:
    said: dict[str, list[str]] = {"dialogue": [], "narration": [], "sfx": [], "thought": []}
    texts = []
    for kind in KINDS if reading else ():
        for item in getattr(reading, kind):
            if item.text.strip():
                said[kind].append(item.text)
                texts.append({"kind": kind, **_item(item)})
    return {
        "panel_coords": _short(one.box), "text": said, "order": order, "confidence": round(one.score, 4),
        "text_confidence": confidence if texts else None, "text_agreement": agreement, "texts": texts,
        "polygon": one.polygon, "characters": reading.characters if reading else [],
        "description": reading.description if reading else "",
    }  # fmt: skip


def _item(item: Text) -> dict[str, Any]:
    return {"text": item.text, "speaker": item.speaker, "bbox": item.bbox, "confidence": item.confidence}


def _short(xywh: Sequence[float]) -> list[float]:
    x, y, w, h = xywh
    return [round(x, 2), round(y, 2), round(w, 2), round(h, 2)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
