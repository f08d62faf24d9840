"""The document's table over training runs: variant, final losses, and validation figures beside what chance gives."""

from __future__ import annotations

import csv
import glob
import io
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comix.core.errors import MissingInputError
from comix.core.files import digest
from comix.metrics.retrieval import difference_by_chance
from comix.train.metrics_file import METRICS, FoundRuns, finished_runs
from comix.train.naming import hash_there

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
    ("Page hit@1", "page_retrieval", "untrained_cosine"),
)
"""Column, figure, and the baseline that stands beside chance."""


def find_runs(names: str, workspace: Path) -> FoundRuns:
    """Finished runs: of the folders named, else of the workspace's newest sweep, else its newest runs of each variant.

    Args:
        names: run folders or sweep folders, comma-separated, ``*`` allowed; "" for the workspace's.

    Raises:
        MissingInputError: nothing there that is finished.
    """
    if names:
        parts = [names] if Path(names).is_dir() else names.split(",")  # a folder's name may hold a comma
        found = finished_runs([Path(name) for part in parts for name in _expanded(part.strip())])
        if not found.runs:
            raise MissingInputError(
                f"runs={names}: no finished training run there (no {METRICS}); wanted run folders of comix train"
                + "".join(f"; {one}" for one in found.broken)
            )
        return found
    root = workspace / "runs" / "train"
    groups = [finished_runs([folder]) for folder in sorted(root.glob("*"), reverse=True)]
    broken = [line for group in groups for line in group.broken]
    groups = [group for group in groups if group.runs]
    if not groups:
        raise MissingInputError(
            f"{root}: no finished training run yet; first run: comix train -m mpm_variant=base,denoise,context_recon,"
            f"denoise_context workspace={workspace}" + "".join(f"; {one}" for one in broken)
        )
    sweeps = [group for group in groups if len(group.runs) > 1]
    if sweeps:
        return sweeps[0]
    runs = [run for group in groups for run in group.runs]
    return FoundRuns(_newest_of_each([run for run in runs if run[1].get("published", True)] or runs), broken)


def _expanded(name: str) -> list[str]:
    return [name] if Path(name).is_dir() else sorted(glob.glob(str(Path(name).expanduser())))  # noqa: PTH207


def _newest_of_each(runs: Sequence[tuple[Path, dict[str, Any]]]) -> list[tuple[Path, dict[str, Any]]]:
    chosen: dict[str, tuple[Path, dict[str, Any]]] = {}
    for folder, facts in runs:
        chosen.setdefault(str(facts["name"]), (folder, facts))
    return list(chosen.values())


def table_of(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One row per run: the document's columns, then figures as ``value``, ``chance`` and ``baseline``.

    Figures are those on the test pages where every run has some, else the best epoch's on the validation pages; ``Last ...``
    are the last epoch's on the validation pages, which no choice has made better.
    """
    kept, standards = ("test", "test_baselines") if _have_test(runs) else ("validation", "baselines")
    rows = []
    for folder, facts in runs:
        final, baselines = facts["final"], facts[standards]
        row: dict[str, Any] = {
            "Variant": LABELS.get(facts["variant"], facts["variant"]),
            "Final Loss": final["loss"],
            "MPM Loss": final["mpm"],
            "POP Loss": final["pop"],
            "RPP Loss": final["rpp"],
        }
        for column, figure, baseline in _FIGURES:
            row[column] = facts[kept].get(figure)
            row[f"{column} chance"] = baselines.get("chance", {}).get(figure)
            row[f"{column} {baseline}"] = baselines.get(baseline, {}).get(figure)
        row |= {f"Last {column}": facts.get("validation_last", {}).get(figure) for column, figure, _ in _FIGURES}
        n_pages = facts["n_pages"]
        row |= {
            "Name": facts["name"],
            "Seed": facts["seed"],
            "Pages": n_pages["train"],
            "Held out": n_pages["test" if kept == "test" else "val"],
        }
        settings = {
            key: value for key, value in dict(facts.get("settings") or {"name": facts["name"]}).items() if key != "seed"
        }
        rows.append(row | {"Model": facts["model"], "Run": str(folder), "Settings": digest(settings, facts["variant"])[:8]})
    return rows


def averaged(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for runs that differ in their seed only: means, standard deviations as ``<column> sd``, and ``Runs``.

    Rows of single runs stay as they are; so do columns that are no numbers, or missing in one of the runs.

    >>> one, two = ({"Settings": "a", "Variant": "base", "Seed": seed, "MPM Loss": loss} for seed, loss in ((0, 1.0), (1, 2.0)))
    >>> [(row["MPM Loss"], row["Runs"], round(row["MPM Loss sd"], 3)) for row in averaged([one, two])]
    [(1.5, 2, 0.707)]
    """
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["Settings"], []).append(row)
    out = []
    for members in groups.values():
        merged = dict(members[0]) | {"Runs": len(members)}
        for column in list(merged) if len(members) > 1 else ():
            values = [row.get(column) for row in members]
            numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
            if len(numbers) == len(members) and column not in ("Seed", "Pages", "Held out", "Runs"):
                merged |= {column: statistics.fmean(numbers), f"{column} sd": statistics.stdev(numbers)}
        if len(members) > 1:
            merged["Seed"] = ",".join(str(row["Seed"]) for row in members)
        out.append(merged)
    return out


