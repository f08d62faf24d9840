"""Alignment of a synthetic library: speed, memory, and whether any text lands on a page that is not its own.

Draws a library on disk: books of 24 pages, equal file names in every book, a COCO file of another tool (no page ids, no
order) and one JSON per page in the earlier prompt's shape, half of which name their image. A fifth of the JSONs is then
damaged: deleted, renamed, or replaced by the JSON of the same file name in another book. Every text holds its page's token.

    python benchmarks/align_scale.py --pages 20000
    python benchmarks/align_scale.py                     # 336,881 pages; about 3 GB below --root, 15 minutes
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

PAGES_IN_BOOK = 24
LAYOUTS = ((1, 1), (2, 2), (2, 3), (1, 2, 1), (2, 1, 2), (3, 3, 3), (2, 2, 2), (3, 2))
WORDS = "the of and to in that was his he it with is for as had you not be her on at by which have or from this him".split()  # noqa: SIM905


def names(n_pages: int) -> Iterator[str]:
    for page in range(n_pages):
        book, number = divmod(page, PAGES_IN_BOOK)
        yield f"Series {book % 97:02d}/Book {book:05d}/{number + 1:03d}"


def layout(rng: random.Random) -> list[list[float]]:
    rows = rng.choice(LAYOUTS)
    height = (2900 - 20 * len(rows)) / len(rows)
    boxes = []
    for row, n in enumerate(rows):
        width = (1850 - 20 * n) / n
        top = 60 + row * (height + 20)
        boxes += [[70 + column * (width + 20) + rng.uniform(-3, 3), top, width, height] for column in range(n)]
    return boxes


def reading(name: str, n_panels: int, rng: random.Random) -> dict[str, object]:
    """A page as the earlier prompt gives it; each balloon opens with the page's token."""
    token = name.replace("/", "_").replace(" ", "")
    panels = []
    for number in range(n_panels):
        speakers = [
            {"character": "Ann", "dialogue": f"{token} {' '.join(rng.choices(WORDS, k=9))}", "speech_type": "dialogue"}
            for _ in range(rng.choice((0, 1, 1, 2)))
        ]
        panels.append({
            "panel_number": number + 1, "caption": "A street at night.", "description": " ".join(rng.choices(WORDS, k=30)),
            "speakers": speakers, "key_elements": ["lamp", "rain"], "actions": ["walking"],
        })  # fmt: skip
    own = {"source_image_path": f"E:\\Comics\\{name}.jpg".replace("/", "\\")} if rng.random() < 0.5 else {}
    return {"overall_summary": "Two people talk.", "panels": panels, "summary": {"plot": "They talk.", "dialogue": []}, **own}


def draw(root: Path, n_pages: int, seed: int) -> dict[str, int]:
    """Write COCO and JSONs, then damage a fifth of the JSONs; how many of each kind."""
    rng = random.Random(seed)
    folder = root / "analyses"
    all_names = list(names(n_pages))
    annotation_id = 0
    with (root / "predictions.json").open("w") as out, (root / "annotations.part").open("w+") as later:
        out.write('{"images":[')
        for image_id, name in enumerate(all_names):
            boxes = layout(rng)
            image = {"id": image_id, "file_name": f"{name}.jpg", "width": 1988, "height": 3057}
            out.write(("," if image_id else "") + json.dumps(image))
            rng.shuffle(boxes)
            for box in boxes:
                annotation_id += 1
                one = {
                    "id": annotation_id, "image_id": image_id, "category_id": 1, "bbox": [round(v, 2) for v in box],
                    "area": 1.0, "iscrowd": 0, "score": round(rng.uniform(0.5, 1), 4),
                }  # fmt: skip
                later.write(("," if annotation_id > 1 else "") + json.dumps(one))
            n_read = len(boxes) if rng.random() < 0.6 else max(1, len(boxes) + rng.choice((-1, 1)))
            path = folder / f"{name}.json"
            if image_id % PAGES_IN_BOOK == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(reading(name, n_read, rng)))
        out.write('],"annotations":[')
        later.seek(0)
        shutil.copyfileobj(later, out, 1 << 20)
        out.write('],"categories":[{"id":1,"name":"panel"},{"id":2,"name":"character"}]}')
    (root / "annotations.part").unlink()
    return damage(folder, all_names, rng)


