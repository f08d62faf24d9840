"""How good a page is: the ratio, the 0 to 4 score and the subsets, each defined in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from comix.metrics.order import kendall_tau
from comix.metrics.text import folded

NEAR = (0.9, 1.1)
ACCEPTABLE = (0.75, 1.25)
_SURE_ORDER = 0.2
"""Order margin from which the reading order counts as clean."""


def panel_count_ratio(n_reader: int, n_detected: int, panel_source: Literal["given", "reader", "none"]) -> float | None:
    """Reader panels over detected panels; None where it proves nothing (the reader was given our boxes) or has no base.

    >>> panel_count_ratio(6, 5, "reader"), panel_count_ratio(5, 5, "given"), panel_count_ratio(1, 0, "reader")
    (1.2, None, None)
    """
    if panel_source != "reader" or n_detected == 0:
        return None
    return n_reader / n_detected


def score_counted(n_reader: int, n_detected: int, coverage: float, min_text_coverage: float) -> int:
    """Score of a page whose reader counted the panels itself.

    4: equal counts and text coverage of at least ``min_text_coverage``; 3: ratio 0.9 to 1.1; 2: ratio 0.75 to 1.25 with
    some text; 1: both sides have panels; 0: otherwise. Bounds are inclusive.

    >>> [score_counted(n, 10, 0.7, 0.6) for n in (10, 11, 12, 20, 0)]
    [4, 3, 2, 1, 0]
    >>> score_counted(10, 10, 0.2, 0.6)
    3
    """
    if n_reader == 0 or n_detected == 0:
        return 0
    ratio = n_reader / n_detected
    if n_reader == n_detected and coverage >= min_text_coverage:
        return 4
    if NEAR[0] <= ratio <= NEAR[1]:
        return 3
    return 2 if ACCEPTABLE[0] <= ratio <= ACCEPTABLE[1] and coverage > 0 else 1


def score_given(
    n_detected: int, coverage: float, assigned_share: float | None, order_margin: float | None, min_text_coverage: float
) -> int:
    """Score of a page whose reader was given our boxes: equal counts prove nothing, so other evidence decides.

    4: coverage of at least ``min_text_coverage``, 90 % of the page's texts lie in panels, and a clean reading order;
    3: half that coverage, 75 % of the texts in panels, an order that could be decided; 2: some text in panels;
    1: panels but no text in them; 0: no panels.

    Args:
        n_detected: panels.
        coverage: share of panels with literal text.
        assigned_share: share of the page's texts that lie in a panel; None when the page has none.
        order_margin: see `ReadingOrder`; None when not ordered.
        min_text_coverage: what score 4 asks for.

    >>> score_given(6, 0.8, 1.0, 1.0, 0.6), score_given(6, 0.4, 0.8, 0.1, 0.6), score_given(6, 0.0, None, 1.0, 0.6)
    (4, 3, 1)
    """
    if n_detected == 0:
        return 0
    share, margin = assigned_share or 0.0, order_margin or 0.0
    if coverage >= min_text_coverage and share >= 0.9 and margin >= _SURE_ORDER:
        return 4
    if coverage >= min_text_coverage / 2 and share >= 0.75 and margin > 0:
        return 3
    return 2 if coverage > 0 else 1


def subsets(score: int, ratio: float | None) -> list[str]:
    """Names of the subsets a page is in; high, medium and low partition all pages.

    >>> subsets(4, 1.0), subsets(3, 1.1), subsets(4, None)
    (['perfect_matches', 'high_quality'], ['near_perfect', 'medium_quality'], ['high_quality'])
    """
    names = []
    if ratio == 1.0:
        names.append("perfect_matches")
    elif ratio is not None and NEAR[0] <= ratio <= NEAR[1]:
        names.append("near_perfect")
    names.append({4: "high_quality", 3: "medium_quality"}.get(score, "low_quality"))
    return names


def order_agreement(panels: Sequence[int]) -> float | None:
    """Share of panel pairs that the reader lists in our order; None for fewer than two panels.

    Args:
        panels: our positions of the panels that were matched by their boxes, in the reader's order.

    >>> order_agreement([0, 1, 2]), order_agreement([1, 0, 2]), order_agreement([0])
    (1.0, 0.6667, None)
    """
    if len(panels) < 2:
        return None
    return round((kendall_tau(panels, sorted(panels)) + 1) / 2, 4)


def text_agreement(first: Sequence[str], second: Sequence[str]) -> float | None:
    """How far two readers read the same: Dice coefficient of the letter pairs of their folded words; None without any.

    Letter pairs forgive a misread letter, need no word boundaries (Japanese has none) and do not ask for the same order of
    balloons.

    >>> text_agreement(["What's up?"], ["WHATS UP"]), text_agreement(["up"], ["down"]), text_agreement([], [])
    (1.0, 0.0, None)
    """
    one, other = (_letter_pairs(texts) for texts in (first, second))
    total = one.total() + other.total()
    return round(2 * (one & other).total() / total, 4) if total else None


def _letter_pairs(texts: Sequence[str]) -> Counter[str]:
    pairs: Counter[str] = Counter()
    for text in texts:
        letters = folded(text).replace(" ", "")
        pairs.update([letters] if len(letters) == 1 else [a + b for a, b in pairwise(letters)])
    return pairs


@dataclass(frozen=True, slots=True)
class Gates:
    """Least values that a page must reach to be a candidate for training; 0 asks for nothing.

    A page on which a value cannot be measured (the reader gave no boxes, nobody read a word) passes that gate: the run's
    last line says how many there were.
    """

    min_order_agreement: float = 0.0
    min_mean_iou: float = 0.0
    min_text_agreement: float = 0.0

    def failed(self, order: float | None, iou: float | None, text: float | None) -> list[str]:
        """Names of the gates a page does not pass.

        >>> Gates(min_mean_iou=0.8).failed(None, 0.7, None), Gates(min_order_agreement=0.9).failed(None, 0.7, None)
        (['mean_iou'], [])
        """
        pairs = {
            "order_agreement": (order, self.min_order_agreement), "mean_iou": (iou, self.min_mean_iou),
            "text_agreement": (text, self.min_text_agreement),
        }  # fmt: skip
        return [name for name, (value, least) in pairs.items() if value is not None and value < least]


SUBSETS = ("perfect_matches", "near_perfect", "high_quality", "medium_quality", "low_quality")
