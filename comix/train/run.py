"""A training run from pages to a published checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from comix.core.errors import FileFormatError
from comix.core.files import digest
from comix.core.progress import Progress, lazy_progress
from comix.data.crops import CropStore
from comix.data.features import Features
from comix.data.lists import Rejected
from comix.data.module import Blocks, PageBatches, PageData
from comix.data.page import PageExample
from comix.data.pixels import PixelReader
from comix.data.relaid import LayoutBank, layout_bank
from comix.data.settings import DatasetSettings
from comix.data.split import Split
from comix.models.closure_lite import ClosureLite
from comix.models.encoders import tokenizer_of
from comix.train.asked import Figures, PageAnswers, interval
from comix.train.baselines import baselines
from comix.train.checkpoint import pixel_reader, save_model
from comix.train.evaluate import evaluate, measure
from comix.train.fit import Fitted, batches_mark, fit, torch_threads
from comix.train.metrics_file import runs_of, write_metrics, write_state
from comix.train.objectives import PARTS, Objective
from comix.train.pageread import read_pages
from comix.train.plan import Plan, is_first_process, publish
from comix.train.state import LAST, check_state
from comix.train.task import ClosureTask

_PAGES_SHOWN = 8
"""Held-out pages that a logger may show."""


def train(
    plan: Plan,
    fingerprint: str,
    model: ClosureLite,
    pages: Sequence[PageExample],
    features: Features | None,
    rejected: Sequence[Rejected],
) -> dict[str, Any]:
    """Train, publish the checkpoint, write ``metrics.json``; what it says, nothing in a process that only helps.

    Args:
        fingerprint: of the listed pages, by which the same command finds the run again.
        model: untrained, its weights drawn with the plan's seed.
        pages: with one panel or more each, their images readable.
        features: of these pages; None for a model that reads pixels.
        rejected: lines of the lists that gave no page, and pages whose image could not be read.
    """
    started = time.monotonic()
    split = plan.split(pages)
    if is_first_process():
        write_state(plan.folder, fingerprint, "running")
    reader = None if features is not None else pixel_reader(model, tokenizer_of(str(model.settings["text"])))
    workers = 0 if features is not None else decoders(plan.dataset)
    bank = bank_of(plan)
    relaid = (bank, plan.optimisation.relayout) if bank is not None and plan.optimisation.relayout > 0 else None
    squares = crops_of(plan, pages, reader) if reader is not None else None
    data = PageData(PageBatches(pages, features, reader, squares), split, plan.batch_size, plan.seed, workers, relaid)
    task = ClosureTask(model, plan.objective, plan.optimisation, plan.seed, data.val_blocks(), bank)
    resume = _state_to_resume(plan, fingerprint, task, batches_mark(data, plan.trainer))
    fitted = fit(task, data, plan.folder, plan.epochs, plan.trainer, plan.log, plan.name, plan.config, resume)
    if not is_first_process():
        return {}
    facts = _facts(plan, fitted, pages, split, rejected) | _held_out(plan, task, data)
    if facts["tests"] and not facts["test"]:  # the first test is the one that the tables show
        first = next(iter(facts["tests"].values()))
        facts |= {"test": first["figures"], "test_baselines": first["baselines"]}
        facts["n_pages"]["test"] = first["n_pages"]
    facts["seconds"]["run"] = round(time.monotonic() - started, 2)
    facts["resumed_from"] = str(resume) if resume else ""
    card = {key: facts[key] for key in ("name", "variant", "seed", "n_pages", "final", "validation", "test", "best_epoch")}
    facts["model_hash"] = save_model(plan.folder, task.model.cpu(), card, reader)
    write_metrics(plan.folder, facts)
    best = fitted.history[fitted.best_epoch - 1] if fitted.history else {}
    plan.log.close(fitted.logger, best, plan.folder, partial(read_pages, task.model, data.val_blocks(), _PAGES_SHOWN))
    publish(plan)
    write_state(plan.folder, fingerprint, "done")
    return facts


def crops_of(plan: Plan, pages: Sequence[PageExample], reader: PixelReader) -> CropStore:
    """Where the panels' pictures are kept."""
    gigabytes = plan.dataset.crop_cache_gb
    store = CropStore(plan.models.parent / "cache" / "crops", reader.side, pages, gigabytes * 1e9)
    if store.n_kept < len(pages) and is_first_process():
        Progress.say(
            f"train: the panels of {store.n_kept} of {len(pages)} pages are kept (dataset.crop_cache_gb={gigabytes:g}); the "
            "other pages are decoded whenever they are shown"
        )
    return store


def bank_of(plan: Plan) -> LayoutBank | None:
    """Composed layouts, where the run wants some."""
    how = plan.optimisation
    if how.relayout <= 0 and not plan.objective.rpp.layouts:
        return None
    cache = plan.models.parent / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "layouts.lock"), lazy_progress("layouts", "layouts") as show:
        return layout_bank(how.n_layouts, how.leave_out, cache, show)


