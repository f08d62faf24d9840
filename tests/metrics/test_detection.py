from comix.core.geometry import Box
from comix.metrics.detection import PageCounts, count_page, f1_interval, match_boxes, pool

LEFT, RIGHT = Box(0, 0, 100, 100), Box(120, 0, 100, 100)


def test_each_box_is_matched_once():
    matches = match_boxes([LEFT, LEFT], [LEFT, RIGHT])
    assert [(match.detected, match.truth) for match in matches] == [(0, 0)]


def test_the_better_pair_wins():
    near, exact = Box(0, 0, 100, 90), LEFT
    assert match_boxes([near, exact], [LEFT])[0].detected == 1


def test_threshold_is_inclusive_and_decides():
    half = Box(0, 0, 100, 50)
    assert count_page([half], [LEFT], 0.5).n_matched == 1
    assert count_page([half], [LEFT], 0.51).n_matched == 0


def test_a_page_is_exact_only_without_extra_and_missing_boxes():
    assert count_page([LEFT, RIGHT], [RIGHT, LEFT]).exact
    assert not count_page([LEFT], [LEFT, RIGHT]).exact
    assert not count_page([LEFT, RIGHT], [LEFT]).exact


def test_a_page_without_panels_is_exact_without_boxes():
    assert count_page([], []).exact
    assert not count_page([LEFT], []).exact


def test_pooling_counts_boxes_not_pages():
    scores = pool([PageCounts(9, 9, 9), PageCounts(0, 1, 1)])
    assert scores.precision == scores.recall == scores.f1 == 0.9
    assert scores.page_exact == 0.5


def test_nothing_to_find_and_nothing_found():
    scores = pool([PageCounts(0, 0, 0)])
    assert (scores.precision, scores.recall, scores.f1, scores.page_exact) == (1.0, 1.0, 1.0, 1.0)
    assert pool([]).n_pages == 0


def test_interval_holds_the_figure_and_repeats():
    pages = [PageCounts(3, 4, 5), PageCounts(5, 5, 5), PageCounts(0, 2, 1)]
    low, high = f1_interval(pages, n_resamples=200)
    assert low <= pool(pages).f1 <= high
    assert f1_interval(pages, n_resamples=200) == (low, high)
