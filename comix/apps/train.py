"""Train a Closure-Lite model on the workspace's checked pages, or sweep its variants with -m.

Pages come from DataSpec lists (dataset=...), a book is either trained on or validated on. The run folder gets
``metrics.json`` (losses, validation figures with their baselines), ``history.csv``, ``last.ckpt`` to resume from, and the
best epoch's ``model.safetensors`` with ``model.yaml``; these two also go to ``models/<name>/``, where `embed` finds them.
The same command started again goes on where it was stopped. experiment=... sets a whole row of the document's table.

Examples:
  comix train
  comix train -m mpm_variant=base,denoise,context_recon,denoise_context
  comix train epochs=11 resume=workspace/runs/train/2026-11-22_20-15-35/last.ckpt
  comix train model=closure_lite_simple model.vision_weights=vit.safetensors model.text=./roberta-base trainer=gpu
  torchrun --nproc-per-node 2 -m comix train trainer=ddp
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import plain, say, workspace_argument, workspace_of
from comix.build import instantiate
from comix.core.errors import UsageError
from comix.core.progress import Progress
from comix.core.workspace import Workspace

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.data.features import PanelFeatures
    from comix.data.lists import Rejected
    from comix.data.page import PageExample
    from comix.data.settings import DatasetSettings
    from comix.train.plan import Plan


def main(cfg: DictConfig) -> int:
    """Train one variant; 0, or 1 when listed pages failed."""
    from comix.train.plan import record_pages, taken_over

    started = time.monotonic()
    workspace = workspace_of(cfg)
    plan = plan_of(cfg, workspace)
    pages, rejected = listed_pages(plan.dataset, workspace)
    fingerprint = plan.fingerprint(pages)
    record_pages(workspace.journal("train"), fingerprint, pages, rejected)
    earlier = taken_over(plan, fingerprint)
    if earlier is not None:
        say(f"train: {plan.name} is trained already with these settings and pages (resume=never trains anew)")
        return finish(earlier, pages, rejected, workspace, time.monotonic() - started)
    from comix.data.split import split_by_book
    from comix.train.run import train

    model = build_model(cfg, plan)
    features = None if model.uses_pixels else features_of(pages, workspace)
    split = split_by_book(pages, plan.dataset.val_fraction, plan.dataset.split_seed)
    facts = train(plan, model, pages, split, features, len(rejected))
    return finish(facts, pages, rejected, workspace, time.monotonic() - started) if facts else 0


def plan_of(cfg: DictConfig, workspace: Workspace) -> Plan:
    """The run's settings as typed values.

    Raises:
        UsageError: a value out of range, or data-parallel training inside a sweep.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from comix.train.plan import Plan

    choices = HydraConfig.get().runtime.choices
    for key, value in (("epochs", cfg.epochs), ("batch_size", cfg.batch_size), ("lr", cfg.lr)):
        if not value > 0:
            raise UsageError(f"{key}={value}: wanted more than 0")
    trainer = instantiate(plain(cfg.trainer))
    _check_parallel(trainer.strategy, trainer.devices)
    return Plan(
        name=cfg.name or f"{choices['model']}-{choices['mpm_variant']}",
        variant=choices["mpm_variant"],
        folder=Path(HydraConfig.get().runtime.output_dir),
        models=workspace.root / "models",
        runs=workspace.root / "runs" / "train",
        epochs=cfg.epochs,
        batch_size=cfg.batch_size,
        seed=cfg.seed,
        resume=cfg.resume,
        objective=instantiate(plain(cfg.objective)),
        optimisation=instantiate({"_target_": "comix.train.settings.Optimisation", "lr": cfg.lr, **plain(cfg.optimisation)}),
        trainer=trainer,
        log=instantiate(plain(cfg.logger)),
        dataset=instantiate(plain(cfg.dataset)),
        model={"name": choices["model"], **plain(cfg.model)},
        config={str(key): value for key, value in dict(OmegaConf.to_container(cfg, resolve=False)).items()},  # type: ignore[arg-type]
    )


