"""Alignment of a synthetic library: speed, memory, and whether any text lands on a page that is not its own.

Draws a library on disk: books of 24 pages, equal file names in every book, a COCO file of another tool (no page ids, no
order) and one JSON per page in the earlier prompt's shape, half of which name their image. A fifth of the JSONs is then
damaged: deleted, renamed, or replaced by the JSON of the same file name in another book. Every text holds its page's token.

    python benchmarks/align_scale.py --pages 20000
    python benchmarks/align_scale.py                     # 336,881 pages; about 6 GB below --root, 15 minutes

References, by two processes each: reading and parsing every JSON with `json`; creating files of the DataSpecs' mean size as
plainly as can be, and under another name first, which is what it takes that none is ever seen half-written. Both are synced at
the end, as align's are. Nothing is deleted before the end: ext4 leaves the inodes of files deleted minutes ago alone, and looks
for others for a millisecond a file. "Starting" is align of one page: imports and worker processes, paid once.
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

from comix.core.files import sync_file_system

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


def own(workspace: str) -> str:
    """A workspace that no earlier run has used."""
    return f"{workspace}-{os.getpid()}"


def align(root: Path, workspace: str, workers: int, emit: str, *more: str) -> tuple[float, float]:
    """Run the command; seconds on the clock and of processors."""
    workspace = own(workspace)
    words = [
        sys.executable, "-m", "comix", "align", f"coco={root / 'predictions.json'}", f"vlm_dir={root / 'analyses'}",
        f"image_roots=[{root / 'pages'}]", 'root_map={"E:\\Comics": "' + str(root / "pages") + '"}',
        f"workspace={root / workspace}", f"workers={workers}", f"emit={emit}", *more,
    ]  # fmt: skip
    before, started = os.times(), time.perf_counter()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
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
    return wall, cpu


def starting(root: Path, workers: int) -> tuple[float, float]:
    """Seconds that align takes of one page."""
    tiny = root / "tiny"
    if not tiny.exists():
        (tiny / "analyses").mkdir(parents=True)
        (tiny / "pages").mkdir()
        draw(tiny, 1, 1)
    align(tiny, f"warm{workers}", workers, "none")
    return align(tiny, f"w{workers}", workers, "none")


def parse(folders: list[str]) -> tuple[int, float]:
    """Read and parse every JSON of some folders; how many, and seconds of processor time."""
    n, started = 0, time.process_time()
    for folder in folders:
        for path in Path(folder).rglob("*.json"):
            json.loads(path.read_bytes())
            n += 1
    return n, time.process_time() - started


def reading_rate(root: Path) -> tuple[float, float]:
    """JSONs a second that two processes read and parse, on the clock and per second of processor time."""
    folders = sorted(map(str, (root / "analyses").iterdir()))
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(parse, [folders[::2], folders[1::2]]))
    n = sum(one for one, _ in found)
    return n / (time.perf_counter() - started), n / sum(cpu for _, cpu in found)


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


def create(folder: str, part: int, n: int, size: int, renamed: bool) -> float:
    """Write files as plainly as can be, in folders of 24, or under another name first; seconds of processor time."""
    data, started = b"x" * size, time.process_time()
    for number in range(n):
        path = f"{folder}/{part}-{number // PAGES_IN_BOOK}"
        if number % PAGES_IN_BOOK == 0:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103  (the floor: as plain as can be)
        name = f"{path}/{number}.json"
        with open(f"{path}/.{number}" if renamed else name, "wb") as stream:  # noqa: PTH123
            stream.write(data)
        if renamed:
            os.rename(f"{path}/.{number}", name)  # noqa: PTH104
    return time.process_time() - started


def creation(root: Path, n_files: int, size: int, renamed: bool) -> tuple[float, float]:
    """Files a second that two processes create and sync, on the clock and per second of processor time."""
    folder = root / own(f"floor {renamed}")
    folder.mkdir()
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        seconds = list(pool.map(create, [str(folder)] * 2, (0, 1), [n_files // 2] * 2, [size] * 2, [renamed] * 2))
    sync_file_system(folder)
    return n_files / (time.perf_counter() - started), n_files / sum(seconds)


def emission(root: Path, with_files: tuple[float, float], without: tuple[float, float]) -> None:
    """Print what the files cost beyond aligning, against plain creation."""
    found = (root / own("written") / "dataspec").rglob("*.json")
    sizes = [path.stat().st_size for path, _ in zip(found, range(1000), strict=False)]
    n_specs = sum(1 for _ in (root / own("written") / "lists" / "dataspec_all_list.txt").open())
    spent = [max(one - other, 1e-9) for one, other in zip(with_files, without, strict=True)]
    print(f"DataSpecs: {n_specs:,} of {sum(sizes) // len(sizes):,} bytes; beyond aligning {n_specs / spent[0]:,.0f} files/s")
    print(f"  and {1e6 * spent[1] / n_specs:.0f} us of processor time a file")
    for label, renamed in (("plainly", False), ("under another name first", True)):
        rate, per_cpu = creation(root, min(n_specs, 50_000), sum(sizes) // len(sizes), renamed)
        print(
            f"  two processes create such files {label}: {rate:,.0f}/s, {1e6 / per_cpu:.0f} us of processor time; "
            f"align does {n_specs / spent[0] / rate:.2f} x, by processor time {n_specs / spent[1] / per_cpu:.2f} x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=336_881)
    parser.add_argument("--root", type=Path, default=Path("/tmp/align_scale"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="use the library that is there, and leave it")
    arguments = parser.parse_args()
    root, n = arguments.root, arguments.pages
    if not (arguments.keep and (root / "predictions.json").is_file()):
        (root / "pages").mkdir(parents=True)
        started = time.perf_counter()
        counts = draw(root, n, arguments.seed)
        print(f"drew {n:,} pages in {time.perf_counter() - started:.0f} s; JSONs damaged: {counts}")
    size = (root / "predictions.json").stat().st_size / 2**20
    print(f"{size:,.0f} MiB of COCO; load of the machine {os.getloadavg()[0]:.1f}")
    rate, per_cpu = reading_rate(root)
    print(f"two processes read and parse {rate:,.0f} JSONs/s, {per_cpu:,.0f} a core second")
    begin = starting(root, 2)
    one, two = align(root, "one", 1, "none"), align(root, "two", 2, "none")
    print(f"two workers are {one[0] / two[0]:.2f} times as fast as one")
    net = [spent - start for spent, start in zip(two, begin, strict=True)]
    print(
        f"two workers without starting: {n / net[0]:,.0f} pages/s, {n / net[0] / rate:.2f} of reading; "
        f"{1e6 * net[1] / n:.0f} us of processor time a page, {per_cpu * net[1] / n:.1f} times that of reading a JSON"
    )
    written = align(root, "written", 2, "everything")
    n_pages, n_read, wrong = check(root, own("written"))
    print(f"{n_pages:,} pages, {n_read:,} with text, {wrong} with text of another page")
    emission(root, written, two)
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    if not arguments.keep:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
