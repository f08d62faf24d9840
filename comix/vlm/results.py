"""Answers as analyses: what was said about a page, in the form that every stage reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from comix.core.geometry import Box
from comix.core.pagetypes import named_page_type
from comix.io.analysis import (
    Analysis,
    ArtStyle,
    Disagreement,
    PageReading,
    PanelReading,
    ReaderInfo,
    TextItem,
    UnassignedText,
)
from comix.vlm.answers import (
    Answer,
    CaptionAnswer,
    CropAnswer,
    GroundedAnswer,
    GuidedAnswer,
    PageAnswer,
    PageTypeAnswer,
    Panel,
    StyleAnswer,
    TextCheckAnswer,
)
from comix.vlm.question import Question

_TAG = re.compile(r"</?(?:br|b|i|u|em|strong|p|span|sub|sup|small|big|center)\b[^<>]{0,80}>", re.IGNORECASE)


def cleaned(text: str) -> str:
    """Words on one line, without the mark-up that some models put around them.

    >>> cleaned("HELP!<br>ME,  <b>NOW</b>")
    'HELP! ME, NOW'
    """
    return " ".join(_TAG.sub(" ", text).replace("\x00", " ").split())


def page_analysis(page_id: str, reader: ReaderInfo, question: Question, answer: Answer, panels: Sequence[Box]) -> Analysis:
    """The analysis that one answer about a whole page makes.

    Args:
        page_id: whose.
        reader: who.
        question: what was asked; its picture turns boxes into page pixels.
        answer: what was said.
        panels: boxes that were given, in reading order; page pixels.
    """
    given = isinstance(answer, GuidedAnswer | CaptionAnswer)
    found = Analysis(page_id=page_id, reader=reader, panel_source="given" if given else "reader")
    if isinstance(answer, PageAnswer | GuidedAnswer):
        found.page.summary = cleaned(answer.summary)
        found.unassigned = [
            UnassignedText(text=cleaned(one.text), kind=one.kind) for one in answer.outside if cleaned(one.text)
        ]
        for one in sorted(answer.panels, key=lambda panel: panel.panel_number):
            box = panels[one.panel_number - 1].xywh if given else None
            if isinstance(answer, GroundedAnswer):
                box = _read_box(question, one)
            found.panels.append(panel_reading(one.panel_number, one, box))
    if isinstance(answer, PageAnswer | PageTypeAnswer):
        found.page.page_type = named_page_type(answer.page_type) or None
        found.page.reading_direction = None if answer.reading_direction == "unknown" else answer.reading_direction
    if isinstance(answer, CaptionAnswer):
        found.page.summary = cleaned(answer.summary)
        for caption in sorted(answer.panels, key=lambda panel: panel.panel_number):
            box = panels[caption.panel_number - 1].xywh
            names = [cleaned(name) for name in caption.characters if cleaned(name)]
            number, words = caption.panel_number, cleaned(caption.caption)
            found.panels.append(PanelReading(panel_number=number, box=box, description=words, characters=names))
    if isinstance(answer, StyleAnswer):
        found.page.style = ArtStyle(**answer.model_dump())
    return found


def _read_box(question: Question, panel: Panel) -> list[float]:
    picture = question.picture
    box = question.form.read(getattr(panel, "box"), picture.width, picture.height)  # noqa: B009  (only grounded panels have it)
    return [round(value, 1) for value in picture.to_page(box.clipped(picture.width, picture.height)).xywh]


def panel_reading(number: int, said: Panel | CropAnswer, box: list[float] | None) -> PanelReading:
    """What was said about one panel; texts without words are left out."""
    spoken = {
        kind: [
            TextItem(text=cleaned(one.text), speaker=cleaned(one.speaker) or None)
            for one in getattr(said, kind)
            if cleaned(one.text)
        ]
        for kind in ("dialogue", "thought")
    }
    written = {
        kind: [TextItem(text=cleaned(one.text)) for one in getattr(said, kind) if cleaned(one.text)]
        for kind in ("narration", "sfx")
    }
    names = [cleaned(name) for name in said.characters if cleaned(name)]
    description = cleaned(said.description)
    return PanelReading(panel_number=number, box=box, **spoken, **written, characters=names, description=description)


def crops_analysis(page_id: str, reader: ReaderInfo, answers: Sequence[Answer], panels: Sequence[Box]) -> Analysis:
    """The analysis that answers about each panel make, in the order of the panels."""
    readings = [
        panel_reading(number, answer, box.xywh)
        for number, (answer, box) in enumerate(zip(answers, panels, strict=True), 1)
        if isinstance(answer, CropAnswer)
    ]
    return Analysis(page_id=page_id, reader=reader, panel_source="given", panels=readings)


def numbered_texts(base: Analysis) -> list[tuple[int | None, str, TextItem]]:
    """(panel number or None, kind, text) of an analysis, in the order in which a text check numbers them."""
    found: list[tuple[int | None, str, TextItem]] = []
    for panel in base.panels:
        for kind in ("dialogue", "thought", "narration", "sfx"):
            found += [(panel.panel_number, kind, item) for item in getattr(panel, kind)]
    return found + [(None, item.kind, item) for item in base.unassigned]


def checked_analysis(base: Analysis, reader: ReaderInfo, answer: TextCheckAnswer) -> Analysis:
    """An analysis with its texts corrected: words, kind and speaker may change, places never; every change is listed.

    A text that the model does not see stays out of the panel and in the list of disagreements.
    """
    said = {one.id: one for one in answer.texts}
    panels = {
        panel.panel_number: panel.model_copy(update={"dialogue": [], "thought": [], "narration": [], "sfx": []})
        for panel in base.panels
    }
    outside: list[UnassignedText] = []
    differs: list[Disagreement] = []
    for number, (panel, kind, item) in enumerate(numbered_texts(base), 1):
        one = said[number]
        text = cleaned(one.text)
        if text != item.text:
            what = "text" if text else "only_other"
            differs.append(Disagreement(panel_number=panel, what=what, kept=text, other=item.text))
        if one.kind != kind:
            differs.append(Disagreement(panel_number=panel, what="kind", kept=one.kind, other=kind))
        if not text:
            continue
        changed = item.model_copy(update={"text": text, "speaker": cleaned(one.speaker) or item.speaker})
        if panel is None:
            outside.append(UnassignedText(**{**changed.model_dump(exclude={"kind"}), "kind": one.kind}))
        else:
            getattr(panels[panel], one.kind).append(changed)
    page = base.page if isinstance(base.page, PageReading) else PageReading()
    return base.model_copy(
        update={
            "reader": reader, "panels": list(panels.values()), "unassigned": outside, "disagreements": differs,
            "page": page, "status": "ok",
        }
    )  # fmt: skip


def with_usage(analysis: Analysis, usage: Mapping[str, Any], status: str) -> Analysis:
    """The analysis with what it cost and how its reply was classed."""
    return analysis.model_copy(update={"usage": dict(usage), "status": status})
