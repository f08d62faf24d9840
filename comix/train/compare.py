"""The document's table over training runs: variant, final losses, and validation figures beside what chance gives."""

from __future__ import annotations

import csv
import glob
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comix.core.errors import MissingInputError
from comix.train.metrics_file import METRICS, finished_runs

LABELS: Mapping[str, str] = {
    "base": "Base Simple",
    "denoise": "Denoise MPM",
    "context_recon": "Context Recon",
    "denoise_context": "Denoise + Context",
}
"""The document's names of the variants."""

_FIGURES = (
    ("Next panel", "rpp_next_accuracy", "cut"),
    ("Page exact", "rpp_page_exact", "cut"),
    ("POP AUC", "pop_auc", "untrained_cosine"),
    ("MPM hit@1", "mpm_retrieval", "mean_of_others"),
)
"""Column, figure, and the baseline that stands beside chance."""


def find_runs(names: str, workspace: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Finished runs: of the folders named, else of the workspace's newest sweep, else its newest runs of each variant.

    Args:
        names: run folders or sweep folders, comma-separated, ``*`` allowed; "" for the workspace's.

    Raises:
        MissingInputError: nothing there that is finished.
    """
    if names:
        parts = [names] if Path(names).is_dir() else names.split(",")  # a folder's name may hold a comma
        folders = [Path(name) for part in parts for name in _expanded(part.strip())]
        found = finished_runs(folders)
        if not found:
            raise MissingInputError(
                f"runs={names}: no finished training run there (no {METRICS}); wanted run folders of comix train"
            )
        return found
    root = workspace / "runs" / "train"
    groups = [runs for folder in sorted(root.glob("*"), reverse=True) if (runs := finished_runs([folder]))]
    if not groups:
        raise MissingInputError(
            f"{root}: no finished training run yet; first run: comix train -m mpm_variant=base,denoise,context_recon,"
            f"denoise_context workspace={workspace}"
        )
    sweeps = [runs for runs in groups if len(runs) > 1]
    return sweeps[0] if sweeps else _newest_of_each([run for runs in groups for run in runs])


def _expanded(name: str) -> list[str]:
    return [name] if Path(name).is_dir() else sorted(glob.glob(str(Path(name).expanduser())))  # noqa: PTH207


def _newest_of_each(runs: Sequence[tuple[Path, dict[str, Any]]]) -> list[tuple[Path, dict[str, Any]]]:
    chosen: dict[str, tuple[Path, dict[str, Any]]] = {}
    for folder, facts in runs:
        chosen.setdefault(str(facts["name"]), (folder, facts))
    return list(chosen.values())


def table_of(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One row per run: the document's columns, then figures as ``value``, ``chance`` and ``baseline``."""
    rows = []
    for folder, facts in runs:
        final, baselines = facts["final"], facts["baselines"]
        row: dict[str, Any] = {
            "Variant": LABELS.get(facts["variant"], facts["variant"]),
            "Final Loss": final["loss"],
            "MPM Loss": final["mpm"],
            "POP Loss": final["pop"],
            "RPP Loss": final["rpp"],
        }
        for column, figure, baseline in _FIGURES:
            row[column] = facts["validation"].get(figure)
            row[f"{column} chance"] = baselines.get("chance", {}).get(figure)
            row[f"{column} {baseline}"] = baselines.get(baseline, {}).get(figure)
        row |= {"Seed": facts["seed"], "Pages": facts["n_pages"]["train"], "Held out": facts["n_pages"]["val"]}
        rows.append(row | {"Model": facts["model"], "Run": str(folder)})
    return rows


def notes_of(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[str]:
    """What a reader must know to read the table right."""
    notes = ["Losses are the last epoch's on training pages; figures are the best epoch's on held-out pages."]
    pages = {tuple(facts["n_pages"].values()) for _, facts in runs}
    if len(pages) > 1:
        notes.append("The runs saw different numbers of pages: their losses do not compare.")
    if any(facts["weak_order_share"] > 0 for _, facts in runs):
        notes.append('Reading orders are the rule\'s own ("cut"), not a person\'s: "cut" is 1 by construction.')
    smallest = min(facts["n_pages"]["val"] for _, facts in runs)
    if smallest < 100:
        notes.append(f"{smallest} held-out pages: differences of a few percent are chance.")
    if len({facts["seed"] for _, facts in runs}) == 1:
        notes.append("One seed: repeat with seed=1,2 before calling a variant better.")
    return notes + sorted({facts["split_note"] for _, facts in runs if facts["split_note"]})


def rendered(rows: Sequence[Mapping[str, Any]], notes: Sequence[str], form: str) -> str:
    """The table as ``table`` or ``markdown`` (figures short, chance in brackets), ``csv`` (all columns) or ``latex``."""
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
    head, body = _short(rows)
    if form == "latex":
        lines = [r"\begin{tabular}{l" + "r" * (len(head) - 1) + "}", r"\toprule"]
        lines += [" & ".join(_escaped(cell) for cell in line) + r" \\" for line in (head, *body)]
        return "\n".join([*lines[:3], r"\midrule", *lines[3:], r"\bottomrule", r"\end{tabular}"]) + "\n"
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(head))]

    def one(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |" if form == "markdown" else "  ".join(cells).rstrip()

    rule = ["-" * width for width in widths]
    return "\n".join([one(head), one(rule), *map(one, body), "", *notes]) + "\n"


def _short(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Head and body: four digits for losses, three for figures with chance in brackets."""
    losses = ["Final Loss", "MPM Loss", "POP Loss", "RPP Loss"]
    figures = [column for column, _, _ in _FIGURES]
    head = ["Variant", *losses, *(f"{column} (chance)" for column in figures)]
    body = []
    for row in rows:
        cells = [str(row["Variant"]), *(_number(row[name], 4) for name in losses)]
        body.append([*cells, *(f"{_number(row[name], 3)} ({_number(row[f'{name} chance'], 3)})" for name in figures)])
    standards = [_number(rows[0].get(f"{column} {baseline}"), 3) for column, _, baseline in _FIGURES]
    body.append(["no training: cut, cosine, mean", "", "", "", "", *standards])
    return head, body


def _number(value: Any, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _escaped(cell: str) -> str:
    return cell.replace("&", r"\&").replace("%", r"\%").replace("_", r"\_")
