"""How good a page is: the ratio, the 0 to 4 score and the subsets, each defined in one place."""

from __future__ import annotations

from typing import Literal

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


SUBSETS = ("perfect_matches", "near_perfect", "high_quality", "medium_quality", "low_quality")
