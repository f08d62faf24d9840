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
  comix train task=panel_detector task.data.train="[{coco: 'boxes.json', images: 'pages'}]"
  torchrun --nproc-per-node 2 -m comix train trainer=ddp
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import interrupted, plain, say, workspace_argument, workspace_of
from comix.apps.usable_pages import known_pages, set_apart, usable_pages
from comix.build import instantiate
from comix.core.errors import MissingInputError, UsageError
from comix.core.workspace import Workspace

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.data.features import StoredFeatures
    from comix.data.lists import Rejected
    from comix.data.page import PageExample
    from comix.data.settings import DatasetSettings
    from comix.train.plan import Plan


def main(cfg: DictConfig) -> int:
    """Train one variant; 0, 1 when listed pages failed, 130 after Ctrl-C."""
    if cfg.task.kind == "panel_detector":
        from comix.apps import train_boxes

        return train_boxes.main(cfg)
    from comix.train.naming import hash_there, replaced_note
    from comix.train.plan import is_first_process, record_pages, taken_over

    started = time.monotonic()
    workspace = workspace_of(cfg)
    plan = plan_of(cfg, workspace)
    before = hash_there(plan.models / plan.name)
    pages, rejected = listed_pages(plan.dataset, workspace)
    fingerprint = plan.fingerprint(pages, plan.split(pages))
    earlier = taken_over(plan, fingerprint, pages)
    if earlier is not None:
        say(f"train: {plan.name} is trained already with these settings and pages (resume=never trains anew)")
        pages, rejected = set_apart(pages, rejected, earlier.get("failed_pages", ()))
        notes = [earlier["split_note"], plan.note if plan.note not in earlier["split_note"] else ""]
        earlier["split_note"] = "; ".join(filter(None, notes))
    else:
        model = build_model(cfg, plan)
        usable = usable_pages(pages, rejected, workspace, not model.uses_pixels, plan.trainer.accelerator)
        pages, rejected, features = usable.pages, usable.rejected, usable.features
    require_pages(pages, rejected)
    if is_first_process():
        record_pages(workspace.journal("train"), fingerprint, pages, rejected)
    facts = earlier if earlier is not None else trained(plan, fingerprint, model, pages, features, rejected)
    if facts is None:
        return interrupted()
    if "name" not in facts:
        return 0
    code = finish(facts, pages, rejected, workspace, time.monotonic() - started)
    where = plan.models / plan.name if plan.trainer.publish else plan.folder
    aside = "" if plan.trainer.publish else " (a trial: not in models/)"
    say(f"  checkpoint: {where}{aside}; table: comix compare {workspace_argument(workspace)}")
    replaced = replaced_note(plan.models, plan.runs, plan.name, before, facts["model_hash"]) if plan.trainer.publish else ""
    if replaced:
        say(f"  note: {replaced}")
    return code


def trained(
    plan: Plan,
    fingerprint: str,
    model: Any,
    pages: list[PageExample],
    features: StoredFeatures | None,
    rejected: list[Rejected],
) -> dict[str, Any] | None:
    """What the run says of itself; None after Ctrl-C."""
    from comix.train.keeper import TrainingInterruptedError
    from comix.train.run import train

    try:
        return train(plan, fingerprint, model, pages, features, rejected)
    except TrainingInterruptedError:
        return None


def plan_of(cfg: DictConfig, workspace: Workspace) -> Plan:
    """The run's settings as typed values.

    Raises:
        UsageError: a value out of range, or data-parallel training inside a sweep.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from comix.train.naming import free_name, name_of, settings_of
    from comix.train.plan import Plan

    choices = HydraConfig.get().runtime.choices
    for key, value in (("epochs", cfg.epochs), ("batch_size", cfg.batch_size), ("lr", cfg.lr)):
        if not value > 0:
            raise UsageError(f"{key}={value}: wanted more than 0")
    trainer = instantiate(plain(cfg.trainer))
    _check_parallel(trainer.strategy, trainer.devices)
    settings = settings_of(plain(cfg))
    name = name_of(*standard_of(choices, settings))
    if trainer.publish:
        name = free_name(workspace.root / "models", cfg.name or name, settings, bool(cfg.name), cfg.overwrite)
    return Plan(
        name=name,
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
        settings=settings,
        config={str(key): value for key, value in dict(OmegaConf.to_container(cfg, resolve=False)).items()},  # type: ignore[arg-type]
        note=duplicates_note(workspace),
    )


def standard_of(choices: Mapping[str, str], settings: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """What `name_of` wants: the base of a model's name, its settings, and those that need not be in the name."""
    from comix.train.naming import settings_of

    experiment = choices.get("experiment")
    if experiment:
        return experiment, settings, settings_of(_standard([f"experiment={experiment}"]))
    groups = {group: choices[group] for group in ("model", "mpm_variant", "objective", "dataset")}
    others = [groups[group] for group, usual in (("objective", "default"), ("dataset", "workspace")) if groups[group] != usual]
    standard = settings_of(_standard([f"{group}={choice}" for group, choice in groups.items()]))
    return "-".join([groups["model"], groups["mpm_variant"], *others]), settings, standard


