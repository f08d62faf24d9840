"""How well a reading order agrees with the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


def next_panel_hits(predicted: Sequence[int], truth: Sequence[int]) -> int:
    """For how many panels the panel that follows, or the end, is right.

    Args:
        predicted: panels, first read first; a permutation of ``truth``.
        truth: likewise.

    >>> next_panel_hits([0, 1, 2], [0, 1, 2]), next_panel_hits([1, 0, 2], [0, 1, 2])
    (3, 1)
    """
    ends = (None,)
    follows = dict(zip(predicted, [*predicted[1:], *ends], strict=True))
    return sum(follows[one] == other for one, other in zip(truth, [*truth[1:], *ends], strict=True))


def kendall_tau(predicted: Sequence[int], truth: Sequence[int]) -> float:
    """Share of pairs in the right order minus share of those in the wrong one: 1 the same, -1 reversed; 1 for one panel.

    >>> kendall_tau([0, 1, 2], [0, 1, 2]), kendall_tau([2, 1, 0], [0, 1, 2]), kendall_tau([1, 0, 2], [0, 1, 2])
    (1.0, -1.0, 0.3333333333333333)
    """
    place = {panel: position for position, panel in enumerate(predicted)}
    ranks = [place[panel] for panel in truth]
    n_pairs = len(ranks) * (len(ranks) - 1) // 2
    if not n_pairs:
        return 1.0
    right = sum(one < other for index, one in enumerate(ranks) for other in ranks[index + 1 :])
    return (2 * right - n_pairs) / n_pairs


def order_scores(predicted: Sequence[Sequence[int]], truth: Sequence[Sequence[int]]) -> dict[str, float]:
    """Next-panel accuracy over all panels, page-exact share and mean Kendall tau over pages of two panels or more.

    Returns:
        keys ``next_accuracy``, ``page_exact``, ``tau``; empty when no page has two panels.

    >>> order_scores([[0, 1], [1, 0, 2], [0]], [[0, 1], [0, 1, 2], [0]])
    {'next_accuracy': 0.6, 'page_exact': 0.5, 'tau': 0.6666666666666666}
    """
    pairs = [(tuple(one), tuple(other)) for one, other in zip(predicted, truth, strict=True) if len(other) > 1]
    if not pairs:
        return {}
    return {
        "next_accuracy": sum(next_panel_hits(*pair) for pair in pairs) / sum(len(other) for _, other in pairs),
        "page_exact": sum(one == other for one, other in pairs) / len(pairs),
        "tau": sum(kendall_tau(*pair) for pair in pairs) / len(pairs),
    }


def chance_scores(counts: Sequence[int]) -> dict[str, float]:
    """What guessing gives on pages with these numbers of panels: a random follower out of the other panels and the end.

    >>> chance_scores([2, 3, 1])
    {'next_accuracy': 0.4, 'page_exact': 0.3333333333333333, 'tau': 0.0}
    """
    several = [count for count in counts if count > 1]
    if not several:
        return {}
    exact = 0.0
    for count in several:
        product = 1.0
        for factor in range(2, count + 1):
            product *= factor
        exact += 1 / product
    # each panel's follower is one of `count` choices, so a page of `count` panels is right once on average
    return {"next_accuracy": len(several) / sum(several), "page_exact": exact / len(several), "tau": 0.0}


@dataclass(frozen=True, slots=True)
class PageOrder:
    """How one page's order agrees with the true one.

    Attributes:
        exact: every panel has its place, and no two share one.
        tolerant: no two panels stand the wrong way round; panels that share a place may come in any order.
        tau: Kendall's, pairs that share a place count as neither right nor wrong.
        n_links: panels that have a true successor; ``n_linked``: for how many of them the next one is right.
        edit: least number of panels to take out, put in or replace, over the number of panels (normalised edit distance).
    """

    exact: bool
    tolerant: bool
    tau: float
    n_links: int
    n_linked: int
    edit: float


def page_order(ranks: Sequence[float]) -> PageOrder:
    """Scores of one page from the predicted place of each panel, the panels listed in their true order.

    Panels that share a place are read in the order listed last to first for successors and edits: a tie never helps.

    >>> page_order([0, 1, 2]).exact, page_order([0, 2, 2]).exact, page_order([0, 2, 2]).tolerant
    (True, False, True)
    >>> page_order([1, 0, 2])
    PageOrder(exact=False, tolerant=False, tau=0.3333333333333333, n_links=2, n_linked=0, edit=0.6666666666666666)
    """
    n = len(ranks)
    pairs = [(ranks[one], ranks[two]) for one in range(n) for two in range(one + 1, n)]
    right, wrong = sum(one < two for one, two in pairs), sum(one > two for one, two in pairs)
    read = sorted(range(n), key=lambda panel: (ranks[panel], -panel))
    follows = dict(pairwise(read))
    return PageOrder(
        exact=right == len(pairs),
        tolerant=not wrong,
        tau=(right - wrong) / len(pairs) if pairs else 1.0,
        n_links=max(n - 1, 0),
        n_linked=sum(follows.get(panel) == panel + 1 for panel in range(n - 1)),
        edit=sequence_edits(read, range(n)) / n if n else 0.0,
    )


def sequence_edits(first: Sequence[int], second: Sequence[int]) -> int:
    """Fewest insertions, deletions and replacements that turn one sequence into the other.

    >>> sequence_edits([0, 2, 1, 3], [0, 1, 2, 3])
    2
    """
    previous = list(range(len(second) + 1))
    for row, left in enumerate(first, 1):
        current = [row]
        for column, right in enumerate(second, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right)))
        previous = current
    return previous[-1]
