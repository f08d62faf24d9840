"""Reading order on the page factory's layouts, whose order is known by construction: page-exact by family and strength.

    python benchmarks/order_factory.py --pages 200

Boxes are shuffled; the direction is given. ``auto`` is the default of `comix order`, the others are for comparison.
"""

from __future__ import annotations

import argparse
import random

from comix.core.order import METHODS, order_panels
from comix.synth.layout import FAMILIES, layout
from comix.synth.perturb import Strength
from comix.synth.settings import frozen_settings


def measure(family: str, strength: Strength, seed: int, n_pages: int) -> tuple[int, dict[str, float]]:
    """Pages with two panels or more, and the share that each method reads exactly."""
    right, counted = dict.fromkeys(METHODS, 0), 0
    for index in range(n_pages):
        page = layout(seed, index, family, strength)
        boxes = page.boxes
        if len(boxes) < 2:
            continue
        counted += 1
        shuffled = random.Random(index).sample(range(len(boxes)), len(boxes))
        for method in METHODS:
            found = order_panels([boxes[one] for one in shuffled], page.direction, method, (page.width, page.height))  # type: ignore[arg-type]
            right[method] += [shuffled[one] for one in found.indices] == list(range(len(boxes)))
    return counted, {method: n / max(counted, 1) for method, n in right.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200, help="layouts of each family")
    parser.add_argument("--seed", type=int, default=101)
    arguments = parser.parse_args()
    print(f"{'strength':9s}{'family':12s}{'pages':>6s}" + "".join(f"{method:>8s}" for method in METHODS))
    for name, strength in frozen_settings().strengths.items():
        for family in FAMILIES:
            counted, shares = measure(family, strength, arguments.seed, arguments.pages)
            if counted:
                print(f"{name:9s}{family:12s}{counted:6d}" + "".join(f"{shares[one]:8.3f}" for one in METHODS), flush=True)


if __name__ == "__main__":
    main()
