"""``comix evaluate target=cloze``: rules beside a reader that learns on some books and answers the others."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comix.models.closure_lite import closure_lite_mini
from comix.train.checkpoint import save_model

WORDS = ["rocket", "castle", "ghost", "island", "robot", "dragon", "pirate", "train", "desert", "wizard"]
COLUMNS = [
    "book_id", "page_id", "answer_panel_id", *(f"context_text_{panel}_{text}" for panel in range(3) for text in range(2)),
    *(f"answer_candidate_{number}_text" for number in range(3)), "correct_answer",
]  # fmt: skip


def questions(path: Path, word_tells: bool, mark_tells: bool, n_books: int = 6, n_rows: int = 25) -> Path:
    """Questions whose right answer takes up the context's word, or is the one that shouts; a wrong one is the longest."""
    random = np.random.default_rng(4)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number in range(n_books * n_rows):
            said, other, third = random.choice(WORDS, 3, replace=False)
            right = int(random.integers(3))
            answers = {
                place: f"we saw the {word} yesterday" for place, word in zip(range(3), (other, third, other), strict=True)
            }
            answers[right] = f"we saw the {said if word_tells else third} " + ("yes!" if mark_tells else "yesterday")
            answers[(right + 1) % 3] += " and then went all the way home again"
            row = {"book_id": number // n_rows, "page_id": number % n_rows, "answer_panel_id": 3, "correct_answer": right}
            row |= {f"context_text_{panel}_0": f"look at this {said} 'tis {panel}" for panel in range(3)}
            writer.writerow(row | {f"answer_candidate_{place}_text": text for place, text in answers.items()})
    return path


def figures(workspace: Path) -> dict[tuple[str, str], Any]:
    path = max((workspace / "runs/evaluate").glob("*/metrics.json"))
    return {(row["name"], row["group"]): row for row in json.loads(path.read_text())["rows"]}


def test_rules_find_words_and_only_the_reader_learns_habits(tmp_path: Path, comix: Callable[..., Any]) -> None:
    by_word = questions(tmp_path / "word.csv", word_tells=True, mark_tells=False)
    by_mark = questions(tmp_path / "mark.csv", word_tells=False, mark_tells=True)
    ran = comix("evaluate", "target=cloze", f"truth=[{by_word},{by_mark}]", f"workspace={tmp_path / 'ws'}", "folds=3")
    assert ran.code == 0, ran.err
    assert "300 questions" in ran.out and "MiniLM and the rules learned nothing" in ran.out
    rows = figures(tmp_path / "ws")
    accuracy = {key: row["figures"]["accuracy"] for key, row in rows.items()}
    assert accuracy["chance", "word"] == pytest.approx(1 / 3) and rows["chance", "word"]["figures"]["ties"] == 1
    assert accuracy["the longest", "word"] == 0
    assert accuracy["TF-IDF, words", "word"] == 1 and accuracy["MiniLM, untrained", "word"] > 0.9
    assert accuracy["TF-IDF, words", "mark"] < 0.7
    assert accuracy["learned reader", "mark"] > 0.9
    low, high = rows["learned reader", "mark"]["intervals"]["accuracy"]
    assert low <= accuracy["learned reader", "mark"] <= high
    comix("evaluate", "target=cloze", f"truth=[{by_word},{by_mark}]", f"workspace={tmp_path / 'ws'}", "folds=3")
    assert figures(tmp_path / "ws") == rows  # the same seeds, the same answers


def test_a_checkpoint_is_measured_beside(tmp_path: Path, comix: Callable[..., Any]) -> None:
    truth = questions(tmp_path / "word.csv", word_tells=True, mark_tells=False, n_books=2, n_rows=10)
    checkpoint = tmp_path / "tiny"
    save_model(checkpoint, closure_lite_mini(), {"name": "tiny", "variant": "base", "seed": 0})
    ran = comix(
        "evaluate", "target=cloze", f"truth={truth}", f"workspace={tmp_path / 'ws'}", "folds=0", f"checkpoint={checkpoint}"
    )
    assert ran.code == 0, ran.err
    rows = figures(tmp_path / "ws")
    assert rows["model tiny", "word"]["figures"]["accuracy"] > 0.6  # an untrained projection keeps what MiniLM says
    assert ("learned reader", "word") not in rows


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("correct_answer", "right"), "no column correct_answer"),
        (
            lambda text: text.replace("answer_candidate", "answer"),
            "at least two answer_candidate_<number>_text, _box_0 or answer_candidate_id_<number>, found 3 panels",
        ),
        (lambda text: text.splitlines()[0] + "\n", "has columns but no questions"),
        (lambda text: text.rstrip()[:-1] + "9\n", "line 21: correct_answer is '9', wanted 0 to 2"),
        (lambda text: text + "1,2\n", "line 22: no value for answer_panel_id"),
    ],
)
def test_a_bad_file_is_said_with_its_line(
    tmp_path: Path, comix: Callable[..., Any], change: Callable[[str], str], says: str
) -> None:
    truth = questions(tmp_path / "word.csv", word_tells=True, mark_tells=False, n_books=2, n_rows=10)
    truth.write_text(change(truth.read_text()))
    ran = comix("evaluate", "target=cloze", f"truth={truth}", f"workspace={tmp_path / 'ws'}")
    assert ran.code == 2 and says in ran.err


def test_too_few_books_to_learn_from(tmp_path: Path, comix: Callable[..., Any]) -> None:
    truth = questions(tmp_path / "word.csv", word_tells=True, mark_tells=False, n_books=2, n_rows=3)
    ran = comix("evaluate", "target=cloze", f"truth={truth}", f"workspace={tmp_path / 'ws'}")
    assert ran.code == 2 and "2 books cannot be dealt into folds=5 parts; say folds=0" in ran.err
    assert comix("evaluate", "target=cloze", f"truth={truth}", f"workspace={tmp_path / 'ws'}", "folds=1").code == 2
    assert "no such file" in comix("evaluate", "target=cloze", "truth=none.csv", f"workspace={tmp_path / 'ws'}").err
