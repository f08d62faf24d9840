"""The `synth` stage: page numbers in, composed pages and their COCO file out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from comix.core.files import digest, json_bytes, write_bytes
from comix.core.journal import Journal
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.io.detections import CATEGORY_IDS
from comix.io.draw import draw_boxes
from comix.io.streams import changed_only
from comix.synth.factory import Factory, SynthPage, SynthPanel


@dataclass(frozen=True, slots=True)
class SynthJob:
    """One page; ``vis`` is where its drawn copy goes, or None."""

    index: int
    image: Path
    vis: Path | None


class PageMaker:
    """Composes pages and writes them; the worker of this stage."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory

    def __call__(self, job: SynthJob) -> Outcome:
        """One page written; what is known of it as a journal result."""
        page = self.factory.page(job.index)
        write_bytes(job.image, page.jpeg)
        if job.vis is not None:
            boxes = [panel.box for panel in page.panels]
            write_bytes(job.vis, draw_boxes(page.image, boxes, [str(rank + 1) for rank in range(len(boxes))]))
        return Outcome(result=_as_json(page))


def _as_json(page: SynthPage) -> dict[str, Any]:
    marks = [{"category": one.category, "bbox": _short(one.box.xywh)} for one in page.marks]
    facts = {
        "width": page.width, "height": page.height, "seed": page.seed, "index": page.index, "family": page.family,
        "strength": page.strength, "reading_direction": page.direction,
    }  # fmt: skip
    return {"image": facts, "panels": [_panel(one) for one in page.panels], "marks": marks}


def _panel(panel: SynthPanel) -> dict[str, Any]:
    content = asdict(panel) | {"bbox": _short(panel.box.xywh), "source_window": _short(panel.source_window, 4)}
    del content["box"]
    return content


def _short(values: Any, digits: int = 2) -> list[float]:
    return [round(float(value), digits) for value in values]


def run_synth(
    workspace: Workspace, name: str, build_worker: Callable[[], PageMaker], n_pages: int, settings: dict[str, Any],
    save_vis: int, options: RunOptions,
) -> Summary:  # fmt: skip
    """Compose a series of pages.

    Args:
        workspace: gets ``synth/<name>/images/*.jpg`` and ``synth/<name>/predictions.json``.
        name: of the series.
        build_worker: makes the worker inside each worker process.
        n_pages: pages of the series; each depends on the settings and its number only.
        settings: everything that shapes a page, for the fingerprint.
        save_vis: pages of which a drawn copy is kept.
        options: see `RunOptions`.

    Returns:
        Counts over pages.
    """
    folder = workspace.synth_dir(name)
    items = _items(folder, n_pages, digest(settings), save_vis)
    with stage_journal(workspace.journal("synth"), name, options.shard) as journal:
        summary = run_stage("synth", "pages", items, build_worker, journal, options, n_pages)
        if options.shard.is_all:
            n_written, n_panels = write_coco(folder / "predictions.json", journal, n_pages, settings)
            summary.notes.append(f"{n_panels} panels on {n_written} pages; {folder / 'predictions.json'}")
    return summary


def _items(folder: Path, n_pages: int, fingerprint: str, save_vis: int) -> Iterator[Item]:
    for index in range(n_pages):
        image = folder / image_name(index)
        vis = folder / "vis" / image.name if index < save_vis else None
        outputs = (image,) if vis is None else (image, vis)
        yield Item(f"{index:06d}", SynthJob(index, image, vis), fingerprint, outputs, f"{index // 100:04d}")


def image_name(index: int) -> str:
    """Name of a page's image in its series.

    >>> image_name(7)
    'images/000007.jpg'
    """
    return f"images/{index:06d}.jpg"


def write_coco(path: Path, journal: Journal, n_pages: int, settings: dict[str, Any]) -> tuple[int, int]:
    """Write the COCO file of the pages that are done; their number, and that of their panels."""
    counts = [0, 0]
    with changed_only(path) as out, tempfile.TemporaryFile() as later:
        out.write(b'{"info":' + json_bytes({"created_by": "comix synth", **settings})[:-1] + b',"images":[')
        keys = (f"{index:06d}" for index in range(n_pages))
        number = 0
        for key, status, result in journal.along(keys, str):
            if status != "done":
                continue
            image_id = int(key) + 1
            image = {
                "id": image_id,
                "file_name": image_name(image_id - 1),
                "page_id": key,
                "order_margin": 1.0,
                **result["image"],
            }
            out.write((b"," if counts[0] else b"") + json_bytes(image)[:-1])
            number = _write_annotations(later, image_id, result, number)
            counts = [counts[0] + 1, counts[1] + len(result["panels"])]
        out.write(b'],"annotations":[')
        later.seek(0)
        while block := later.read(1 << 20):
            out.write(block)
        categories = [{"id": number, "name": name} for name, number in CATEGORY_IDS.items()]
        out.write(b'],"categories":' + json_bytes(categories)[:-1] + b"}\n")
    return counts[0], counts[1]


def _write_annotations(out: IO[bytes], image_id: int, result: dict[str, Any], number: int) -> int:
    marks = [("panel", {**one, "order": rank}) for rank, one in enumerate(result["panels"])]
    marks += [(one["category"], one) for one in result["marks"]]
    for category, one in marks:
        facts = {key: value for key, value in one.items() if key not in ("category", "polygon")}
        annotation = {
            "id": number + 1, "image_id": image_id, "category_id": CATEGORY_IDS[category], "iscrowd": 0, "score": 1.0,
            "area": round(one["bbox"][2] * one["bbox"][3], 2),
            "segmentation": [[value for point in one["polygon"] for value in point]] if one.get("polygon") else [], **facts,
        }  # fmt: skip
        out.write((b"," if number else b"") + json_bytes(annotation)[:-1])
        number += 1
    return number
