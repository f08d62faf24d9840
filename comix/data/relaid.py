"""Training pages put into composed layouts: the same panels, in their order, on a page whose reading order is known."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from comix.core.errors import UsageError
from comix.core.files import digest, write_bytes
from comix.core.page import Direction
from comix.data.batch import Places, layout_of, rule_of
from comix.data.features import Floats, Ints
from comix.synth.layout import FAMILIES, layout
from comix.synth.settings import drawn, frozen_settings

_VERSION = 1


@dataclass(frozen=True, slots=True)
class LayoutBank:
    """Composed layouts by their number of panels.

    Attributes:
        layout: ``(n, 10)`` float32, columns as `comix.models.batch.LAYOUT_NAMES`, panels of a page in reading order.
        rule: ``(n,)`` int64, the position that CoMix's rule gives each panel of its page.
        offsets: ``(m + 1,)`` int64; page ``i`` owns rows ``offsets[i]`` to ``offsets[i + 1]``.
        by_count: pages by their number of panels.
    """

    layout: Floats
    rule: Ints
    offsets: Ints
    by_count: dict[int, Ints]

    @staticmethod
    def of(layouts: Floats, rule: Ints, offsets: Ints) -> LayoutBank:
        """The bank of these arrays."""
        counts = np.diff(offsets)
        return LayoutBank(layouts, rule, offsets, {int(one): np.flatnonzero(counts == one) for one in np.unique(counts)})

    def batch(self, n_pages: int, random: np.random.Generator) -> tuple[Floats, Ints, Ints]:
        """Layouts ``(b, p, 10)`` of equally many panels, what the rule says and their true order ``(b, p)``, panels mixed.

        Args:
            n_pages: ``b``; how many panels they have is drawn, each number as often as pages have it.
        """
        counts = list(self.by_count)
        shares = np.array([len(pages) for pages in self.by_count.values()], np.float64)
        count = counts[int(random.choice(len(counts), p=shares / shares.sum()))]
        pages = random.choice(self.by_count[count], size=n_pages)
        order = random.permuted(np.tile(np.arange(count), (n_pages, 1)), axis=1)
        rows = self.offsets[pages][:, None] + order
        return self.layout[rows], self.rule[rows], order

    def drawn(self, n_panels: int, random: np.random.Generator) -> Places | None:
        """A layout of so many panels; None where the factory makes none."""
        pages = self.by_count.get(n_panels)
        if pages is None:
            return None
        page = pages[int(random.integers(len(pages)))]
        rows = slice(int(self.offsets[page]), int(self.offsets[page + 1]))
        return Places(self.layout[rows], self.rule[rows])


def layout_bank(
    n_layouts: int, leave_out: Sequence[str], cache: Path, progress: Callable[[int, int, str], None] | None = None
) -> LayoutBank:
    """Layouts of the factory's frozen settings, all strengths of perturbation equally often.

    Args:
        n_layouts: how many, those of one panel included, which are not kept.
        leave_out: families that are kept for measuring.
        cache: folder where they are kept.
        progress: called with (layouts made, layouts, "") where there are none yet.

    Raises:
        UsageError: a family that the factory does not have, or none left.
    """
    unknown = sorted(set(leave_out) - set(FAMILIES))
    if unknown:
        raise UsageError(f"optimisation.leave_out={unknown[0]}: no such family; there are {', '.join(FAMILIES)}")
    path = cache / f"layouts-{digest(_VERSION, n_layouts, sorted(leave_out))}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return LayoutBank.of(kept["layout"], kept["rule"], kept["offsets"])
    rows, rules = _made(n_layouts, leave_out, progress)
    places, rule, offsets = np.concatenate(rows), np.concatenate(rules), np.cumsum([0, *map(len, rows)]).astype(np.int64)
    data = io.BytesIO()
    np.savez(data, layout=places, rule=rule, offsets=offsets)
    write_bytes(path, data.getvalue())
    return LayoutBank.of(places, rule, offsets)


def _made(
    n_layouts: int, leave_out: Sequence[str], progress: Callable[[int, int, str], None] | None
) -> tuple[list[Floats], list[Ints]]:
    settings = frozen_settings()
    weights = {name: weight for name, weight in settings.families.items() if name not in leave_out}
    strengths = list(settings.strengths.values())
    rows, rules = [], []
    for index in range(n_layouts):
        random = np.random.default_rng([_VERSION, index])
        page = layout(_VERSION, index, drawn(random, weights), strengths[int(random.integers(len(strengths)))])
        if len(page.boxes) > 1:
            direction: Direction = page.direction
            rows.append(layout_of(page.boxes, page.width, page.height, direction))
            rules.append(rule_of(page.boxes, page.width, page.height, direction, str(index)))
        if progress is not None:
            progress(index + 1, n_layouts, "")
    if not rows:
        raise UsageError("optimisation.leave_out leaves no family with two panels or more")
    return rows, rules
