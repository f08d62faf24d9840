"""Look through a workspace: is everything whole, and does it fit together? Changes nothing.

Journals, page table and images, detections, analyses, DataSpecs, tables, lists, models, embeddings, leftovers of killed
runs. With ``deep=true`` every byte: each page image against its checksum and decoded, each weight, each chunk of a store.
Exits 1 when something is wrong; every line says what, where, and how to mend it.

Examples:
  comix check
  comix check deep=true workers=8
  comix check format=json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from comix.apps.common import say
from comix.apps.status import existing_workspace
from comix.check.documents import check_detections, check_readings, check_tables
from comix.check.finding import Part
from comix.check.learned import check_embeddings, check_models
from comix.check.machinery import check_journals, check_leftovers
from comix.check.pages import check_pages
from comix.core.errors import ComixError
from comix.core.task import RunOptions
from comix.core.workspace import Workspace
from comix.io.tables import read_pages

if TYPE_CHECKING:
    from omegaconf import DictConfig

_SHOWN = 20
"""Troubles of one part that the table shows."""


def main(cfg: DictConfig) -> int:
    """Look through everything; 1 when something is wrong."""
    workspace = existing_workspace(cfg)
    options = RunOptions(cfg.workers, timeout_s=cfg.timeout_s, memory_mb=cfg.memory_mb, chunk=8)
    findings = []
    for part in _parts(workspace, cfg.deep, options):
        findings += part.findings
        if cfg.format == "table":
            _show(part)
    if cfg.format == "json":
        say(json.dumps([asdict(one) for one in findings], ensure_ascii=False, indent=1))
    elif findings:
        say(f"{len(findings)} troubles in {workspace.root}")
    else:
        say(f"All is well in {workspace.root}" + ("" if cfg.deep else "; comix check deep=true also reads every byte"))
    return int(bool(findings))


def _parts(workspace: Workspace, deep: bool, options: RunOptions) -> Iterator[Part]:
    yield from check_journals(workspace, deep)
    pages = []
    if workspace.pages_table.is_file():
        try:
            pages = read_pages(workspace.pages_table)
        except ComixError as error:
            part = Part("pages", "pages")
            part.add(workspace.pages_table, str(error), "remove it and run comix extract again")
            yield part
            return
        yield check_pages(workspace, pages, deep, options)
    sizes = {page.page_id: (page.width, page.height) for page in pages}
    yield from check_detections(workspace, sizes)
    yield from check_readings(workspace, sizes)
    yield from check_tables(workspace, sizes)
    yield from check_models(workspace, deep)
    yield from check_embeddings(workspace, deep)
    yield from check_leftovers(workspace, deep)


def _show(part: Part) -> None:
    n = len(part.findings)
    say(f"{part.name}: {part.n_looked_at} {part.unit}, {f'{n} troubles' if n else 'all well'}")
    for one in part.findings[:_SHOWN]:
        say(f"  {one.where}: {one.found}\n    -> {one.mend}")
    if n > _SHOWN:
        say(f"  and {n - _SHOWN} more: comix check format=json")
