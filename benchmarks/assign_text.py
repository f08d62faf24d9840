"""Texts on the right panel under a jittering detector that misses one panel and cuts another in two.

Pages are drawn grids (2x2, 2x3, 3x3, 1-2-1, tall left, tall right; ltr and rtl; gutters of 8 to 30 pixels, margins of 20 to
90) whose readings are known. The detector's boxes get 3 px of jitter; then one panel is missing, or one is cut in two
(between 35 and 65 %), or both. Boxes are put in order by the rule of `comix order`. Readers: one that gives boxes (3 px of
jitter of its own), one that gives none, one whose texts have boxes although its panels have none, one that says where a panel
lies.

A text is right when it lies on its panel or on a part of it; a text whose panel was missed is right when it lies on none.

    python benchmarks/assign_text.py
    python benchmarks/assign_text.py --pages 500 --seed 1
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator

from comix.align.match import assign_readings
from comix.core.geometry import Box
from comix.core.order import order_panels
from comix.io.readings import PanelRead, Reader, Reading, Text

GRIDS = {
    "2x2": [[1, 1], [1, 1]],
    "2x3": [[1, 1, 1], [1, 1, 1]],
    "3x3": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    "1-2-1": [[1], [1, 1], [1]],
    "tall left": "left",
    "tall right": "right",
}
FAULTS = ("jitter", "missed", "split", "both")
READERS = ("boxes", "none", "text boxes", "places said")
WIDTH, HEIGHT = 1988, 3057


def true_panels(grid: object, direction: str, rng: random.Random) -> list[Box]:
    """A page's panels in reading order."""
    gutter, margin = rng.randint(8, 30), rng.randint(20, 90)
    inner_w, inner_h = WIDTH - 2 * margin, HEIGHT - 2 * margin
    boxes = []
    if isinstance(grid, str):
        share = rng.uniform(0.35, 0.6)
        tall_w = share * (inner_w - gutter)
        rest_w = inner_w - gutter - tall_w
        tall_x, rest_x = (margin, margin + tall_w + gutter) if grid == "left" else (margin + rest_w + gutter, margin)
        tall = Box(tall_x, margin, tall_w, inner_h)
        stack = [Box(rest_x, y, rest_w, h) for y, h in spans(3, margin, inner_h, gutter, rng)]
        first_tall = (grid == "left") == (direction == "ltr")
        return [tall, *stack] if first_tall else [*stack, tall]
    for (y, h), row in zip(spans(len(grid), margin, inner_h, gutter, rng), grid, strict=True):
        columns = [Box(x, y, w, h) for x, w in spans(len(row), margin, inner_w, gutter, rng)]
        boxes += columns if direction == "ltr" else columns[::-1]
    return boxes


def spans(n: int, start: float, length: float, gutter: float, rng: random.Random) -> list[tuple[float, float]]:
    weights = [rng.uniform(0.8, 1.25) for _ in range(n)]
    unit = (length - gutter * (n - 1)) / sum(weights)
    found, at = [], start
    for weight in weights:
        found.append((at, weight * unit))
        at += weight * unit + gutter
    return found


def jittered(box: Box, rng: random.Random) -> Box:
    left, top, right, bottom = (value + rng.uniform(-3, 3) for value in box.xyxy)
    return Box.from_xyxy(left, top, right, bottom)


def detected(panels: list[Box], fault: str, direction: str, rng: random.Random) -> tuple[list[Box], list[int]]:
    """The detector's boxes in the order of the rule, and which panel each is of."""
    numbers = list(range(len(panels)))
    missed = rng.choice(numbers) if fault in ("missed", "both") else None
    cut = rng.choice([one for one in numbers if one != missed]) if fault in ("split", "both") else None
    found: list[tuple[Box, int]] = []
    for number, box in enumerate(panels):
        if number == missed:
            continue
        parts = [box]
        if number == cut:
            share = rng.uniform(0.35, 0.65)
            across = rng.random() < 0.5
            parts = (
                [Box(box.x, box.y, box.w, box.h * share), Box(box.x, box.y + box.h * share, box.w, box.h * (1 - share))]
                if across
                else [Box(box.x, box.y, box.w * share, box.h), Box(box.x + box.w * share, box.y, box.w * (1 - share), box.h)]
            )
        found += [(jittered(part, rng), number) for part in parts]
    order = order_panels([box for box, _ in found], direction, size=(WIDTH, HEIGHT)).indices  # type: ignore[arg-type]
    return [found[index][0] for index in order], [found[index][1] for index in order]


