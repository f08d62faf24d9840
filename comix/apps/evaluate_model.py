"""``comix evaluate target=model``: checkpoints on DataSpec lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import say
from comix.core.errors import MissingInputError
from comix.core.workspace import Workspace

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.bench.models import ModelAnswer
    from comix.data.features import Features
    from comix.data.page import PageExample


def measured(cfg: DictConfig, workspace: Workspace, lists: list[Path]) -> tuple[list[Path], int, ModelAnswer]:
    """The checkpoints, the number of pages, and the answer.

    Raises:
        MissingInputError: no checkpoint or list of that name, or none of the pages can be used.
    """
    from comix.apps.train import known_pages
    from comix.bench.models import ModelQuestion, checkpoint_names, evaluate_models
    from comix.data.lists import load_pages
    from comix.embed.place import find_checkpoint
    from comix.train.checkpoint import load_model

    names = [name.strip() for name in str(cfg.checkpoint).strip("[]").split(",") if name.strip()] or [""]
    folders = [find_checkpoint(workspace, name) for name in names]
    lists = lists or [workspace.lists_dir / "training.txt"]
    pages, rejected = load_pages(lists, workspace.root, None, workspace.curation_table, known_pages(workspace))
    pages = _readable(pages, workspace)
    if not pages:
        first = f"; first: {rejected[0].told}" if rejected else ""
        raise MissingInputError(f"{lists[0]}: none of its pages can be used{first}")
    if rejected:
        say(f"evaluate: {len(rejected)} listed pages are left out; first: {rejected[0].told}")
    models = dict(zip(checkpoint_names(folders), map(load_model, folders), strict=True))
    question = ModelQuestion(models, pages, lambda: _features(pages, workspace), cfg.worst)
    return [folder / "model.safetensors" for folder in folders], len(pages), evaluate_models(question)


def _readable(pages: list[PageExample], workspace: Workspace) -> list[PageExample]:
    """The pages whose image can be decoded; the others are told."""
    from comix.apps.train import unreadable_of

    failed = {page_id: f"{reason}: {detail}" for page_id, reason, detail in unreadable_of(pages, workspace)}
    if failed:
        say(f"evaluate: {len(failed)} pages cannot be read and are left out; first: {next(iter(failed.items()))}")
    return [page for page in pages if page.page_id not in failed]


def _features(pages: list[PageExample], workspace: Workspace) -> Features:
    from comix.apps.train import features_of
    from comix.train.settings import TrainerSettings

    return features_of(pages, workspace, TrainerSettings())
