"""Closure questions in the form of the COMICS dataset, made of the annotated pages: which panel comes next?

    python benchmarks/closure_questions.py /tmp/closure --data ../shared/data
    comix evaluate target=cloze truth=[/tmp/closure/visual_easy.csv,/tmp/closure/visual_hard.csv] images=/tmp/closure/panels \
        checkpoint=bundled

As the dataset's authors make theirs: three panels in a row of one page are the context, the next one on it the answer; the two
wrong candidates are panels of any other pages (easy), or of up to three pages before and after in the same book (hard). The
dataset's own visual questions and panels are not to be had here. Panels in the order of the annotation.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from comix.bench.truth import read_truth
from comix.io.images import BgrImage, read_bgr

FILES = ("hand_panels", "acbf_anda_coco", "openmantra_coco")
CONTEXT, WINDOW = 3, 3
FIELDS = [
    "book_id", "page_id", "answer_panel_id", *(f"context_panel_{place}_id" for place in range(CONTEXT)),
    *(f"context_text_{place}_0" for place in range(CONTEXT)), *(f"answer_candidate_id_{place}" for place in range(3)),
    "correct_answer",
]  # fmt: skip


def pages(data: Path) -> Iterator[tuple[str, BgrImage, list[tuple[int, int, int, int]]]]:
    """Book, picture and panels in order of every annotated page that has an order."""
    for page in read_truth([data / "ground_truth" / f"{name}.json" for name in FILES]):
        if page.has_order:
            image = read_bgr(data / "pages" / page.found.file_name)
            yield page.book, image, [(round(one.x), round(one.y), round(one.r), round(one.b)) for one in page.panels]


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and ground_truth/")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    books: dict[str, list[int]] = defaultdict(list)
    for book, image, boxes in pages(arguments.data):
        name = book.replace("/", "-").replace("_", "-")
        folder = arguments.folder / "panels" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, (left, top, right, bottom) in enumerate(boxes):
            crop = image[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)]
            cv2.imwrite(str(folder / f"{len(books[name])}_{number}.jpg"), crop)
        books[name].append(len(boxes))
    random = np.random.default_rng(arguments.seed)
    everywhere = [(book, page) for book, counts in books.items() for page, count in enumerate(counts) if count]
    for difficulty in ("easy", "hard"):
        rows = []
        for book, page in everywhere:
            near = [one for one in everywhere if one[0] == book and 0 < abs(one[1] - page) <= WINDOW]
            others = near if difficulty == "hard" else [one for one in everywhere if one != (book, page)]
            if len(others) < 2:
                continue
            for answer in range(CONTEXT, books[book][page]):
                wrong = [others[one] for one in random.permutation(len(others))[:2]]
                ids = [f"{other}_{at}_{random.integers(books[other][at])}" for other, at in wrong]
                right = int(random.integers(3))
                ids.insert(right, f"{book}_{page}_{answer}")
                row = {"book_id": book, "page_id": page, "answer_panel_id": answer, "correct_answer": right}
                row |= {f"context_panel_{place}_id": answer - CONTEXT + place for place in range(CONTEXT)}
                rows.append(row | {f"answer_candidate_id_{place}": one for place, one in enumerate(ids)})
        with (arguments.folder / f"visual_{difficulty}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        print(f"{len(rows)} {difficulty} questions of {len(books)} books")


if __name__ == "__main__":
    main()
