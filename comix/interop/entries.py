"""One foreign page made a detection row and an analysis; the worker of `ingest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.core.task import Outcome
from comix.interop.join import Match
from comix.io.analysis import Analysis, PanelReading, ReaderInfo, TextItem, UnassignedText, write_analysis
from comix.io.formats.exchange import PageEntry, Words

_MAX_STRETCH = 0.02
"""Width and height may differ in scale by this share: a resized copy rounds; a spread, or a crop, differs by far more."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """One entry of a foreign file.

    Attributes:
        name: of detections and analyses; ``given`` is the file it stands in, relative to the input.
        source: digest of the input's path: rows of an input that no longer has them are dropped.
        entry: None for a file that cannot be read; ``match.detail`` says why.
        page: the page it was joined to, or None.
        target: where the analysis goes; None when no page of the input has words.
    """

    name: str
    given: str
    source: str
    format: str
    entry: PageEntry | None
    page: PageRecord | None
    target: Path | None
    match: Match


class PageIngester:
    """Turns foreign entries into rows of the workspace."""

    def __call__(self, job: IngestJob) -> Outcome:
        """Boxes and order as a journal result, words as an analysis file."""
        if job.entry is None:
            return Outcome("failed", "invalid_input", job.match.detail, result={"source": job.source})
        if job.page is None:
            result = {"source": job.source, "kind": "page", "candidates": list(job.match.candidates)}
            return Outcome("skipped", job.match.reason, job.match.detail, result=result)
        entry = job.entry
        scale = (job.page.width / entry.width if entry.width else 1.0, job.page.height / entry.height if entry.height else 1.0)
        if abs(scale[0] / scale[1] - 1) > _MAX_STRETCH:
            size = f"{entry.width:g} x {entry.height:g}"
            detail = f"{job.given}: {entry.label} is {size}, the page {job.page.width} x {job.page.height}"
            return Outcome("failed", "size_mismatch", detail, result={"source": job.source})
        boxes = [_scaled(one.bbox, scale) for one in entry.regions]
        ranks = {index: rank for rank, index in enumerate(entry.panels())}
        found = {"size": [job.page.width, job.page.height], "detections": _rows(entry, boxes, scale)}
        if job.target is not None:
            write_analysis(job.target, _analysis(job, entry, boxes, ranks, scale))
        order = _order(entry, ranks, job.page)
        return Outcome(result={"source": job.source, "found": found, "order": order, "n_texts": len(entry.words)})


def build_ingester() -> PageIngester:
    """The worker."""
    return PageIngester()


def _scaled(bbox: Sequence[float], scale: tuple[float, float]) -> Box:
    return Box.from_xywh(bbox) if scale == (1.0, 1.0) else Box.from_xywh(bbox).scaled(*scale)


def _rows(entry: PageEntry, boxes: list[Box], scale: tuple[float, float]) -> list[dict[str, Any]]:
    """The regions as `detect` journals its finds."""
    return [
        {
            "bbox": [round(side, 2) for side in box.xywh], "score": round(float(one.score), 4), "category": one.category,
            "polygon": [[round(x * scale[0], 2), round(y * scale[1], 2)] for x, y in one.polygon],
        }
        for one, box in zip(entry.regions, boxes, strict=True)
    ]  # fmt: skip


def _order(entry: PageEntry, ranks: dict[int, int], page: PageRecord) -> dict[str, Any] | None:
    """The reading order as `order` journals it; None when the document has none."""
    if not entry.is_ordered:
        return None
    return {
        "order": [ranks.get(index) for index in range(len(entry.regions))],
        "margin": 1.0 if entry.margin is None else entry.margin,
        "reading_direction": entry.reading_direction or page.reading_direction or "ltr",
    }  # fmt: skip


def _analysis(
    job: IngestJob, entry: PageEntry, boxes: list[Box], ranks: dict[int, int], scale: tuple[float, float]
) -> Analysis:
    """The words, each in the panel that the document names, else in the one it overlaps most."""
    assert job.page is not None
    readings = {
        index: PanelReading(
            panel_number=rank + 1, box=[round(side, 2) for side in boxes[index].xywh],
            characters=entry.regions[index].characters, description=entry.regions[index].description,
        )
        for index, rank in ranks.items()
    }  # fmt: skip
    loose: list[UnassignedText] = []
    for one in entry.words:
        box = None if one.bbox is None else _scaled(one.bbox, scale)
        sides = None if box is None else [round(side, 2) for side in box.xywh]
        item = TextItem(text=one.text, speaker=one.speaker, bbox=sides, confidence=one.confidence)
        panel = _panel_of(one, box, {index: boxes[index] for index in ranks})
        if panel is None:
            loose.append(UnassignedText(**item.model_dump(), kind=one.kind))
        else:
            getattr(readings[panel], one.kind).append(item)
    panels = sorted(readings.values(), key=lambda reading: reading.panel_number)
    reader = ReaderInfo(name=job.name, model=job.format, prompt_id="", version=job.given)
    return Analysis(page_id=job.page.page_id, reader=reader, panel_source="given", panels=panels, unassigned=loose)


def _panel_of(words: Words, box: Box | None, panels: dict[int, Box]) -> int | None:
    """The panel of some words: the named one; else the one with most of them inside, of equal ones the smallest."""
    if words.panel is not None or words.is_outside or box is None:
        return words.panel
    shares = {index: panel.intersection(box) for index, panel in panels.items()}
    best = max(shares, key=lambda index: (shares[index], -panels[index].area), default=None)
    return best if best is not None and shares[best] > 0 else None