def damage(folder: Path, all_names: list[str], rng: random.Random) -> dict[str, int]:
    """Delete, rename, or overwrite with a copy of another book's JSON of the same file name, which stays where it is."""
    counts: Counter[str] = Counter()
    victims = rng.sample(all_names, len(all_names) // 5)
    spared = set(all_names) - set(victims)
    for name in victims:
        path = folder / f"{name}.json"
        kind = rng.choice(("deleted", "renamed", "another book's"))
        if kind == "deleted":
            path.unlink()
        elif kind == "renamed":
            path.rename(path.with_name(rng.choice((f"page {path.name}", f"{path.stem}_1.json", f"x{rng.random()}.json"))))
        else:
            other = next(one for _ in range(1000) if (one := f"{rng.choice(all_names)[:-3]}{name[-3:]}") in spared)
            shutil.copyfile(folder / f"{other}.json", path)
        counts[kind] += 1
    return dict(counts)


class Memory(threading.Thread):
    """Largest memory of a process and its children: resident, and with shared pages counted once (PSS)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.resident, self.shared_once, self.go_on = pid, 0, 0, True

    def run(self) -> None:  # noqa: D102
        import psutil

        while self.go_on:
            try:
                parent = psutil.Process(self.pid)
                infos = [one.memory_full_info() for one in (parent, *parent.children(recursive=True))]
                self.resident = max(self.resident, sum(info.rss for info in infos))
                self.shared_once = max(self.shared_once, sum(info.pss for info in infos))
            except psutil.Error:
                pass
            time.sleep(0.25)


def align(root: Path, workspace: str, workers: int, emit: str) -> float:
    """Run the command; wall seconds."""
    words = [
        sys.executable, "-m", "comix", "align", f"coco={root / 'predictions.json'}", f"vlm_dir={root / 'analyses'}",
        f"image_roots=[{root / 'pages'}]", 'root_map={"E:\\Comics": "' + str(root / "pages") + '"}',
        f"workspace={root / workspace}", f"workers={workers}", f"emit={emit}",
    ]  # fmt: skip
    shutil.rmtree(root / workspace, ignore_errors=True)
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    memory = Memory(process.pid)
    memory.start()
    out, _ = process.communicate()
    wall, after = time.perf_counter() - started, os.times()
    memory.go_on = False
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    n_pages = sum(1 for _ in (root / workspace / "alignment" / "alignment.csv").open()) - 1
    print(
        f"workers={workers} emit={emit}: {wall:.1f} s, {n_pages / wall:,.0f} pages/s; {cpu:.1f} s of processor time "
        f"({n_pages / cpu:,.0f} pages a core second); peak {memory.resident / 2**20:,.0f} MiB resident, "
        f"{memory.shared_once / 2**20:,.0f} MiB with shared pages once; exit code {process.returncode}"
    )
    print("  " + out.strip().splitlines()[0])
    return wall


def check(root: Path, workspace: str) -> tuple[int, int, int]:
    """Pages with text, those among them with another page's text, and pages whose intact JSON was not used."""
    import pyarrow.parquet as pq

    table = pq.read_table(root / workspace / "alignment" / "alignment.parquet")
    n_read = wrong = 0
    for name, dataspec in zip(table["page_id"].to_pylist(), table["dataspec_path"].to_pylist(), strict=True):
        if not dataspec:
            continue
        spec = json.loads((root / workspace / dataspec).read_text())
        everywhere = [*(one for panel in spec["panels"] for one in panel["texts"]), *spec["unassigned_text"]]
        texts = [one["text"] for one in everywhere]
        token = name.replace("/", "_").replace(" ", "")
        n_read += bool(texts)
        wrong += any(text.split()[0] != token for text in texts)
    return len(table), n_read, wrong


def create(folder: str, part: int, n: int, size: int) -> float:
    """Write files as plainly as can be, in folders of 24; seconds."""
    data = b"x" * size
    started = time.perf_counter()
    for number in range(n):
        path = f"{folder}/{part}-{number // PAGES_IN_BOOK}"
        if number % PAGES_IN_BOOK == 0:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103  (the floor: as plain as can be)
        with open(f"{path}/{number}.json", "wb") as stream:  # noqa: PTH123
            stream.write(data)
    return time.perf_counter() - started


def creation_rate(root: Path, n_files: int, size: int) -> float:
    """Files a second that two processes create."""
    folder = root / "floor"
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(create, [str(folder)] * 2, (0, 1), [n_files // 2] * 2, [size] * 2))
    rate = n_files / (time.perf_counter() - started)
    shutil.rmtree(folder)
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=336_881)
    parser.add_argument("--root", type=Path, default=Path("/tmp/align_scale"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="use the library that is there, and leave it")
    arguments = parser.parse_args()
    root, n = arguments.root, arguments.pages
    if not (arguments.keep and (root / "predictions.json").is_file()):
        shutil.rmtree(root, ignore_errors=True)
        (root / "pages").mkdir(parents=True)
        started = time.perf_counter()
        counts = draw(root, n, arguments.seed)
        print(f"drew {n:,} pages in {time.perf_counter() - started:.0f} s; JSONs damaged: {counts}")
    print(
        f"{(root / 'predictions.json').stat().st_size / 2**20:,.0f} MiB of COCO; load of the machine {os.getloadavg()[0]:.1f}"
    )
    one = align(root, "one", 1, "none")
    two = align(root, "two", 2, "none")
    print(f"two workers are {one / two:.2f} times as fast as one")
    written = align(root, "written", 2, "everything")
    n_pages, n_read, wrong = check(root, "written")
    print(f"{n_pages:,} pages, {n_read:,} with text, {wrong} with text of another page")
    specs = [path.stat().st_size for path, _ in zip((root / "written" / "dataspec").rglob("*.json"), range(1000), strict=False)]
    n_specs = sum(1 for _ in (root / "written" / "lists" / "dataspec_all_list.txt").open())
    floor = creation_rate(root, min(n_specs, 50_000), sum(specs) // len(specs))
    rate = n_specs / max(written - two, 1e-9)
    print(
        f"DataSpecs: {rate:,.0f} files/s beyond aligning; two processes create {floor:,.0f} such files/s: "
        f"{rate / floor:.2f} of it"
    )
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    if not arguments.keep:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