def _have_test(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> bool:
    return all(facts.get("test") for _, facts in runs)


def notes_of(found: FoundRuns) -> list[str]:
    """What a reader must know to read the table right."""
    runs = found.runs
    if _have_test(runs):
        side, chosen = "test", "figures are of the best epoch on test pages, which took no part in choosing it."
    else:
        side = "val"
        chosen = (
            "figures are the best epoch's on the held-out pages that also chose this epoch, so they are a little too good "
            "(compare.csv has the last epoch's, too)."
        )
    notes = [f"Losses are the last epoch's on training pages; {chosen}"]
    pages = {tuple(sorted(facts["n_pages"].items())) for _, facts in runs}
    if len(pages) > 1:
        notes.append("The runs saw different numbers of pages: their losses do not compare.")
    if not _same_questions(runs):
        notes.append("The runs were held to different pages: their figures do not compare, and no common baseline is shown.")
    notes += _order_note(runs)
    smallest = min(facts["n_pages"][side] for _, facts in runs)
    margin = difference_by_chance(0.5, 0.5, smallest)
    notes.append(f"{smallest} held-out pages: differences under about {margin:.2f} are chance (95 %, a page counts once).")
    notes.append(
        'Next panel asks every panel on its own, "end" included; page exact wants one whole order, decoded from all answers '
        "of a page together: one wrong answer can spoil a page, and decoding can mend several, so the two need not agree."
    )
    if len({facts["seed"] for _, facts in runs}) == 1:
        notes.append("One seed: repeat with seed=1,2 before calling a variant better.")
    return notes + sorted({facts["split_note"] for _, facts in runs if facts.get("split_note")}) + found.broken


def _same_questions(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> bool:
    """Whether all runs were asked the same of the same pages; runs of before this was recorded count by their page numbers."""
    key = "test_digest" if _have_test(runs) else "val_digest"
    return len({facts.get(key) or str(facts["n_pages"]["val"]) for _, facts in runs}) == 1


def _order_note(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[str]:
    """Where the reading orders come from, and which rule gives just them."""
    weak = max(float(facts.get("weak_order_share", 0.0)) for _, facts in runs)
    if weak == 0:
        return []
    share = "Reading orders" if weak == 1 else f"{weak:.0%} of the reading orders"
    measured = [facts["test_baselines" if _have_test(runs) else "baselines"] for _, facts in runs]
    exact = [
        rule for rule in ("cut", "rows", "centre") if all(one.get(rule, {}).get("rpp_page_exact") == 1.0 for one in measured)
    ]
    same = f'; on the held-out pages they are those of the rule "{exact[0]}", which is 1 there for that reason' if exact else ""
    return [f"{share} are a rule's or a reader's own, not a person's{same}."]


def rendered(rows: Sequence[Mapping[str, Any]], notes: Sequence[str], form: str) -> str:
    """The table as ``table`` or ``markdown`` (figures short, chance in brackets), ``csv`` (all columns) or ``latex``."""
    if form == "csv":
        text = io.StringIO()
        columns = list(dict.fromkeys(column for row in rows for column in row))
        writer = csv.DictWriter(text, columns, lineterminator="\n")
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
    labels = labels_of(rows)
    for row, label in zip(rows, labels, strict=True):
        cells = [label, *(_number(row[name], 4, row.get(f"{name} sd")) for name in losses)]
        body.append(
            [
                *cells,
                *(f"{_number(row[name], 3, row.get(f'{name} sd'))} ({_number(row[f'{name} chance'], 3)})" for name in figures),
            ]
        )
    standards = [{row.get(f"{column} {baseline}") for row in rows} for column, _, baseline in _FIGURES]
    if all(len(one) == 1 for one in standards):
        body.append(["no training: cut, cosine, mean", "", "", "", "", *(_number(one.pop(), 3) for one in standards)])
    return head, body


def labels_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to call each row: its variant; of several of one variant also the model's name, or the run where these are alike."""
    variants = Counter(str(row["Variant"]) for row in rows)
    names = Counter(str(row.get("Name", "")) for row in rows)
    labels = []
    for row in rows:
        name = str(row.get("Name", ""))
        which = name if name and names[name] == 1 else "/".join(Path(str(row["Run"])).parts[-2:])
        labels.append(f"{row['Variant']} ({which})" if variants[str(row["Variant"])] > 1 else str(row["Variant"]))
    return labels


def moved_on(runs: Sequence[tuple[Path, Mapping[str, Any]]], models: Path) -> list[str]:
    """A sentence on each run whose model's place below ``models/`` holds another run's model by now."""
    notes = []
    for folder, facts in runs:
        own, there = facts.get("model_hash"), hash_there(models / str(facts["name"]))
        if facts.get("published", True) and there not in ("", own):
            notes.append(f"{models / str(facts['name'])} holds the model of another run by now; this table's is in {folder}.")
    return notes


def _number(value: Any, digits: int, spread: float | None = None) -> str:
    """A figure, with the standard deviation over seeds where there is one."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None else "")


def _escaped(cell: str) -> str:
    return cell.replace("&", r"\&").replace("%", r"\%").replace("_", r"\_").replace("±", r"$\pm$")
