"""Containers in, page images and the page table out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

from comix.core.files import digest
from comix.core.journal import Journal, variants
from comix.core.page import PageRecord
from comix.core.shard import stage_journal
from comix.core.task import Item, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.intake.books import assign_books, library_name
from comix.intake.filenames import from_file_name
from comix.intake.library import find_containers
from comix.intake.pages import ExtractJob, Extractor, ExtractSettings, build_extractor
from comix.io.containers.inplace import MARK
from comix.io.tables import write_pages

EXTRACT_VERSION = "2"
"""Part of every fingerprint: raise it when the same container may give other pages."""


def run_extract(
    workspace: Workspace,
    library: Path,
    source: str,
    render_long_side: int,
    options: RunOptions,
    *,
    mode: str = "copy",
    check: str = "decode",
    file_names: str = "comix",
) -> Summary:
    """Extract a library into the workspace.

    Args:
        workspace: where pages go.
        library: folder of containers; only read.
        source: name of the library; "" takes the folder's name.
        render_long_side: see `ExtractSettings`.
        options: see `RunOptions`; ``limit`` counts containers.
        mode: ``copy`` or ``inplace``.
        check: ``decode`` or ``header``.
        file_names: ``comix`` or ``comicfn2dict``.

    Returns:
        Counts over containers, with one note whose counts over members add up too.

    Raises:
        UsageError: a setting is none of its choices.
    """
    settings = ExtractSettings(render_long_side, mode, check, file_names)
    place = library_place(workspace, library) if mode == "inplace" else ""
    from_file_name("", file_names)  # says now, not once per book, that the library is not installed
    register = workspace.journal("books")
    found = find_containers(library, [workspace.root])
    source = library_name(register, library, source)
    books = assign_books(register, source, [one.relative for one in found if not one.skip])
    by_container = {book.container: book for book in books}
    with stage_journal(workspace.journal("extract"), source, options.shard) as journal:
        gone = len(journal.state().keys() - {one.relative for one in found})
        images = {row.key: row.result.get("images", []) for row in journal.rows(parents_only=True)}
        items = [
            Item(
                key=one.relative,
                payload=ExtractJob(one, by_container.get(one.relative), source, workspace.pages_dir),
                fingerprint=digest(EXTRACT_VERSION, one.stamp, one.skip, astuple(settings), place),
                outputs=tuple(workspace.root / path for path in images.get(one.relative, [])),
                group=one.relative,
            )
            for one in found
        ]
        build: Callable[[], Extractor] = partial(build_extractor, settings)
        options = replace(options, sync=workspace.root)
        summary = run_stage("extract", "containers", items, build, journal, options)
        if not options.shard.is_all:
            return summary
    n_pages = derive_page_table(workspace)
    summary.notes += [_member_note(workspace, source, {item.key for item in items}), f"page table: {n_pages} pages"]
    if mode == "inplace":
        summary.notes.append(_inplace_note(workspace, source))
    if gone:
        summary.notes.append(f"{gone} inputs of earlier runs are no longer in the library; their pages are kept")
    return summary


def _member_note(workspace: Workspace, source: str, keys: set[str]) -> str:
    counts = {"done": 0, "failed": 0, "skipped": 0}
    with Journal(workspace.journal("extract"), source) as journal:
        for row in journal.rows(children_only=True):
            counts[row.status] += row.parent in keys
    return f"{sum(counts.values())} members = {counts['done']} pages + {counts['failed']} failed + {counts['skipped']} skipped"


def _inplace_note(workspace: Workspace, source: str) -> str:
    """How many pages stayed where they are; the others are in containers that cannot be read page by page."""
    with Journal(workspace.journal("extract"), source) as journal:
        paths = [str(row.result["image_path"]) for row in journal.rows("done", children_only=True)]
    inside = sum(MARK in path for path in paths)
    copied = sum(path.startswith(f"{workspace.pages_dir.name}/") for path in paths)
    loose = len(paths) - inside - copied
    return f"in place: {inside} pages in ZIP archives, {loose} in folders; {copied} copied (RAR, 7z, TAR, PDF)"


def library_place(workspace: Workspace, library: Path) -> str:
    """Where the library lies as seen from the workspace: pages left in place are found anew when either has moved."""
    root = os.path.realpath(library)
    try:
        return os.path.relpath(root, os.path.realpath(workspace.root))
    except ValueError:  # another drive
        return root


def derive_page_table(workspace: Workspace) -> int:
    """Write ``pages.parquet`` from the journal, all libraries of this workspace together; the number of pages."""
    pages: list[PageRecord] = []
    for source in variants(workspace.journal("extract")):
        with Journal(workspace.journal("extract"), source) as journal:
            pages += [PageRecord(**row.result) for row in journal.rows("done", children_only=True)]
    return write_pages(workspace.pages_table, pages)