def _check_parallel(strategy: str, devices: int) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if strategy != "ddp":
        return
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UsageError("trainer=ddp does not go with -m (every process would run the whole sweep); start one run at a time")
    if "RANK" not in os.environ:
        raise UsageError(f"trainer=ddp: start it as: torchrun --nproc-per-node {devices} -m comix train trainer=ddp ...")


def listed_pages(dataset: DatasetSettings, workspace: Workspace) -> tuple[list[PageExample], list[Rejected]]:
    """Pages to learn from, and the listed lines that gave none.

    Raises:
        ComixError: no list, or no page in it can be used.
    """
    from comix.core.errors import MissingInputError
    from comix.data.lists import load_pages

    lists = [Path(one).expanduser() for one in dataset.lists] or [workspace.lists_dir / "training.txt"]
    root = Path(dataset.image_root).expanduser() if dataset.image_root else workspace.root
    pages, rejected = load_pages(lists, root, dataset.max_samples, workspace.curation_table)
    if not pages:
        first = rejected[0]
        raise MissingInputError(
            f"{', '.join(map(str, lists))}: none of {len(rejected)} listed pages can be used; first: {first.path}: "
            f"{first.reason}: {first.detail}"
        )
    return pages, rejected


def build_model(cfg: DictConfig, plan: Plan) -> Any:
    """The untrained model with the heads that the objective needs, weights drawn with the seed."""
    import torch

    torch.manual_seed(plan.seed)
    return instantiate({**plain(cfg.model), "heads": plan.objective.heads})


def features_of(pages: list[PageExample], workspace: Workspace) -> PanelFeatures:
    """Cached features of the pages, computed where missing, with a progress line then."""
    from comix.data.features import panel_features

    line: list[Progress] = []

    def show(done: int, total: int, page_id: str) -> None:
        if not line:
            line.append(Progress("features", total, "pages").__enter__())
        line[0].advance("done", page_id)

    try:
        return panel_features(pages, workspace.root / "cache" / "features", show)
    finally:
        for one in line:
            one.__exit__(None, None, None)


def finish(
    facts: dict[str, Any], pages: list[PageExample], rejected: list[Rejected], workspace: Workspace, seconds: float
) -> int:
    """Print what became of the pages and what the model reached; the exit code."""
    failed = sum(one.status == "failed" for one in rejected)
    listed = len(pages) + len(rejected)
    say(f"train: {listed} pages = {len(pages)} done + {failed} failed + {len(rejected) - failed} skipped ({seconds:.1f} s)")
    if failed:
        say(f"  {failed} failed: comix failures stage=train {workspace_argument(workspace)}")
    final, val, chance = facts["final"], facts["validation"], facts["baselines"].get("chance", {})
    say(
        f"  {facts['name']}: loss {final['loss']:.4f} (MPM {final['mpm']:.4f}, POP {final['pop']:.4f}, RPP {final['rpp']:.4f}) "
        f"after {facts['epochs']} epochs on {facts['n_pages']['train']} pages; best epoch {facts['best_epoch']}"
    )
    for name, label in (
        ("rpp_next_accuracy", "next panel"),
        ("pop_auc", "panel on page AUC"),
        ("mpm_retrieval", "hidden panel"),
    ):
        if val.get(name) is not None:
            say(f"  {label}: {val[name]:.3f} on {facts['n_pages']['val']} held-out pages (chance {chance.get(name) or 0:.3f})")
    for note in filter(None, [facts["split_note"], f"{facts['bad_steps']} bad steps left out" if facts["bad_steps"] else ""]):
        say(f"  note: {note}")
    say(f"  checkpoint: {workspace.root / 'models' / facts['name']}; table: comix compare {workspace_argument(workspace)}")
    return int(failed > 0)
