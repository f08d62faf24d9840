"""Saved tables of trained models: the workspace made from pages by the table's own commands, then a run per row and seed."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from comix.bench.figures import Figure, Row
from comix.bench.reproduce import Result, judged, not_run
from comix.bench.table import BookSpec, LearningTable, TrainedRow
from comix.core.errors import ComixError, MissingInputError, UsageError
from comix.core.files import write_bytes
from comix.train.metrics_file import read_metrics

Command = Callable[[Sequence[str]], int]
"""Runs ``comix`` with these words; its exit code."""


@dataclass(frozen=True, slots=True)
class LearningBench:
    """Runs a table.

    Args:
        table: what is run; ``folder``: where it lies, with its name.
        data: folder that the library's files are below.
        workspace: where everything is made; what is there and finished is not made again.
        command: runs a stage.
        workers: trainings at a time.
    """

    table: LearningTable
    folder: Path
    data: Path
    workspace: Path
    command: Command
    workers: int = 2

    def run(self, only: Sequence[str] = ()) -> Iterator[Result]:
        """All rows that are trained, as they are done, then the baselines; quoted rows first.

        Args:
            only: names of rows to run; empty for all.

        Raises:
            UsageError: a stage of the preparation failed.
        """
        rows = [row for row in self.table.rows if not only or row.name in only]
        yield from (Result(Row(row.name, "", 0, row.quoted), f"quoted: {row.source}", True) for row in rows if row.quoted)
        trained = [row for row in rows if row.train] or [row for row in self.table.rows if row.train][:1]
        try:
            lay_out(self.table.library, self.data, self._library)
        except MissingInputError as error:
            yield from (not_run(row.name, "", f"data absent ({error})") for row in rows if not row.quoted)
            return
        self._prepare()
        facts: dict[str, Any] = {}
        jobs = [(row, seed) for row in trained for seed in self.table.seeds]
        with ThreadPoolExecutor(self.workers) as pool:
            for (row, seed), found in zip(jobs, pool.map(lambda job: self._trained(*job), jobs), strict=True):
                facts[f"{row.name} {seed}"] = found
                if seed == self.table.seeds[-1] and row in rows:
                    yield self._result(row, [facts[f"{row.name} {one}"] for one in self.table.seeds])
        some = next((found for found in facts.values() if isinstance(found, dict)), None)
        for row in rows:
            if row.baseline:
                figures = flat(some, row.baseline) if some is not None else {}
                yield judged(row.expected, self._allowed(row), self._row(row.name, [figures]))

    @property
    def _library(self) -> Path:
        return self.workspace.with_name(f"{self.workspace.name}-library")  # a stage reads no library inside a workspace

    def _prepare(self) -> None:
        for stage, *words in self.table.prepare:
            filled = [word.format(workspace=self.workspace, library=self._library, here=self.folder) for word in words]
            code = self.command([stage, *filled, f"workspace={self.workspace}"])
            if code:
                raise UsageError(f"comix {stage} {' '.join(filled)}: exit code {code}; see above, mend it and run again")

    def _trained(self, row: TrainedRow, seed: int) -> dict[str, Any] | str:
        """What the run says of itself, or what went wrong."""
        name = f"{self.folder.name}-{row.name.replace(' ', '_')}-{seed}"
        words = [word.format(workspace=self.workspace, library=self._library, here=self.folder) for word in self.table.train]
        more = [f"name={name}", "overwrite=true", f"seed={seed}", f"workspace={self.workspace}"]
        code = self.command(["train", *words, *row.train, *more])
        if code:
            return f"comix train {' '.join(row.train)} seed={seed}: exit code {code}"
        try:
            return read_metrics(self.workspace / "models" / name)
        except ComixError as error:
            return str(error)

    def _result(self, row: TrainedRow, found: Sequence[dict[str, Any] | str]) -> Result:
        broken = [one for one in found if isinstance(one, str)]
        if broken:
            return Result(Row(row.name, "", 0, {}), f"failed: {broken[0]}", False)
        made = self._row(row.name, [flat(one) for one in found if isinstance(one, dict)])
        return judged(row.expected, self._allowed(row), made)

    def _allowed(self, row: TrainedRow) -> float:
        return self.table.tolerance if row.tolerance is None else row.tolerance

    def _row(self, name: str, runs: Sequence[Mapping[str, Figure]]) -> Row:
        """Means over the runs, and their standard deviations."""
        figures: dict[str, Figure] = {}
        spread: dict[str, float] = {}
        for key in dict.fromkeys(key for run in runs for key in run):
            values = [float(value) for run in runs if (value := run.get(key)) is not None]
            if len(values) == len(runs):
                figures[key] = statistics.fmean(values)
                if len(values) > 1:
                    spread[key] = statistics.stdev(values)
        return Row(name, f"{len(runs)} seeds" if len(runs) > 1 else "", len(runs), figures, spread=spread)


def flat(facts: Mapping[str, Any], baseline: str = "") -> dict[str, Figure]:
    """Figures of a run, or of a baseline of its tests, as ``<test>.<figure>``; the run's losses as ``final.<loss>``.

    >>> flat({"final": {"rpp": 0.5}, "tests": {"a": {"figures": {"x": 1.0}, "baselines": {"chance": {"x": 0.1}}}}})
    {'final.rpp': 0.5, 'a.x': 1.0}
    """
    out: dict[str, Figure] = {} if baseline else {f"final.{name}": value for name, value in facts["final"].items()}
    for test, found in facts.get("tests", {}).items():
        figures = found["baselines"].get(baseline, {}) if baseline else found["figures"]
        out |= {f"{test}.{name}": value for name, value in figures.items()}
    return out


def lay_out(library: Mapping[str, BookSpec], data: Path, folder: Path) -> None:
    """Copy the pages of books into a library of one folder per book; what is there already stays.

    Raises:
        MissingInputError: a book has no file.
    """
    files = {book: sorted(one for name in spec.files for one in data.glob(name)) for book, spec in library.items()}
    lacking = [book for book, found in files.items() if not found]
    if lacking:
        raise MissingInputError(f"no {library[lacking[0]].files[0]} below {data}")
    for book, spec in library.items():
        target = folder / book
        target.mkdir(parents=True, exist_ok=True)
        for file in files[book]:
            if not (target / file.name).is_file():
                shutil.copyfile(file, target / file.name)
        if spec.manga and not (target / "ComicInfo.xml").is_file():
            text = f"<ComicInfo><Series>{escape(book)}</Series><Manga>YesAndRightToLeft</Manga></ComicInfo>\n"
            write_bytes(target / "ComicInfo.xml", text.encode())
