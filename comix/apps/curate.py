"""Duplicates and a page type for every page; the training list follows them, and subset lists by any condition.

Duplicates are exact (the same bytes) or near (another scan, size or encoding of the same page, confirmed by the pixels);
the largest image stands for its group. Page types come from the book's metadata where it has them, else from panels,
place in the book, words and the reader; a page of which nobody is sure is `unknown`. Training takes interior and splash
pages, one per duplicate group; search and embeddings keep all. Run it again after `align`: words make page types surer.

Examples:
  comix curate
  comix curate page_types=interior near=false
  comix curate subset="quality_score >= 3 and page_type == 'interior' and is_canonical" subset_name=good
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comix.apps.common import detections_of, finish, run_options, say, workspace_of
from comix.core.errors import UsageError
from comix.core.pagetypes import PAGE_TYPES
from comix.curate.stage import run_curate
from comix.curate.subset import asked_subset, write_subset
from comix.curate.training import derive_training, require_alignment

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    page_types = named_types(cfg.page_types)
    if not 0 <= cfg.phash_radius <= 16:
        raise UsageError(f"phash_radius={cfg.phash_radius}: wanted 0 to 16 bits of 64")
    if cfg.subset_name and not cfg.subset:
        raise UsageError(f"subset_name={cfg.subset_name}: names no condition; add subset='quality_score >= 3'")
    if cfg.shard and cfg.subset:
        raise UsageError(f"subset={cfg.subset}: lists are written by the run without shard=; leave one of them out")
    subset = asked_subset(workspace, cfg.subset, cfg.subset_name) if cfg.subset else None
    aligned = (workspace.alignment_dir / "alignment.parquet").is_file()
    if aligned:
        require_alignment(workspace)
    summaries = run_curate(
        workspace, detections_of(cfg, workspace), page_types, cfg.phash_radius if cfg.near else None, run_options(cfg)
    )
    if cfg.shard:
        return max([finish(summary, workspace) for summary in summaries])
    if aligned:
        summaries[-1].notes.append(f"{derive_training(workspace)} pages in {workspace.lists_dir / 'training.txt'}")
    else:
        summaries[-1].notes.append("no words yet: run comix align, then comix curate again, for surer page types")
    code = max([finish(summary, workspace) for summary in summaries])
    if subset is not None and code <= 1:
        for path in write_subset(workspace, subset):
            say(f"{len(path.read_text(encoding='utf-8').splitlines())} pages in {path}")
    return code


def named_types(text: str) -> list[str]:
    """Page types of a comma-separated list.

    >>> named_types("interior, splash")
    ['interior', 'splash']

    Raises:
        UsageError: one is none of ours, or there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in PAGE_TYPES]
    if wrong or not names:
        raise UsageError(f"page_types={text}: wanted some of {', '.join(PAGE_TYPES)}, separated by commas")
    return names
