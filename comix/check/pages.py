"""The page table, and the page images it names."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from comix.check.finding import Part
from comix.core.errors import ItemError
from comix.core.page import PageRecord
from comix.core.pool import run_here, run_in_processes
from comix.core.task import Item, Outcome, RunOptions
from comix.core.workspace import Workspace
from comix.io.images import image_exists, inspect_image, read_image_bytes

_AGAIN = "run comix extract again: it makes what is missing"


@dataclass(frozen=True, slots=True)
class ImageChecker:
    """Compares page images with their rows of the page table; runs in worker processes."""

    deep: bool

    def __call__(self, page: tuple[str, str, int, int, Path]) -> Outcome:
        """Done, or failed with what is wrong."""
        sha256, name, width, height, path = page
        if not image_exists(path):
            return Outcome("failed", "image_missing", f"{name} is gone")
        if self.deep:
            data = read_image_bytes(path)
            if hashlib.sha256(data).hexdigest() != sha256:
                return Outcome("failed", "image_unreadable", f"{name} is not the image that was extracted (sha256 differs)")
            try:
                facts = inspect_image(data)
            except ItemError as error:
                return Outcome("failed", error.reason, f"{name}: {error.detail}")
            if (facts.width, facts.height) != (width, height):
                found = f"{name} has {facts.width} x {facts.height} pixels, the page table says {width} x {height}"
                return Outcome("failed", "image_unreadable", found)
        return Outcome()


def build_checker(deep: bool) -> ImageChecker:
    """The worker."""
    return ImageChecker(deep)


def check_pages(workspace: Workspace, pages: Iterable[PageRecord], deep: bool, options: RunOptions) -> Part:
    """Ids are unique and every image is there; ``deep``: with the bytes, and the size, that the table says."""
    part = Part("pages", "pages")
    twice = Counter(page.page_id for page in pages)
    for page_id, count in twice.items():
        if count > 1:
            part.add(
                page_id, f"{count} rows of the page table have this id", "remove pages.parquet and run comix extract again"
            )
    items = (
        Item(one.page_id, (one.sha256, one.image_path, one.width, one.height, workspace.root / one.image_path), "")
        for one in pages
    )
    build: Callable[[], Any] = partial(build_checker, deep)
    stop = threading.Event()
    outcomes = run_in_processes(items, build, options, stop) if deep and options.workers else run_here(items, build, stop)
    for finished in outcomes:
        if finished is None:
            continue
        item, outcome = finished
        part.n_looked_at += 1
        if outcome.status != "done":
            part.add(item.key, outcome.detail, _AGAIN)
    return part
