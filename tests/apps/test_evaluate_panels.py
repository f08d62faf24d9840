"""``comix evaluate target=cloze`` about pictures and about the order of two texts: visual cloze, coherence, ComicsPAP."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comix.models.closure_lite import closure_lite_mini
from comix.train.checkpoint import save_model

FACTS = ["book_id", "page_id", "answer_panel_id", "correct_answer"]
CONTEXT = [f"context_panel_{panel}_id" for panel in range(3)] + [f"context_text_{panel}_0" for panel in range(3)]


def drawn(book: int, seed: int) -> Any:
    """A panel in its book's own manner: colours and pattern."""
    random = np.random.default_rng([book, 1])
    paper, ink = random.integers(0, 255, (2, 3)).tolist()
    image = np.full((120, 100, 3), paper, np.uint8)
    points = np.random.default_rng([book, seed]).integers(0, 100, (12, 2)).tolist()
    for x, y in points:
        if book % 2:
            cv2.circle(image, (x, y), 9, ink, -1)
        else:
            cv2.line(image, (x, y), (x + 30, y + 2 * book), ink, 3)
    return image


def visual(folder: Path, n_books: int = 4, n_pages: int = 5) -> Path:
    """Questions whose wrong candidates are of other books."""
    random = np.random.default_rng(3)
    for book in range(n_books):
        (folder / "panels" / str(book)).mkdir(parents=True)
        for page in range(n_pages):
            for panel in range(4):
                cv2.imwrite(str(folder / "panels" / str(book) / f"{page}_{panel}.jpg"), drawn(book, 10 * page + panel))
    path = folder / "visual.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FACTS, *CONTEXT, *(f"answer_candidate_id_{place}" for place in range(3))])
        writer.writeheader()
        for book in range(n_books):
            for page in range(n_pages):
                right = int(random.integers(3))
                others = random.permutation([one for one in range(n_books) if one != book])[:3].tolist()
                ids = [f"{others[place]}_{page}_3" for place in range(3)]
                ids[right] = f"{book}_{page}_3"
                row = {"book_id": book, "page_id": page, "answer_panel_id": 3, "correct_answer": right}
                row |= {f"context_panel_{panel}_id": panel for panel in range(3)}
                writer.writerow(row | {f"answer_candidate_id_{place}": one for place, one in enumerate(ids)})
    return path


def pap(path: Path, n: int = 12, **change: Any) -> Path:
    """Questions of two kinds with two and four options; the right one is of the context's book."""

    def held(book: int, seed: int) -> dict[str, Any]:
        return {"bytes": cv2.imencode(".png", drawn(book, seed))[1].tobytes(), "path": None}

    rows = []
    for number in range(n):
        n_options = (2, 4)[number % 2]
        options = [held(5 + place, number) for place in range(n_options)]
        options[number % n_options] = held(number % 3, 50 + number)
        rows.append(
            {
                "sample_id": f"s{number}", "context": [held(number % 3, seed) for seed in range(3)], "options": options,
                "index": 3, "solution_index": number % n_options, "split": "val",
                "task_type": ("character coherence", "sequence filling")[number % 2],
                "previous_panel_caption": "a drawing" if number == 0 else None,
            } | change
        )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def rows_of(workspace: Path) -> dict[tuple[str, str], Any]:
    path = max((workspace / "runs/evaluate").glob("*/metrics.json"))
    return {(row["name"], row["group"]): row for row in json.loads(path.read_text())["rows"]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, closure_lite_mini(heads=("pop",)), {"name": "tiny", "variant": "base", "seed": 0})
    return folder


