"""Two readers of one page as one: OCR says what is printed and where, a model says who speaks and what happens."""

from __future__ import annotations

from collections.abc import Sequence

from comix.io.analysis import Analysis, Disagreement, PanelReading, TextItem
from comix.metrics.text import character_error_rate, folded

_KINDS = ("dialogue", "thought", "narration", "sfx")
_SAME_TEXT = 0.5
"""Largest character error rate at which two readings can be of the same balloon."""


def merged(words: Analysis, meaning: Analysis) -> Analysis:
    """An analysis with the first one's literal text and the second one's meaning; where they differ, both are listed.

    Texts of the same panel are paired by likeness. A pair keeps the words, place and confidence of ``words`` and takes kind
    and speaker from ``meaning``. Text that only ``words`` has is kept; text that only ``meaning`` has is listed, not kept:
    nobody else has seen it.

    Args:
        words: for example by OCR.
        meaning: by a model that was given the same panels.
    """
    differs: list[Disagreement] = []
    seen = {panel.panel_number: panel for panel in meaning.panels}
    panels = []
    for panel in words.panels:
        said = seen.pop(panel.panel_number, PanelReading(panel_number=panel.panel_number))
        panels.append(_merged_panel(panel, said, differs))
    for panel in seen.values():
        for kind in _KINDS:
            items = getattr(panel, kind)
            differs += [Disagreement(panel_number=panel.panel_number, what="only_other", other=item.text) for item in items]
    outside = {folded(item.text) for item in words.unassigned}
    differs += [
        Disagreement(what="only_other", other=item.text)
        for item in meaning.unassigned
        if not any(_alike(item.text, other) for other in outside)
    ]
    return meaning.model_copy(
        update={
            "panel_source": words.panel_source, "panels": panels, "unassigned": words.unassigned, "disagreements": differs,
        }
    )  # fmt: skip


def _merged_panel(words: PanelReading, said: PanelReading, differs: list[Disagreement]) -> PanelReading:
    number = words.panel_number
    result = words.model_copy(update={kind: [] for kind in _KINDS})
    result.characters, result.description = said.characters, said.description
    read = [(kind, item) for kind in _KINDS for item in getattr(words, kind)]
    other = [(kind, item) for kind in _KINDS for item in getattr(said, kind)]
    partner = pairs([item.text for _, item in read], [item.text for _, item in other])
    for place, (kind, item) in enumerate(read):
        if place not in partner:
            getattr(result, kind).append(item)
            differs.append(Disagreement(panel_number=number, what="only_kept", kept=item.text))
            continue
        their_kind, theirs = other[partner[place]]
        getattr(result, their_kind).append(TextItem(**{**item.model_dump(), "speaker": theirs.speaker or item.speaker}))
        if folded(theirs.text) != folded(item.text):
            differs.append(Disagreement(panel_number=number, what="text", kept=item.text, other=theirs.text))
        if their_kind != kind:
            differs.append(Disagreement(panel_number=number, what="kind", kept=their_kind, other=kind))
    taken = set(partner.values())
    differs += [
        Disagreement(panel_number=number, what="only_other", other=item.text)
        for place, (_, item) in enumerate(other)
        if place not in taken
    ]
    return result


def pairs(first: Sequence[str], second: Sequence[str]) -> dict[int, int]:
    """Index of a text -> index of the text of the other list that is the same but for misreadings, most alike first.

    >>> pairs(["HELL0 THERE", "NO!"], ["No!", "Hello there"])
    {1: 0, 0: 1}
    """
    scored = sorted(
        (character_error_rate(folded(one), folded(other)), place, where)
        for place, one in enumerate(first)
        for where, other in enumerate(second)
        if _alike(one, other)
    )
    found: dict[int, int] = {}
    for _, place, where in scored:
        if place not in found and where not in found.values():
            found[place] = where
    return found


def _alike(one: str, other: str) -> bool:
    return bool(folded(one)) and character_error_rate(folded(one), folded(other)) <= _SAME_TEXT
