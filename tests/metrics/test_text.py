from __future__ import annotations

import pytest

from comix.metrics.text import (
    WordScore,
    character_error_rate,
    character_recall,
    edit_distance,
    folded,
    word_score,
    words_of,
)


def test_case_punctuation_and_apostrophes_do_not_count() -> None:
    assert words_of("“It’s… a VULBAT!”") == words_of("IT'S A VULBAT")


def test_dashes_part_words() -> None:
    assert words_of("A BEAST-BIRD--NOW") == ["a", "beast", "bird", "now"]


def test_a_word_read_once_matches_once() -> None:
    score = word_score(["NO! NO! NO!"], ["no no"])
    assert (score.n_matched, score.n_reference, score.n_found) == (2, 3, 2)
    assert score.recall == pytest.approx(2 / 3)
    assert score.precision == 1.0


def test_scores_pool_over_words_not_pages() -> None:
    total = word_score(["a"], ["a"]) + word_score(["b c d"], [])
    assert total.recall == 0.25


def test_empty_pages_are_perfect() -> None:
    assert word_score([], []) == WordScore(0, 0, 0)
    assert WordScore(0, 0, 0).recall == WordScore(0, 0, 0).precision == 1.0


def test_noise_on_an_empty_page_costs_precision() -> None:
    assert word_score([], ["abc def"]).precision == 0.0


def test_edit_distance() -> None:
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance("flute", "lutes") == 2


def test_error_rate_of_nothing() -> None:
    assert character_error_rate("!!", "...") == 0.0
    assert character_error_rate("", "noise") == 1.0
    assert character_error_rate("abcd", "") == 1.0


def test_error_rate_can_ignore_spaces() -> None:
    assert character_error_rate("そんな 借金", "そんな借金") > 0
    assert character_error_rate("そんな 借金", "そんな借金", spaces=False) == 0.0


def test_full_width_forms_are_equal() -> None:
    assert folded("ＡＢＣ　！") == "abc"


def test_character_recall_counts_each_once() -> None:
    assert character_recall(["ああい"], ["あい"]) == (2, 3)
