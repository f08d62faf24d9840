"""The `report` stage: a workspace in, one HTML file out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from comix import __version__
from comix.align.quality import SUBSETS
from comix.bundled import Credit
from comix.core.files import write_if_changed
from comix.core.journal import variants
from comix.core.workspace import Workspace
from comix.report.books import MAX_BOOKS, book_directions, book_rows, failures_per_book
from comix.report.charts import Chart, bar_chart, binned
from comix.report.examples import read_examples
from comix.report.funnel import container_steps, page_steps
from comix.report.logs import StageLog, read_extract, read_listed
from comix.report.models import ModelsView, read_models
from comix.report.pages import PageReader, PageView, banner
from comix.report.render import render
from comix.report.select import choose_pages
from comix.report.sight import SightView, read_sight
from comix.report.table import STAGES, fill_frame, read_logs, read_page_frame, subset_counts, variant_of


def run_report(
    workspace: Workspace, detector: str, reader: str, max_pages: int, title: str = "", credits: Sequence[Credit] = ()
) -> Path:
    """Write ``report/index.html``; the same workspace gives the same bytes.

    Args:
        workspace: holds at least the page table; what is not there yet is named with the command that makes it.
        detector: whose boxes; ``reader``: whose text.
        max_pages: pages shown in full, spread over the books.
        title: heading; "" takes the workspace's name.
        credits: makers of the comics; shown where their container is in this workspace.

    Returns:
        The file.

    Raises:
        MissingInputError: no pages were extracted yet.
        FileFormatError: a table or journal is damaged.
    """
    frame = read_page_frame(workspace)
    logs = read_logs(workspace, detector, reader, dict.fromkeys(frame.index, 0))
    frame, extract = fill_frame(frame, workspace, logs), read_extract(workspace)
    shown_credits = _present(credits, frame, extract)
    pages = PageReader(workspace, detector, reader)
    chosen = frame.loc[choose_pages(frame, max_pages)].to_dict("records")
    views = [pages.view(row, number) for number, row in enumerate(chosen, start=1)]
    missing = _missing(workspace, logs, detector, reader)
    learned = _learned(workspace, [view for view, row in zip(views, chosen, strict=True) if not row["is_duplicate"]])
    facts = {
        "title": title or workspace.root.resolve().name, "version": __version__, "detector": detector, "reader": reader,
        **learned, **_counts(frame, workspace, logs, extract, learned["models"], learned["sight"]),
        **_books(frame, workspace, logs, shown_credits), **_shown(views, frame),
        "credits": shown_credits, "charts": _charts(frame, logs),
        "subsets": subset_counts(workspace, logs["align"], SUBSETS) if "align" in logs else {},
        "n_given": _n_given(frame), "commands": _commands(workspace, logs, extract, missing), "max_pages": max_pages,
        "others": _other_variants(workspace, logs, detector, reader), "missing": missing,
    }  # fmt: skip
    write_if_changed(workspace.report, render(facts).encode("utf-8"))
    return workspace.report


def _present(credits: Sequence[Credit], frame: pd.DataFrame, extract: tuple[StageLog, StageLog] | None) -> list[Credit]:
    """Makers of the containers that this workspace was made from, unreadable ones included."""
    listed = {key for log in extract or () for group in log.groups for key, _ in group.items}
    return [one for one in credits if one.container in listed | set(frame["container"])]


def _learned(workspace: Workspace, views: list[PageView]) -> dict[str, Any]:
    """What training, embedding and indexing gave, each with the command that is missing."""
    where = shlex.quote(f"workspace={workspace.root}")
    return {
        "models": read_models(workspace, where), "sight": read_sight(workspace, views, where),
        "search": read_examples(workspace, views, where),
    }  # fmt: skip


def _counts(
    frame: pd.DataFrame, workspace: Workspace, logs: dict[str, StageLog], extract: tuple[StageLog, StageLog] | None,
    models: ModelsView, sight: SightView,
) -> dict[str, Any]:  # fmt: skip
    has_training = "align" in logs and (workspace.lists_dir / "training.txt").is_file()
    listed = [read_listed(workspace.journal("train"), "train"), read_listed(workspace.journal("embed"), "embed", sight.name)]
    everything = [*(extract or ()), *(logs[stage] for stage in STAGES if stage in logs), *(log for log in listed if log)]
    aligned = "align" in logs
    totals = [
        ("Books", frame["book_id"].nunique(), "extract"), ("Pages", len(frame), "extract"),
        ("Panels", int(frame["n_panels"].sum()) if "detect" in logs else None, "detect"),
        ("Texts", int(frame["n_texts"].sum()) if "analyze" in logs else None, "analyze"),
        ("Words", int(frame["n_words"].sum()) if aligned else None, "align"),
        ("DataSpecs", int(frame["is_aligned"].sum()) if aligned else None, "align"),
        ("Training pages", int(frame["is_training"].sum()) if has_training else None, "align"),
    ]  # fmt: skip
    totals += [("Models", models.n_models, "train")] if models.n_models else []
    totals += [("Embedded pages", sight.n_embedded, "embed")] if sight.n_embedded is not None else []
    steps = (container_steps(*extract) if extract else []) + page_steps(frame, logs, has_training)
    return {
        "totals": totals, "logs": everything, "steps": steps,
        "failed": [group for log in everything for group in log.of("failed")],
        "skipped": [group for log in everything for group in log.of("skipped")],
        "n_failed": sum(log.failed for log in everything), "n_skipped": sum(log.skipped for log in everything),
    }  # fmt: skip


def _books(frame: pd.DataFrame, workspace: Workspace, logs: dict[str, StageLog], credits: Sequence[Credit]) -> dict[str, Any]:
    rows = book_rows(frame, logs, failures_per_book(workspace, frame, logs), credits)
    return {"books": rows, "n_books": int(frame["book_id"].nunique()), "max_books": MAX_BOOKS}


def _shown(views: list[PageView], frame: pd.DataFrame) -> dict[str, Any]:
    """Views by book, in table order, with what the filter bar offers."""
    by_book: dict[str, list[PageView]] = {}
    for view in views:
        by_book.setdefault(view.book_id, []).append(view)
    sizes = frame["book_id"].value_counts()
    directions = book_directions(frame) if by_book else {}
    shelves = [(book, parts, int(sizes[book]), directions[book]) for book, parts in by_book.items()]
    return {
        "shelves": shelves, "n_shown": len(views), "banner": banner(views),
        "anchors": {view.page_id: view.anchor for view in views},
        "types": sorted({view.page_type for view in views}), "settings": _settings(views),
        "scores": sorted({view.score for view in views if view.score is not None}, reverse=True),
    }  # fmt: skip


def _settings(views: list[PageView]) -> list[tuple[str, str]]:
    """How the text of the shown pages was read and attached."""
    values: dict[str, set[str]] = {}
    for label, value in (pair for view in views for pair in view.made if pair[1]):
        values.setdefault(label, set()).add(value)
    return [(label, ", ".join(sorted(found))) for label, found in values.items()]


def _charts(frame: pd.DataFrame, logs: dict[str, StageLog]) -> list[Chart]:
    charts = []
    if "align" in logs and frame["is_aligned"].any():
        scored = frame[frame["is_aligned"]]
        counts = [int((scored["score"] == score).sum()) for score in range(5)]
        tones = [f"s{score}" for score in range(5)]
        charts.append(bar_chart("Scores", [str(score) for score in range(5)], counts, "pages", "4 is best", tones))
        labels = [f"{10 * part}" for part in range(10)]
        coverage = binned([float(value) for value in scored["coverage"]])
        charts.append(bar_chart("Text coverage", labels, coverage, "pages", "share of panels with text, from … %"))
    if "detect" in logs:
        done = frame.loc[frame["why_detect"] == "", "n_panels"].clip(upper=12)
        counts = [int((done == n).sum()) for n in range(13)]
        labels = [*(str(n) for n in range(12)), "12+"]
        charts.append(bar_chart("Panels per page", labels, counts, "pages", "as detected"))
    return charts


def _n_given(frame: pd.DataFrame) -> int:
    """Aligned pages without a ratio: the reader was given the boxes."""
    return int((frame["is_aligned"] & frame["ratio"].isna()).sum())


def _other_variants(workspace: Workspace, logs: dict[str, StageLog], detector: str, reader: str) -> list[tuple[str, list[str]]]:
    """Other detectors and readers in the journals, by stage."""
    found = []
    for stage in ("detect", "analyze", "align"):
        names = [name for name in variants(workspace.journal(stage)) if name != variant_of(stage, detector, reader)]
        if names:
            found.append((stage, names))
    return found


def _missing(workspace: Workspace, logs: dict[str, StageLog], detector: str, reader: str) -> dict[str, str]:
    """Stages without a journal for this detector and reader, with the command that runs them."""
    where = shlex.quote(f"workspace={workspace.root}")
    boxes = shlex.quote(f"detections={detector}")
    options = {
        "detect": shlex.quote(f"detector={detector}"), "order": boxes, "analyze": shlex.quote(f"vlm={reader}") + f" {boxes}",
        "align": f"{boxes} " + shlex.quote(f"reader={reader}"), "curate": boxes,
    }  # fmt: skip
    return {stage: f"comix {stage} {options[stage]} {where}" for stage in STAGES if stage not in logs}


def _first_command(workspace: Workspace) -> tuple[str, str]:
    return f"comix extract library=FOLDER {shlex.quote(f'workspace={workspace.root}')}", "a library with readable comics"


def _commands(
    workspace: Workspace, logs: dict[str, StageLog], extract: tuple[StageLog, StageLog] | None, missing: dict[str, str]
) -> list[tuple[str, str]]:
    """Three commands to go on with: what is missing first."""
    where = shlex.quote(f"workspace={workspace.root}")
    everything = [*(extract or ()), *logs.values()]
    commands = [(command, "the next stage") for command in list(missing.values())[:1]]
    if extract is not None and not extract[1].done:
        commands = [_first_command(workspace)]
    if any(log.not_reached for log in logs.values()):
        stage = next(log.stage for log in logs.values() if log.not_reached)
        commands.append((f"comix {stage} {where}", "goes on with the pages that were not reached"))
    if any(log.failed for log in everything):
        commands.append((f"comix failures {where}", "everything that failed, with what to do"))
    commands.append((f"comix status {where}", "what is done and what is left"))
    commands.append((f"comix report {where} max_pages=200", "more pages in this report"))
    commands.append(("comix pipeline library=FOLDER workspace=my-comics", "the same for your own comics"))
    return commands[:3] if len(logs) < len(STAGES) else [*commands[:2], commands[-1]]
