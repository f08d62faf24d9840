"""Measures page types on labelled pages through the whole pipeline: accuracy, precision and recall, abstention, calibration.

    python benchmarks/page_types.py --data ../shared/data --workspace /tmp/page_types

The books of ``page_types.csv`` go through extract, detect, order, analyze, align and curate. Labels are by hand, after the
annotations of the pages' own ground truth where there are any; strips and webtoon slices are interior pages, and of the
soupbowl strips only the four annotated ones count. Only pages whose panels leave their kind open, and the first two and
the last of a book, are read (OCR of all takes an hour): a page of several panels that cover half of it or more is curated
without words. The books are not whole (the first pages of most), which makes last pages harder. The weights of
`comix.curate.kinds` were set by hand with these pages at hand: the figures flatter.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from comix.core.workspace import Workspace
from comix.curate.facts import panel_numbers
from comix.io.analysis import analysis_path, write_analysis
from comix.io.coco import read_predictions
from comix.io.images import read_bgr
from comix.io.tables import read_pages

LABELS = Path(__file__).with_name("page_types.csv")
TRAINS = ("interior", "splash")


@dataclass(frozen=True)
class Judged:
    """One labelled page: what it is, what it was called, how surely."""

    book: str
    source: str
    truth: str
    said: str
    probability: float


def labels() -> dict[str, tuple[str, str]]:
    with LABELS.open(encoding="utf-8", newline="") as stream:
        return {
            f"{row['book']}/{int(row['page_num']):04d}": (row["page_type"], row["source"]) for row in csv.DictReader(stream)
        }


def lay_out(data: Path, library: Path) -> None:
    """The labelled books as folders and containers; a file called cover comes first."""
    books = {page.rpartition("/")[0]: source for page, (_, source) in labels().items()}
    for book, source in books.items():
        files = sorted(data.glob(source))
        if not files:
            raise SystemExit(f"not run: data absent, {data / source}")
        for file in files:
            container = source.startswith("containers/")
            name = file.name if container else f"{book}/{'0000-' if file.stem == 'cover' else ''}{file.name}"
            (library / name).parent.mkdir(parents=True, exist_ok=True)
            if not (library / name).exists():
                shutil.copy(file, library / name)


def comix(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "comix", *words], check=False, capture_output=True, text=True)
    if done.returncode > 1:
        raise SystemExit(f"comix {' '.join(words)}: {done.stderr}")


def read_open_pages(workspace: Workspace) -> int:
    """OCR of the pages whose panels leave their kind open; what is read already stays. How many there are."""
    from comix.vlm.ocr import OcrReader

    pages, numbers = read_pages(workspace.pages_table), panel_numbers(workspace, "gutter")
    found, last = read_predictions(workspace.predictions("gutter")), Counter(page.book_id for page in pages)
    chosen = []
    for page in pages:
        own = numbers.get(page.page_id)
        ends = page.page_num <= 2 or page.page_num == last[page.book_id]
        if ends or own is None or own.n <= 1 or own.covered < 0.5:
            chosen.append(page)
    reader = None
    for page in chosen:
        path = analysis_path(workspace.analysis_dir("ocr"), page.page_id)
        if not path.is_file():
            reader = reader or OcrReader()
            boxes = [panel.box for panel in found[page.page_id].panels()]
            write_analysis(path, reader.read(read_bgr(workspace.root / page.image_path), boxes, page))
    return len(chosen)


def judged(workspace: Workspace) -> list[Judged]:
    table = pd.read_parquet(workspace.curation_table).set_index("page_id")
    pages = []
    for page_id, (truth, source) in labels().items():
        row = table.loc[page_id]
        pages.append(Judged(str(row["book_id"]), source, truth, str(row["page_type"]), float(row["page_type_conf"])))
    return pages


def show(title: str, pages: Sequence[Judged]) -> None:
    named = [page for page in pages if page.said != "unknown"]
    right = sum(page.said == page.truth for page in pages)
    majority = Counter(page.truth for page in pages).most_common(1)[0]
    taken = [page for page in pages if page.said in TRAINS]
    wanted = [page for page in pages if page.truth in TRAINS]
    both = sum(page.truth in TRAINS for page in taken)
    print(
        f"{title:28s} {len(pages):4d} pages  accuracy {right / len(pages):.3f}  named {len(named) / len(pages):.3f} "
        f"(right of named {right / max(1, len(named)):.3f})  always {majority[0]!r} {majority[1] / len(pages):.3f}  "
        f"may train: precision {both / max(1, len(taken)):.3f} recall {both / max(1, len(wanted)):.3f} "
        f"(always: {len(wanted) / len(pages):.3f} 1.000)"
    )


def show_kinds(pages: Sequence[Judged]) -> None:
    print(f"\n{'page type':16s} {'labelled':>8s} {'called':>7s} {'right':>6s} {'precision':>10s} {'recall':>7s}")
    for kind in sorted({page.truth for page in pages} | {page.said for page in pages} - {"unknown"}):
        n, said = sum(page.truth == kind for page in pages), sum(page.said == kind for page in pages)
        right = sum(page.truth == page.said == kind for page in pages)
        precision = f"{right / said:.3f}" if said else "-"
        print(f"{kind:16s} {n:8d} {said:7d} {right:6d} {precision:>10s} {f'{right / n:.3f}' if n else '-':>7s}")


def show_calibration(pages: Sequence[Judged]) -> None:
    print(f"\n{'probability':14s} {'pages':>5s} {'mean':>6s} {'right':>6s}")
    bins: dict[int, list[Judged]] = defaultdict(list)
    edges = (0.0, 0.5, 0.7, 0.9, 0.97, 1.01)
    for page in pages:
        bins[sum(page.probability >= edge for edge in edges) - 1].append(page)
    error = 0.0
    for at, some in sorted(bins.items()):
        mean = sum(page.probability for page in some) / len(some)
        named = "unknown" if at == 0 else f"{sum(page.said == page.truth for page in some) / len(some):.3f}"
        error += 0 if at == 0 else abs(mean * len(some) - sum(page.said == page.truth for page in some))
        print(f"{edges[at]:.2f} - {min(1, edges[at + 1]):.2f}    {len(some):5d} {mean:6.3f} {named:>6s}")
    print(f"expected calibration error of named pages {error / max(1, sum(len(some) for at, some in bins.items() if at)):.3f}")


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and containers/")
    parser.add_argument("--workspace", type=Path, help="kept, so that a second run measures at once")
    parser.add_argument("--all-pages", action="store_true", help="also list what was called wrong")
    arguments = parser.parse_args()
    root = arguments.workspace or Path(tempfile.mkdtemp(prefix="page-types-"))
    workspace = Workspace(root / "workspace").create()
    lay_out(arguments.data, root / "library")
    place = f"workspace={workspace.root}"
    comix("extract", f"library={root / 'library'}", place)
    comix("detect", place, "workers=2")
    comix("order", place)
    n_read = read_open_pages(workspace)
    comix("align", place)
    comix("curate", place)
    pages = judged(workspace)
    print(f"{len(pages)} labelled pages of {len({page.book for page in pages})} books, {n_read} of them read")
    show("all", pages)
    show("openly licensed", [page for page in pages if "/nc_" not in page.source])
    show_kinds(pages)
    show_calibration(pages)
    if arguments.all_pages:
        for page in pages:
            if page.said != page.truth:
                print(f"  {page.book}: {page.truth} called {page.said} ({page.probability:.2f})")


if __name__ == "__main__":
    main()
