"""Constructed pages with made-up features: books differ, panels of a page are alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from comix.core.geometry import Box
from comix.data.features import PanelFeatures
from comix.data.module import PageBatches, PageData
from comix.data.page import PageExample
from comix.data.split import split_by_book
from comix.models.closure_lite import closure_lite_mini
from comix.train.fit import Fitted, fit, torch_threads
from comix.train.objectives import objective
from comix.train.settings import CsvLog, Optimisation, TrainerSettings
from comix.train.task import ClosureTask

VARIANTS = {
    "base": {},
    "denoise": {"weight": 0.1, "denoise": True},
    "context_recon": {"weight": 0.1, "context_recon": True},
    "denoise_context": {"weight": 0.1, "denoise": True, "context_recon": True},
}
_WIDTH = 24


def grid(columns: int, rows: int) -> tuple[Box, ...]:
    return tuple(Box(c * 600 / columns, r * 900 / rows, 560 / columns, 860 / rows) for r in range(rows) for c in range(columns))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices: more threads only wait for each other."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def pages() -> list[PageExample]:
    shapes = [(2, 3), (2, 2), (1, 3), (3, 3), (1, 1), (2, 1)]
    return [
        PageExample(f"b{book}/{number:04d}", f"b{book}", Path("none.jpg"), f"{book}{number}", 600, 900, "ltr",
                    grid(*shapes[(book + number) % 6]), ("words",) * len(grid(*shapes[(book + number) % 6])))
        for book in range(4) for number in range(4)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def features(pages: list[PageExample]) -> PanelFeatures:
    random = np.random.default_rng(0)
    image, text = [], []
    for page in pages:
        theme = random.normal(size=_WIDTH)
        image += [theme + 0.3 * random.normal(size=_WIDTH) for _ in page.boxes]
        text += [theme + 0.6 * random.normal(size=_WIDTH) for _ in page.boxes]
    n = len(image)
    offsets = np.cumsum([0, *(len(page.boxes) for page in pages)])
    as_float = [np.array(one, np.float32) for one in (image, text)]
    return PanelFeatures(as_float[0], as_float[1], np.ones(n, bool), np.ones(n, bool), offsets)


Trained = tuple[ClosureTask, Fitted]


@pytest.fixture
def train_small(pages: list[PageExample], features: PanelFeatures, tmp_path: Path) -> Callable[..., Trained]:
    """Train a small model; ``folder`` names the run folder below the test's own."""

    def run(variant: str = "base", folder: str = "run", epochs: int = 3, resume: Path | None = None, **more: object) -> Trained:
        import torch

        goal = objective(mpm=VARIANTS[variant])
        torch.manual_seed(0)
        settings = {"dim": 16, "image_features": _WIDTH, "text_features": _WIDTH, "num_heads": 2}
        model = closure_lite_mini(**settings, heads=goal.heads)  # type: ignore[arg-type]
        known: PanelFeatures = more.get("features", features)  # type: ignore[assignment]
        data = PageData(
            PageBatches(pages, known),
            split_by_book(pages, 0.25, int(str(more.get("split", 0)))),
            int(str(more.get("batch_size", 3))),
            0,
        )
        task = ClosureTask(model, goal, more.get("optimisation", Optimisation(lr=3e-3)), 0, data.val_blocks())  # type: ignore[arg-type]
        numbers = {name: int(str(more.get(name, default))) for name, default in (("every", 0), ("accumulate", 1))}
        limit: int | None = more.get("limit")  # type: ignore[assignment]
        trainer = TrainerSettings(
            precision=more.get("precision", "32-true"), checkpoint_every=numbers["every"], accumulate=numbers["accumulate"],
            limit_batches=limit,
        )  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True)
        return task, fit(task, data, tmp_path / folder, epochs, trainer, CsvLog(), variant, {}, resume)

    return run
