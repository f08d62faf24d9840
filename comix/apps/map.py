"""Which image each foreign JSON describes, by exact rules; everything else listed, never guessed.

For a folder of JSONs made by another tool. A JSON is mapped by what it says itself (page id, canonical id, image path) or,
when it says nothing, by the same relative path, suffix dropped, below ``vlm_dir`` and below an image root. Writes
``json_to_image.json`` and, beside it, ``unmatched.csv`` with up to five candidates each to look at.

Examples:
  comix map vlm_dir=analyses image_roots=[pages] output=json_to_image.json
  comix map vlm_dir=analyses coco=predictions.json output=json_to_image.json
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from comix.align.foreign import attach, image_name, page_ids, write_unmatched
from comix.align.join import PageIndex
from comix.align.source import as_folder
from comix.apps.common import say
from comix.core.errors import UsageError
from comix.core.files import json_bytes, write_if_changed
from comix.core.pathforms import parse_folders, parse_root_map, posix_form
from comix.core.task import RunOptions
from comix.io.cococolumns import read_columns
from comix.io.containers.members import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Build the map; its exit code."""
    roots = [as_folder("image_roots", one) for one in parse_folders(cfg.image_roots)]
    if not (roots or cfg.coco):
        raise UsageError("image_roots=[FOLDER, ...] or coco=FILE is missing: the images that the JSONs describe")
    folder, target, root_map = as_folder("vlm_dir", cfg.vlm_dir), Path(cfg.output), parse_root_map(cfg.root_map)
    here = [posix_form(os.path.abspath(root)) for root in roots]  # noqa: PTH100  (keeps links)
    if cfg.coco:
        found = read_columns(Path(cfg.coco))
        names = [image_name(name or page, here, root_map) for name, page in zip(found.file_names, found.page_ids, strict=True)]
        given = found.page_ids
    else:
        names = sorted({name for root in here for name in _images(root, "")})
        given = [""] * len(names)
    index = PageIndex(names, page_ids(names, given), here, root_map)
    attached, unmatched = attach(folder, Path(cfg.vlm_map) if cfg.vlm_map else None, index, RunOptions(workers=0))
    pairs = sorted((path, names[row]) for row, path in attached.items())
    write_if_changed(target, json_bytes(dict(pairs), indent=1))
    write_unmatched(target.parent / "unmatched.csv", unmatched)
    n_jsons = len(pairs) + sum(one.kind == "json" for one in unmatched)
    say(f"map: {n_jsons} JSONs = {len(pairs)} mapped + {n_jsons - len(pairs)} unmatched; {len(names)} images; {target}")
    if unmatched:
        say(f"  unmatched, with candidates to look at: {target.parent / 'unmatched.csv'}")
    return 0


def _images(root: str, prefix: str) -> Iterator[str]:
    """Paths of all image files below a folder, relative to it."""
    with os.scandir(f"{root}/{prefix}") as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _images(root, f"{prefix}{entry.name}/")
            elif entry.name.rpartition(".")[2].lower() in IMAGE_SUFFIXES:
                yield posix_form(prefix + entry.name)