def test_the_panel_of_the_same_book_is_found(tmp_path: Path, checkpoint: Path, comix: Callable[..., Any]) -> None:
    truth, workspace = visual(tmp_path), tmp_path / "ws"
    (tmp_path / "panels/3/4_2.jpg").unlink()  # in one question's context
    words = ["target=cloze", f"truth=[{truth},{pap(tmp_path / 'pap.parquet')}]", f"images={tmp_path / 'panels'}"]
    ran = comix("evaluate", *words, f"checkpoint={checkpoint}", f"workspace={workspace}")
    assert ran.code == 0, ran.err
    assert "32 questions" in ran.out and "visual: 1 questions are left out; first: 3_4_3: image_missing" in ran.out
    assert "published for the COMICS visual cloze" in ran.out and "published for ComicsPAP" in ran.out
    rows = rows_of(workspace)
    assert rows["chance", "visual"]["n_pages"] == 19
    assert rows["chance", "visual"]["figures"]["accuracy"] == pytest.approx(1 / 3)
    assert rows["chance", "pap"]["figures"]["accuracy"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert rows["chance", "pap: sequence filling"]["figures"]["accuracy"] == pytest.approx(1 / 4)
    for name in ("picture features, untrained", "model tiny"):  # an untrained checkpoint keeps what the features say
        for group in ("visual", "pap", "pap: character coherence", "pap: sequence filling"):
            assert rows[name, group]["figures"]["accuracy"] > 0.8, (name, group)
    low, high = rows["model tiny", "visual"]["intervals"]["accuracy"]
    assert low <= rows["model tiny", "visual"]["figures"]["accuracy"] <= high


def test_a_wrong_answer_counts_as_wrong(tmp_path: Path, comix: Callable[..., Any]) -> None:
    truth = visual(tmp_path)
    text = truth.read_text().splitlines()
    with truth.open() as file:
        asked = list(csv.DictReader(file))
    moved = [",".join([*line.split(",")[:3], str((int(one["correct_answer"]) + 1) % 3), *line.split(",")[4:]])
             for line, one in zip(text[1:], asked, strict=True)]  # fmt: skip
    truth.write_text("\n".join([text[0], *moved]) + "\n")
    assert (
        comix("evaluate", "target=cloze", f"truth={truth}", f"images={tmp_path / 'panels'}", f"workspace={tmp_path}").code == 0
    )
    assert rows_of(tmp_path)["picture features, untrained", "visual"]["figures"]["accuracy"] < 0.1


def test_which_text_comes_first(tmp_path: Path, comix: Callable[..., Any]) -> None:
    path = tmp_path / "coherence.csv"
    random = np.random.default_rng(5)
    boxes = [f"answer_candidate_{place}_box_{box}" for place in range(2) for box in range(2)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FACTS, *CONTEXT, *boxes])
        writer.writeheader()
        for number in range(40):
            right = int(random.integers(2))
            said = ["see the dragon there", "good morning to all of you my friends"]
            row = {"book_id": number // 10, "page_id": number, "answer_panel_id": 3, "correct_answer": right}
            row |= {f"context_text_{panel}_0": f"where is the dragon {panel}" for panel in range(3)}
            for place in range(2):
                texts = said if place == right else said[::-1]
                row |= {f"answer_candidate_{place}_box_{box}": texts[box] for box in range(2)}
            writer.writerow(row)
    ran = comix("evaluate", "target=cloze", f"truth={path}", f"workspace={tmp_path}", "folds=2")
    assert ran.code == 0 and "published for COMICS coherence" in ran.out, ran.err
    accuracy = {name: row["figures"]["accuracy"] for (name, _), row in rows_of(tmp_path).items()}
    assert accuracy["chance"] == 0.5 and accuracy["TF-IDF, words"] == 1 and accuracy["the longest"] == 0
    assert accuracy["learned reader"] > 0.9


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"solution_index": 7}, "row 0: solution_index is 7 of 2 options"),
        ({"options": []}, "row 0: solution_index is 0 of 0 options"),
        ({"context": [{"bytes": None, "path": "a.png"}]}, "row 0: context 0 holds no bytes of a picture"),
    ],
)
def test_damaged_rows_are_named(tmp_path: Path, comix: Callable[..., Any], change: dict[str, Any], says: str) -> None:
    path = pap(tmp_path / "pap.parquet", 2, **change)
    ran = comix("evaluate", "target=cloze", f"truth={path}", f"workspace={tmp_path}")
    assert ran.code != 0 and says in ran.err, ran.err


def test_files_that_cannot_be_asked_say_why(tmp_path: Path, comix: Callable[..., Any]) -> None:
    def told(*words: str) -> str:
        ran = comix("evaluate", "target=cloze", f"workspace={tmp_path}", *words)
        assert ran.code != 0 and "Traceback" not in ran.err
        return str(ran.err)

    truth = visual(tmp_path)
    assert "say images=FOLDER" in told(f"truth={truth}")
    assert "none of 20 questions can be asked; first: 0_0_3: image_missing" in told(f"truth={truth}", "images=/nowhere")
    truth.write_text(truth.read_text().replace("_3,", ",", 1).replace("_0_3\n", "\n", 1))
    assert "wanted book_page_panel" in told(f"truth={truth}", f"images={tmp_path / 'panels'}")
    (tmp_path / "no.parquet").write_bytes(b"junk")
    assert "not a parquet file" in told(f"truth={tmp_path / 'no.parquet'}")
    pq.write_table(pa.table({"sample_id": ["a"]}), tmp_path / "short.parquet")
    assert "no column context" in told(f"truth={tmp_path / 'short.parquet'}")
    assert "no such file" in told(f"truth={tmp_path / 'gone.parquet'}")