def decoders(dataset: DatasetSettings) -> int:
    """Processes that decode pages beside the one that trains."""
    if dataset.num_workers is not None:
        return dataset.num_workers
    return max(1, min(16, (os.cpu_count() or 1) - 1))


def _held_out(plan: Plan, task: ClosureTask, data: PageData) -> dict[str, Any]:
    """Baselines on the validation pages, and figures with baselines on the test pages, which are looked at only here."""
    val, test = data.val_blocks(), data.test_blocks()
    on_gpu = plan.trainer.accelerator != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    with torch_threads(None if task.model.uses_pixels else 1):
        found: dict[str, Any] = {"untrained": task.untrained, "baselines": baselines(val.places()).figures if len(val) else {}}
        found["test"] = evaluate(task.model.to(device), test, plan.objective, device) if len(test) else {}
        found["test_baselines"] = baselines(test.places()).figures if len(test) else {}
        found["tests"] = {name: tested(task.model, blocks, plan.objective, device) for name, blocks in data.tests().items()}
    return found


def tested(model: ClosureLite, blocks: Blocks, objective: Objective, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Figures on the pages of a test with their baselines, and 95 % intervals by book.

    Returns:
        ``n_pages``, ``figures``, ``baselines``, and ``intervals``: of ``rpp_page_exact`` and ``mpm_retrieval``, and of how far
        each is above a baseline, as ``<figure>_over_<baseline>``.
    """
    figures, ours = measure(model, blocks, objective, device)
    words = {page.page_id: page.texts for page in blocks.examples()}
    standards = baselines(blocks.places(), words)
    rivals: dict[str, PageAnswers] = standards.answers
    intervals = {
        "rpp_page_exact": interval(ours, None, "rpp_page_exact"),
        "mpm_retrieval": interval(ours, None, "mpm_retrieval"),
    }
    for name, theirs in rivals.items():
        figure = "mpm_retrieval" if name == "mean_of_others" else "rpp_page_exact"
        intervals[f"{figure}_over_{name}"] = interval(ours, theirs, figure)
    return {
        "n_pages": len(ours.pages), "figures": figures, "baselines": standards.figures,
        "intervals": {name: list(one) for name, one in intervals.items() if one is not None},
    }  # fmt: skip


def _state_to_resume(plan: Plan, fingerprint: str, task: ClosureTask, batches: str) -> Path | None:
    """The state named, or of an unfinished run of the same settings and pages; one that cannot be read is passed over."""
    if plan.resume != "auto":
        return None if plan.resume == "never" else Path(plan.resume).expanduser()
    for folder in runs_of(plan.runs, fingerprint, "running"):
        state = folder / LAST
        if state.is_file():
            try:
                check_state(state, task.model.state_dict(), batches)
            except FileFormatError as error:
                Progress.say(f"train: an unfinished run is passed over: {error}")
            else:
                return state
    return None


def _facts(
    plan: Plan, fitted: Fitted, pages: Sequence[PageExample], split: Split, rejected: Sequence[Rejected]
) -> dict[str, Any]:
    last, best = fitted.history[-1], fitted.history[fitted.best_epoch - 1]
    return {
        "name": plan.name,
        "variant": plan.variant,
        "model": plan.model.get("name", ""),
        "settings": dict(plan.settings),
        "published": plan.trainer.publish,
        "seed": plan.seed,
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "n_pages": {"train": len(split.train), "val": len(split.val), "test": len(split.test), "rejected": len(rejected)},
        "val_digest": _digest(pages, split.val),
        "test_digest": _digest(pages, split.test),
        "failed_pages": [[one.page_id, one.reason, one.detail] for one in rejected if one.path == one.page_id],
        "n_panels": sum(len(page.boxes) for page in pages),
        "weak_order_share": sum(page.order_is_weak for page in pages) / len(pages),
        "split_note": split.note,
        "weights": {part: getattr(plan.objective, part).weight for part in PARTS},
        "final": {name: last.get(f"loss_{name}" if name != "loss" else name) for name in ("loss", "mpm", "pop", "rpp")},
        "validation": _validation(best),
        "validation_last": _validation(last),
        "bad_steps": len(fitted.bad_steps),
        "seconds": {"train": round(fitted.seconds, 2)},
        "torch": torch.__version__,
    }


def _digest(pages: Sequence[PageExample], chosen: Sequence[int]) -> str:
    """A hash of what is asked of pages: figures on equal ones compare."""
    return digest([(page.page_id, page.sha256, [box.xywh for box in page.boxes]) for page in (pages[one] for one in chosen)])


def _validation(row: Mapping[str, Any]) -> Figures:
    return {name.removeprefix("val_"): value for name, value in row.items() if name.startswith("val_")}