def _standard(words: list[str]) -> dict[str, Any]:
    """The configuration with these choices and nothing else said; keys that must be given are ``???`` in it."""
    from omegaconf import OmegaConf

    from comix.compose import compose

    return {str(key): value for key, value in dict(OmegaConf.to_container(compose("train", words), resolve=True)).items()}  # type: ignore[arg-type]


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
    from comix.data.sides import load_sides

    root = Path(dataset.image_root).expanduser() if dataset.image_root else workspace.root
    default = workspace.lists_dir / "training.txt"
    pages, rejected = load_sides(dataset, default, root, workspace.curation_table, known_pages(workspace))
    require_pages(pages, rejected)
    return pages, rejected


def require_pages(pages: list[PageExample], rejected: list[Rejected]) -> None:
    """Stop when there is nothing to learn from.

    Raises:
        MissingInputError: says what is wrong with the first page.
    """
    if not pages:
        first = rejected[0]
        raise MissingInputError(
            f"none of {len(rejected)} listed pages can be used; first: {first.path}: {first.reason}: {first.detail}"
        )


def duplicates_note(workspace: Workspace) -> str:
    """What to say where copies may be on both sides because nobody has looked for them."""
    if workspace.curation_table.is_file():
        return ""
    return "no curation.parquet: copies of a page may be trained on and validated on; first run: comix curate"


def build_model(cfg: DictConfig, plan: Plan) -> Any:
    """The untrained model with the heads that the objective needs, weights drawn with the seed."""
    import torch

    torch.manual_seed(plan.seed)
    return instantiate({**plain(cfg.model), "heads": plan.objective.heads})


def finish(
    facts: dict[str, Any], pages: list[PageExample], rejected: list[Rejected], workspace: Workspace, seconds: float
) -> int:
    """Print what became of the pages and what the model reached; the exit code."""
    failed = sum(one.status == "failed" for one in rejected)
    listed = len(pages) + len(rejected)
    say(f"train: {listed} pages = {len(pages)} done + {failed} failed + {len(rejected) - failed} skipped ({seconds:.1f} s)")
    if failed:
        say(f"  {failed} failed: comix failures stage=train {workspace_argument(workspace)}")
    side, standards = ("test", "test_baselines") if facts.get("test") else ("validation", "baselines")
    final, held, chance = facts["final"], facts[side], facts[standards].get("chance", {})
    where = f"{facts['n_pages']['test']} test pages" if side == "test" else f"{facts['n_pages']['val']} held-out pages"
    say(
        f"  {facts['name']}: loss {final['loss']:.4f} (MPM {final['mpm']:.4f}, POP {final['pop']:.4f}, RPP {final['rpp']:.4f}) "
        f"after {facts['epochs']} epochs on {facts['n_pages']['train']} pages; best epoch {facts['best_epoch']}"
    )
    for name, label in (
        ("rpp_next_accuracy", "next panel"),
        ("pop_auc", "panel on page AUC"),
        ("mpm_retrieval", "hidden panel"),
        ("page_retrieval", "half a page found by the other half"),
    ):
        if held.get(name) is not None:
            say(f"  {label}: {held[name]:.3f} on {where} (chance {chance.get(name) or 0:.3f})")
    for note in filter(None, [facts["split_note"], f"{facts['bad_steps']} bad steps left out" if facts["bad_steps"] else ""]):
        say(f"  note: {note}")
    return int(failed > 0)