def read(panels: list[Box], reader: str, rng: random.Random) -> Reading:
    """What a reader gives of these panels: each text is its panel's number, 0 to 3 texts a panel."""
    readings = []
    for number, box in enumerate(panels):
        texts = []
        for _ in range(rng.randint(0, 3)):
            w, h = box.w * 0.3, box.h * 0.1
            place = (box.x + rng.uniform(0, box.w - w), box.y + rng.uniform(0, box.h - h), w, h)
            words = f"{number} " + "word " * rng.randint(1, 12)
            texts.append(Text(words, bbox=place if reader == "text boxes" else None))
        one = PanelRead(number + 1, dialogue=texts, box=tuple(jittered(box, rng).xywh) if reader == "boxes" else None)  # type: ignore[arg-type]
        if reader == "places said":
            vertical = ("Top", "Middle", "Bottom")[min(2, int(3 * box.cy / HEIGHT))]
            horizontal = (
                "" if box.w > 0.6 * WIDTH else (" left" if box.cx < 0.45 * WIDTH else " right" if box.cx > 0.55 * WIDTH else "")
            )
            one.description = f"{vertical}{horizontal} panel: somebody speaks."
        readings.append(one)
    return Reading("p", Reader("r"), "reader", panels=readings)


def score(reading: Reading, boxes: list[Box], owners: list[int], direction: str) -> tuple[int, int]:
    """Texts in the right place, and all texts."""
    found = assign_readings(boxes, reading, (WIDTH, HEIGHT), direction)  # type: ignore[arg-type]
    right = sum(
        int(text.text.split()[0]) == owner
        for one, owner in zip(found.readings, owners, strict=True)
        if one is not None
        for text in one.texts()
    )
    right += sum(one.panel_number - 1 not in owners for one in found.leftover for _ in one.texts())
    return right, sum(len(one.texts()) for one in reading.panels)


def rows(pages: int, seed: int) -> Iterator[tuple[str, str, str, str, int, int]]:
    for name, grid in GRIDS.items():
        for direction in ("ltr", "rtl"):
            for reader in READERS:
                for fault in FAULTS:
                    rng = random.Random(f"{seed} {name} {direction} {reader} {fault}")
                    right = total = 0
                    for _ in range(pages):
                        panels = true_panels(grid, direction, rng)
                        boxes, owners = detected(panels, fault, direction, rng)
                        counts = score(read(panels, reader, rng), boxes, owners, direction)
                        right, total = right + counts[0], total + counts[1]
                    yield name, direction, reader, fault, right, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200, help="per grid, direction, reader and fault")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for name, direction, reader, fault, right, total in rows(arguments.pages, arguments.seed):
        table[reader, name, direction][fault] = right / total
        sums[reader, fault][0] += right
        sums[reader, fault][1] += total
    print(f"{arguments.pages} pages each; share of texts on the right panel")
    for reader in READERS:
        print(f"\nreader: {reader:<14}" + "".join(f"{fault:>9}" for fault in FAULTS))
        for (one, name, direction), shares in table.items():
            if one == reader:
                print(f"  {name:<12} {direction}    " + "".join(f"{shares[fault]:9.2%}" for fault in FAULTS))
        print("  all              " + "".join(f"{sums[reader, fault][0] / sums[reader, fault][1]:9.2%}" for fault in FAULTS))


if __name__ == "__main__":
    main()
