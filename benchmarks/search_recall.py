"""How well `comix search` finds a line somebody half remembers, and a panel from a bad picture of it.

Lines: 40 from the hand transcripts and the Anda texts, six words or more, two of them dropped at random. Pictures: 40 panels
cut to 80 % and saved as JPEG 50. Recall@k: the right page (panel) is among the first k panels found.

    python benchmarks/search_recall.py --data ../shared/data --workspace /tmp/all_pages
    python benchmarks/search_recall.py --pages peppercarrot goldenage nc_doctorow_anda

Without a finished workspace the whole pipeline runs first; without a model an untrained one is taken: text and picture
queries do not use what is trained.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comix.cli import main as comix
from comix.core.workspace import Workspace
from comix.embed.place import INDEX, STORE, choose_embeddings, embeddings_dir
from comix.io.images import read_bgr
from comix.io.tables import read_pages
from comix.models.frozen import image_encoder
from comix.search.find import Searcher, fused
from comix.search.minilm import QueryEncoder
from comix.search.spaces import unit
from comix.search.words import WordIndex

SEED, N = 20, 40


@dataclass(frozen=True)
class Line:
    """A text on a page, with a point inside the panel it stands in."""

    file: str
    text: str
    point: tuple[float, float] | None


def transcript_lines(data: Path) -> list[Line]:
    boxes = json.loads((data / "ground_truth/hand_panels.json").read_text())
    files = {one["id"]: one["file_name"] for one in boxes["images"]}
    centres = {}
    for one in boxes["annotations"]:
        x, y, w, h = one["bbox"]
        centres[files[one["image_id"]], one["order"]] = (x + w / 2, y + h / 2)
    pages = json.loads((data / "ground_truth/hand_transcripts.json").read_text())["pages"]
    return [
        Line(page["file_name"], text["text"], centres.get((page["file_name"], panel["order"])))
        for page in pages
        for panel in page["panels"]
        for text in panel["texts"]
        if text["type"] != "sfx"
    ]


def anda_lines(data: Path) -> list[Line]:
    found = json.loads((data / "ground_truth/acbf_anda_coco.json").read_text())
    files = {one["id"]: one["file_name"] for one in found["images"]}
    lines = []
    for one in found["texts"]:
        if one["lang"] == "en":
            x, y, w, h = one["bbox"]
            lines.append(Line(files[one["image_id"]], one["text"], (x + w / 2, y + h / 2)))
    return lines


def half_remembered(line: Line, chance: random.Random) -> str:
    words = line.text.split()
    gone = set(chance.sample(range(len(words)), 2))
    return " ".join(word for number, word in enumerate(words) if number not in gone)


def finished_workspace(arguments: argparse.Namespace) -> Workspace:
    root = Path(arguments.workspace or tempfile.mkdtemp(prefix="search_recall-"))
    if not (root / "lists" / "dataspec_all_list.txt").is_file():
        library = arguments.data / "pages"
        if arguments.pages:
            library = Path(tempfile.mkdtemp(prefix="library-"))
            for name in arguments.pages:
                shutil.copytree(arguments.data / "pages" / name, library / name)
        assert comix(["pipeline", f"library={library}", f"workspace={root}", "save_vis=0"]) <= 1
    if not any(root.glob("models/*/model.yaml")):
        from comix.models.closure_lite import closure_lite_mini
        from comix.train.checkpoint import save_model

        save_model(root / "models" / "untrained", closure_lite_mini(), {"name": "untrained"})
    assert comix(["embed", f"workspace={root}"]) <= 1
    assert comix(["index", f"workspace={root}"]) == 0
    return Workspace(root)


def opened(workspace: Workspace) -> Searcher:
    folder = embeddings_dir(workspace, choose_embeddings(workspace, ""))
    return Searcher(folder / INDEX, folder / STORE, {"curation": workspace.curation_table})


def page_of_file(workspace: Workspace, indexed: set[str]) -> dict[str, str]:
    """Ground truth file name -> page id, of indexed pages; its folder is the book."""
    pages = [page for page in read_pages(workspace.pages_table) if page.page_id in indexed]
    return {f"{page.container.split('/')[-1]}/{page.member.split('/')[-1]}": page.page_id for page in pages}


def text_recall(workspace: Workspace, data: Path) -> None:
    searcher, encoder = opened(workspace), QueryEncoder()
    pages = page_of_file(workspace, set(searcher._page_ids))
    table = searcher._panels.to_pydict()
    page_ids = [searcher._page_ids[row] for row in table["row"]]
    words = WordIndex(searcher.folder, len(page_ids))
    chance = random.Random(SEED)
    lines = []
    for source in (transcript_lines(data), anda_lines(data)):
        known = [line for line in source if line.file in pages and len(line.text.split()) >= 6]
        lines += chance.sample(known, min(N // 2, len(known)))
    queries = [half_remembered(line, chance) for line in lines]
    print(f"\n{len(lines)} lines, two words dropped; {len(page_ids)} panels, {searcher._space('panel_text').n} with words")
    print(f"{'text queries':<34} {'page @1':>8} {'@10':>6} {'panel @1':>9} {'@10':>6}")
    kinds: tuple[tuple[str, float | None], ...] = (("BM25 alone", 1.0), ("MiniLM alone", 0.0), ("both, as shipped", None))
    for label, trust in kinds:
        hits = np.zeros((len(lines), 4))
        for number, (line, query) in enumerate(zip(lines, queries, strict=True)):
            space, vector = searcher._space("panel_text"), encoder.encode(query)
            ids, _ = fused(space, vector, words.scores(query), 10, None, trust)
            on_page = [page_ids[one] == pages[line.file] for one in ids]
            on_panel = [ok and holds(table, one, line.point) for ok, one in zip(on_page, ids, strict=True)]
            hits[number] = [any(on_page[:1]), any(on_page), any(on_panel[:1]), any(on_panel)]
            if os.environ.get("SHOW_MISSES") and trust is None and not any(on_page):
                print("  missed:", line.file, repr(query))
        print(row(label, hits.mean(0), 2))
    counts = np.array([page_ids.count(pages[line.file]) for line in lines]) / len(page_ids)
    luck = [counts.mean(), (1 - (1 - counts) ** 10).mean(), 1 / len(page_ids), 10 / len(page_ids)]
    print(row("chance", luck, 3))


def row(label: str, shares: Any, digits: int) -> str:
    cells = [f"{share:>{width}.{digits}f}" for share, width in zip(shares, (8, 6, 9, 6), strict=True)]
    return f"{label:<34} " + " ".join(cells)


def holds(table: dict[str, list[Any]], panel: int, point: tuple[float, float] | None) -> bool:
    if point is None:
        return False
    x, y, w, h = (table[name][panel] for name in "xywh")
    return bool(x <= point[0] <= x + w and y <= point[1] <= y + h)


def image_recall(workspace: Workspace) -> None:
    searcher, chance = opened(workspace), random.Random(SEED)
    table = searcher._panels.to_pydict()
    large = [panel for panel, (w, h) in enumerate(zip(table["w"], table["h"], strict=True)) if min(w, h) >= 64]
    chosen = chance.sample(large, min(N, len(large)))
    space = searcher._space("panel_image")
    ranks, lists = [], []
    for panel in chosen:
        image = read_bgr(workspace.root / searcher._images[table["row"][panel]])
        x, y, w, h = (round(table[name][panel]) for name in "xywh")
        left, top = x + round(0.2 * w * chance.random()), y + round(0.2 * h * chance.random())
        crop = image[max(0, top) : top + round(0.8 * h), max(0, left) : left + round(0.8 * w)]
        _, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 50])
        query = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        vector = unit(image_encoder().encode([np.asarray(query, np.uint8)])[0])
        ids, _ = space.nearest(vector, len(table["row"]))
        ranks.append(int(np.flatnonzero(ids == panel)[0]) + 1)
        lists.append(tuple(ids[:10]))
    rank, n = np.array(ranks), len(table["row"])
    print(f"\n{len(chosen)} panels cut to 80 %, JPEG 50; {n} panels")
    print(f"own panel: recall@1 {np.mean(rank == 1):.2f}, recall@10 {np.mean(rank <= 10):.2f}, median rank {np.median(rank):g}")
    print(f"chance:    recall@1 {1 / n:.4f}, recall@10 {10 / n:.4f}")
    print(f"different queries with the same list of ten: {len(lists) - len(set(lists))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("COMIX_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--workspace", default="", help="a finished workspace over data/pages; made when absent")
    parser.add_argument("--pages", nargs="*", help="only these folders of data/pages")
    arguments = parser.parse_args()
    workspace = finished_workspace(arguments)
    text_recall(workspace, arguments.data)
    image_recall(workspace)


if __name__ == "__main__":
    main()
