"""The layout families: how a page of each is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from comix.core.geometry import Box
from comix.synth.pen import Pen
from comix.synth.perturb import Draft, Panel, Strength
from comix.synth.shapes import Polygon, box_of, rectangle

__all__ = ["FAMILIES", "draft_page"]

FAMILIES = (
    "grid", "tiers", "staggered", "slanted", "inset", "borderless", "bleed", "yonkoma", "spread", "webtoon", "strip",
    "splash", "cover", "text",
)  # fmt: skip
"""All layout families; the last two have no panels."""


def draft_page(pen: Pen, family: str, strength: Strength) -> Draft:
    """A page of a family as the grammar has it."""
    match family:
        case "yonkoma":
            return _yonkoma(pen)
        case "spread":
            return _spread(pen, strength)
        case "webtoon":
            return _webtoon(pen)
        case "splash":
            return Draft([Panel(_splash(pen), framed=pen.happens(0.7))])
        case "cover":
            return Draft([])
        case "text":
            return Draft([], _columns_of_text(pen))
        case _:
            return _tiered(pen, family)


def _tiered(pen: Pen, family: str) -> Draft:
    sheet = pen.sheet
    areas: list[Box] = []
    if family in ("tiers", "staggered", "borderless", "strip") and pen.happens(0.12):
        sheet, areas = _under_a_title(pen, sheet)
    match family:
        case "inset":
            return _with_insets(pen, _tiers(pen, sheet, pen.number(1, 3, 3)))
        case "bleed":
            return Draft([Panel(one) for one in _bled(pen, _staggered(pen, sheet))])
        case "borderless":
            return Draft(_partly_unframed(pen, _tiers(pen, sheet, pen.number(1, 3, 4, 2))), areas)
        case "grid":
            cells = _grid(pen, sheet)
        case "strip":
            cells = _strip(pen, sheet)
        case "staggered":
            cells = _staggered(pen, sheet)
        case _:
            cells = _tiers(pen, sheet, pen.number(0, 3, 4, 2, 1))
    return _some_text_instead(pen, family, Draft([Panel(one) for one in cells], areas))


def _grid(pen: Pen, sheet: Polygon) -> list[Polygon]:
    rows, columns = pen.number(0, 2, 4, 3, 1), pen.number(0, 3, 3, 1)
    return [cell for tier in pen.down(sheet, rows) for cell in pen.across(tier, columns)]


def _tiers(pen: Pen, sheet: Polygon, rows: int) -> list[Polygon]:
    uneven = float(pen.random.choice([0.1, 0.5, 1.0]))
    return [cell for tier in pen.down(sheet, rows, uneven) for cell in _tier(pen, tier)]


def _tier(pen: Pen, tier: Polygon) -> list[Polygon]:
    wide, high = np.ptp(tier, axis=0)
    most = max(1, min(4, round(float(wide) / max(float(high) * 0.5, pen.least * 1.3))))
    columns = min(pen.number(2, 4, 3, 1), most)
    return pen.across(tier, columns, float(pen.random.choice([0.1, 0.7, 1.0])))


def _staggered(pen: Pen, sheet: Polygon) -> list[Polygon]:
    """Tiers, some of them with a column of panels beside a tall one."""
    cells = []
    for tier in pen.down(sheet, pen.number(1, 4, 3), 0.9):
        cells.extend(_block(pen, tier) if np.ptp(tier, axis=0)[1] > 4 * pen.least else _tier(pen, tier))
    return cells


def _block(pen: Pen, block: Polygon) -> list[Polygon]:
    """Columns side by side, at least one of them a stack, none of whose gutters could be taken for one across the block."""
    columns = pen.across(block, pen.number(0, 5, 1), 0.7)
    stacks = [pen.down(one, pen.number(0, 4, 2), 0.8) if pen.happens(0.6) else [one] for one in columns]
    if all(len(stack) == 1 for stack in stacks):
        chosen = pen.number(*[1] * len(columns)) - 1
        stacks[chosen] = pen.down(columns[chosen], pen.number(0, 4, 2), 0.8)
    if all(len(stack) > 1 for stack in stacks) and _line_across(stacks):
        chosen = pen.number(*[1] * len(columns)) - 1
        stacks[chosen] = [columns[chosen]]
    cells = []
    for part in (part for stack in stacks for part in stack):
        wide, high = np.ptp(part, axis=0)
        cells.extend(pen.across(part, 2, 0.6) if wide > 1.6 * high and pen.happens(0.25) else [part])
    return cells


def _line_across(stacks: list[list[Polygon]]) -> bool:
    """Whether some line across stacks slices off no more than a third of any panel: a reader would take it for a gutter."""
    boxes = [box_of(part) for stack in stacks for part in stack]
    for y in (box_of(part).b for stack in stacks for part in stack[:-1]):
        sliced = [min(max((y - box.y) / box.h, 0.0), 1.0) for box in boxes]
        if max(min(share, 1 - share) for share in sliced) < 0.34:
            return True
    return False


def _strip(pen: Pen, sheet: Polygon) -> list[Polygon]:
    wide, high = np.ptp(sheet, axis=0)
    rows = 1 if wide > 2.2 * high else 2
    return [cell for tier in pen.down(sheet, rows) for cell in pen.across(tier, pen.number(0, 2, 4, 3, 1) if rows == 1
            else pen.number(0, 4, 2, 1), float(pen.random.choice([0.0, 0.5])))]  # fmt: skip


def _yonkoma(pen: Pen) -> Draft:
    """One or two columns of four panels, further apart than the panels of a column."""
    if pen.height < 1.3 * pen.width or pen.happens(0.25):
        pen = replace(pen, gap=min(pen.gap, 0.02 * pen.height))
    pen = replace(pen, gap_across=max(2.2 * pen.gap, 0.025 * pen.width) * float(pen.random.uniform(1.0, 1.8)))
    sheet, panels = pen.sheet, []
    text_areas: list[Box] = []
    columns = pen.number(3, 7)
    if columns == 1:
        middle, half = float(sheet[:, 0].mean()), 0.5 * min(float(np.ptp(sheet[:, 0])), 0.45 * pen.height)
        sheet = rectangle(middle - half, float(sheet[0, 1]), middle + half, float(sheet[2, 1]))
    titled = pen.happens(0.5)
    bar = 0.06 * pen.height if titled else 0.0
    for column in pen.across(sheet, columns):
        box = box_of(column)
        if titled:
            text_areas.append(Box(box.x, box.y, box.w, bar * 0.8))
        panels += [Panel(one) for one in pen.down(rectangle(box.x, box.y + bar, box.r, box.b), 4)]
    return Draft(panels, text_areas)


def _spread(pen: Pen, strength: Strength) -> Draft:
    """Two pages side by side, read one after the other; now and then a panel across both comes first."""
    left, top, right, bottom = pen.margins
    panels = []
    fold = max(0.03 * pen.width, 2.5 * pen.gap_across, float(pen.random.uniform(0.6, 1.4)) * (left + right))
    if pen.happens(strength.cross):
        across = float(pen.random.uniform(0.25, 0.5)) * pen.height
        panels.append(Panel(rectangle(left, top, pen.width - right, across)))
        top = across + max(pen.gap, 0.01 * pen.height)
    middle = pen.width / 2
    halves = [
        rectangle(left, top, middle - fold / 2, pen.height - bottom),
        rectangle(middle + fold / 2, top, pen.width - right, pen.height - bottom),
    ]
    for half in halves[::-1] if pen.direction == "rtl" else halves:
        match pen.number(3, 3, 3, 1):
            case 1:
                cells = _grid(pen, half)
            case 2:
                cells = _staggered(pen, half)
            case 3:
                cells = _tiers(pen, half, pen.number(0, 3, 4, 2))
            case _:
                cells = [half]
        panels += [Panel(one) for one in cells]
    return Draft(panels)


def _webtoon(pen: Pen) -> Draft:
    """Panels one below the other with much room between, some as wide as the page, some side by side."""
    panels: list[Panel] = []
    areas: list[Box] = []
    y = float(pen.random.uniform(0.0, 0.2)) * pen.width
    while y < pen.height - 0.3 * pen.width:
        high = min(float(pen.random.uniform(0.35, 1.5)) * pen.width, pen.height - y)
        wide = pen.width if pen.happens(0.4) else float(pen.random.uniform(0.55, 0.95)) * pen.width
        x = float(pen.random.uniform(0, pen.width - wide))
        row = rectangle(x, y, x + wide, y + high)
        framed = pen.happens(0.7)
        cells = pen.across(row, 2, 0.5) if pen.happens(0.12) and pen.gap_across > 1 else [row]
        panels += [Panel(cell, framed) for cell in cells]
        y += high
        space = float(pen.random.choice([pen.random.uniform(0.02, 0.08), pen.random.uniform(0.1, 0.6)])) * pen.width
        if space > 0.25 * pen.width and pen.happens(0.6) and y + space < pen.height:
            areas.append(Box(0.15 * pen.width, y + 0.2 * space, 0.7 * pen.width, 0.6 * space))
        y += space
    return Draft(panels, areas)


def _splash(pen: Pen) -> Polygon:
    return rectangle(0, 0, pen.width, pen.height) if pen.happens(0.4) else pen.sheet


def _columns_of_text(pen: Pen) -> list[Box]:
    columns = pen.across(pen.sheet, pen.number(2, 3, 1))
    return [box_of(part) for column in columns for part in pen.down(column, pen.number(3, 2, 1), 0.8)]


def _partly_unframed(pen: Pen, cells: list[Polygon]) -> list[Panel]:
    framed = [pen.happens(0.55) for _ in cells]
    framed[pen.number(*[1] * len(cells)) - 1] = False
    return [Panel(cell, one) for cell, one in zip(cells, framed, strict=True)]


def _bled(pen: Pen, cells: list[Polygon]) -> list[Polygon]:
    """Panels at the margins, carried on to the edge of the page, on one to four sides."""
    left, top, right, bottom = pen.margins
    low, high = np.array([left, top]), np.array([pen.width - right, pen.height - bottom])
    sides = pen.random.random(4) < 0.65
    sides[int(pen.random.integers(4))] = True
    ends = np.array([0.0, 0.0, pen.width, pen.height])
    found = []
    for cell in cells:
        carried = cell.copy()
        for side in range(4):
            axis, inner = side % 2, (low if side < 2 else high)[side % 2]
            if sides[side] and pen.happens(0.85):
                carried[np.isclose(carried[:, axis], inner, atol=0.01), axis] = ends[side]
        found.append(carried)
    return found


def _with_insets(pen: Pen, cells: list[Polygon]) -> Draft:
    """One or two large panels with smaller ones in them, at a corner or along a side, now and then across the frame."""
    if pen.happens(0.25):
        cells = [_splash(pen)]
    panels = [Panel(one) for one in cells]
    by_size = sorted(range(len(cells)), key=lambda number: -box_of(cells[number]).area)
    for number in by_size[: pen.number(3, 1)]:
        host = box_of(cells[number])
        if min(host.w, host.h) < 2.6 * pen.least:
            continue
        insets = _insets(pen, host, pen.number(4, 2, 1))
        panels += [Panel(one, host=number) for one in insets]
    return Draft(panels)


def _insets(pen: Pen, host: Box, count: int) -> list[Polygon]:
    """Boxes in a host: a row along its top or bottom, or a column along a side."""
    along_top = host.w > 0.8 * host.h
    depth = float(pen.random.uniform(0.25, 0.45)) * (host.h if along_top else host.w)
    length = float(pen.random.uniform(0.3, 0.45) if count == 1 else pen.random.uniform(0.6, 0.9))
    out = float(pen.random.choice([0.03, -0.04], p=[0.7, 0.3])) * min(host.w, host.h)
    size = (length * host.w, depth) if along_top else (depth, length * host.h)
    x = host.x + out if pen.happens(0.5) else host.r - out - size[0]
    y = host.y + out if pen.happens(0.5) else host.b - out - size[1]
    x, y = max(1.0, min(x, pen.width - 1 - size[0])), max(1.0, min(y, pen.height - 1 - size[1]))
    row = rectangle(x, y, x + size[0], y + size[1])
    cut = replace(pen, gap=max(pen.gap, 0.01 * pen.height), gap_across=max(pen.gap_across, 0.01 * pen.width), slant=0.0)
    return cut.across(row, count, 0.3) if along_top else cut.down(row, count, 0.3)


def _under_a_title(pen: Pen, sheet: Polygon) -> tuple[Polygon, list[Box]]:
    box = box_of(sheet)
    high = float(pen.random.uniform(0.06, 0.14)) * box.h
    return rectangle(box.x, box.y + high, box.r, box.b), [Box(box.x, box.y, box.w, high * 0.9)]


def _some_text_instead(pen: Pen, family: str, draft: Draft) -> Draft:
    """Now and then a column of words where a panel would be."""
    if family not in ("tiers", "staggered") or len(draft.panels) < 4 or not pen.happens(0.1):
        return draft
    chosen = int(pen.random.integers(len(draft.panels)))
    panels = [one for number, one in enumerate(draft.panels) if number != chosen]
    return Draft(panels, [*draft.text_areas, box_of(draft.panels[chosen].polygon)])
