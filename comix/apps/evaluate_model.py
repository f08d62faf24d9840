"""``comix evaluate target=model``: checkpoints on DataSpec lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import say
from comix.core.errors import MissingInputError
from comix.core.workspace import Workspace
from comix.schema.base import listed

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.bench.models import ModelAnswer


def measured(cfg: DictConfig, workspace: Workspace, lists: list[Path]) -> tuple[list[Path], int, ModelAnswer]:
    """The checkpoints, the number of pages, and the answer.

    Raises:
        MissingInputError: no checkpoint or list of that name, or none of the pages can be used.
    """
    from comix.apps.usable_pages import known_pages, usable_pages
    from comix.bench.models import ModelQuestion, checkpoint_names, evaluate_models
    from comix.data.lists import load_pages
    from comix.embed.place import find_checkpoint
    from comix.train.checkpoint import load_model

    names = listed(cfg.checkpoint) or [""]
    folders = [find_checkpoint(workspace, name) for name in names]
    lists = lists or [workspace.lists_dir / "training.txt"]
    pages, rejected = load_pages(lists, workspace.root, None, workspace.curation_table, known_pages(workspace))
    models = dict(zip(checkpoint_names(folders), map(load_model, folders), strict=True))
    usable = usable_pages(pages, rejected, workspace, any(not one.model.uses_pixels for one in models.values()))
    if not usable.pages:
        first = f"; first: {usable.rejected[0].told}" if usable.rejected else ""
        raise MissingInputError(f"{lists[0]}: none of its pages can be used{first}")
    if usable.rejected:
        say(f"evaluate: {len(usable.rejected)} listed pages are left out; first: {usable.rejected[0].told}")
    question = ModelQuestion(models, usable.pages, usable.features, cfg.worst)
    return [folder / "model.safetensors" for folder in folders], len(usable.pages), evaluate_models(question)
