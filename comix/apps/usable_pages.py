"""Listed pages whose images can be used, for the stages that show pages to a model: found in one go with their features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comix.core.progress import lazy_progress
from comix.core.workspace import Workspace

if TYPE_CHECKING:
    from comix.data.features import StoredFeatures
    from comix.data.lists import Rejected
    from comix.data.page import PageExample


@dataclass(frozen=True, slots=True)
class UsablePages:
    """What can be used.

    Attributes:
        pages: whose image can be read.
        rejected: the listed lines that gave none, and the pages whose image cannot be read.
        features: of ``pages``; None where none are wanted.
    """

    pages: list[PageExample]
    rejected: list[Rejected]
    features: StoredFeatures | None


def usable_pages(
    pages: list[PageExample], rejected: list[Rejected], workspace: Workspace, wants_features: bool, accelerator: str = "cpu"
) -> UsablePages:
    """The pages whose image can be read; each is decoded once, and not again while it stays as it is.

    Args:
        pages: of the lists; ``rejected`` their other lines.
        wants_features: whether cached features are to be had, computed where missing; else images are only tried.
        accelerator: where they are computed, as `comix.train.settings.TrainerSettings` has it.
    """
    features = _features_of(pages, workspace, accelerator) if wants_features else None
    failed = features.failed if features is not None else _unreadable_of(pages, workspace)
    usable, rejected = set_apart(pages, rejected, failed)
    if features is not None:
        kept = {page.page_id for page in usable}
        features = features.some([place for place, page in enumerate(pages) if page.page_id in kept])
    return UsablePages(usable, rejected, features)


def known_pages(workspace: Workspace) -> Path:
    """Where is kept what was read of DataSpecs and images."""
    return workspace.root / "cache" / "pages.sqlite"


def set_apart(
    pages: list[PageExample], rejected: list[Rejected], failed: Iterable[Sequence[str]]
) -> tuple[list[PageExample], list[Rejected]]:
    """The pages without those that failed, and the rejected ones with them.

    Args:
        failed: page id, reason and detail of each.
    """
    from comix.data.lists import Rejected

    faults = {page_id: (reason, detail) for page_id, reason, detail in failed}
    more = [Rejected(page.page_id, page.page_id, "failed", *faults[page.page_id]) for page in pages if page.page_id in faults]
    return [page for page in pages if page.page_id not in faults], [*rejected, *more]


def _features_of(pages: list[PageExample], workspace: Workspace, accelerator: str) -> StoredFeatures:
    """Cached features of the pages, computed where missing, with a progress line then; by one process at a time."""
    import torch
    from filelock import FileLock

    from comix.data.features import FeatureStore

    folder = workspace.root / "cache" / "features"
    folder.mkdir(parents=True, exist_ok=True)
    device = "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    with FileLock(folder / "features.lock"), lazy_progress("features") as show, FeatureStore(folder, device) as store:
        return store.panels(pages, show)


def _unreadable_of(pages: list[PageExample], workspace: Workspace) -> list[tuple[str, str, str]]:
    """Pages whose image cannot be decoded; images that could be before, and have not changed, are not decoded again."""
    from comix.data.known import Known
    from comix.data.pixels import unreadable

    with lazy_progress("images") as show, Known(known_pages(workspace), workspace.root) as known:
        return unreadable(pages, known, show)
