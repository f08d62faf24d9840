"""Runs the rows of a saved table and says of each whether it came out as expected; data that is not there is never a pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from comix.bench.detection import detection_row, score_pages
from comix.bench.figures import Figure, Row
from comix.bench.order import countable, order_found, order_given, order_row
from comix.bench.table import RowSpec, TableSpec
from comix.bench.truth import TruthPage, read_truth
from comix.core.errors import ComixError, FileFormatError, ItemError, MissingInputError
from comix.detect.base import Detector
from comix.io.detections import PageDetections
from comix.io.images import read_bgr

Build = Callable[[Mapping[str, object]], Detector]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row.

    Attributes:
        row: its figures; empty where it did not run.
        state: ``within``, ``outside: ...``, ``measured`` (nothing expected), ``quoted``, ``failed: ...`` or ``not run: ...``.
        is_good: False for everything that must not pass: outside, failed, not run.
    """

    row: Row
    state: str
    is_good: bool


@dataclass
class Bench:
    """Runs rows on one data folder; what a detector found is kept for the next row.

    Args:
        table: what is run; ``folder``: where it lies, with its frozen configs.
        data: folder with the truth and the images.
        build: makes a detector of a config.
        n_resamples: draws of the bootstrap.
    """

    table: TableSpec
    folder: Path
    data: Path
    build: Build
    n_resamples: int = 1000
    _found: dict[str, _Found] = field(default_factory=dict)
    _truth: list[TruthPage] | None = None

    def run(self, extra: Mapping[str, Mapping[str, object]], only: Sequence[str] = ()) -> Iterator[Result]:
        """All rows, one at a time; then detectors that the table does not know, measured on all pages.

        Args:
            extra: name -> config of detectors beyond the table's.
            only: names of rows to run; empty for all.
        """
        for spec in self.table.rows:
            if not only or spec.name in only:
                yield self._result(spec, None)
        for name, config in extra.items():
            if not only or name in only:
                method = "auto" if self.table.task == "order" else None
                yield self._result(RowSpec(name=name, detector=name, method=method), config)

    def _result(self, spec: RowSpec, config: Mapping[str, object] | None) -> Result:
        if spec.quoted:
            return Result(Row(spec.name, spec.set, 0, spec.quoted), f"quoted: {spec.source}", True)
        try:
            pages = self._pages(spec.set)
        except MissingInputError as error:
            return not_run(spec.name, spec.set, f"data absent ({error})")
        if not spec.detector:
            assert spec.method is not None
            chosen = countable(pages)
            return _judged(spec, self.table.tolerance, order_row(spec.name, spec.set, order_given(chosen, spec.method)))
        try:
            found = self._detected(spec.detector, config)
        except (ComixError, ImportError) as error:
            return not_run(spec.name, spec.set, str(error))
        failed = [page.key for page in pages if page.key in found.failed]
        if failed:
            state = f"failed: {len(failed)} pages, first {failed[0]}: {found.failed[failed[0]]}"
            return Result(Row(spec.name, spec.set, len(pages), {}), state, False)
        return _judged(spec, self.table.tolerance, self._measured(spec, pages, found))

    def _measured(self, spec: RowSpec, pages: Sequence[TruthPage], found: _Found) -> Row:
        times: dict[str, Figure] = {
            "ms": 1000 * sum(found.seconds[page.key] for page in pages) / len(pages),
            "cpu_ms": 1000 * sum(found.cpu[page.key] for page in pages) / len(pages),
        }
        if self.table.task == "order":
            chosen = [(page, found.pages[page.key]) for page in countable(pages)]
            row = order_row(spec.name, spec.set, order_found(chosen, spec.method), self.n_resamples)
        else:
            scored = score_pages([(page, found.pages[page.key]) for page in pages])
            row = detection_row(spec.name, spec.set, scored, self.n_resamples)
        return replace(row, figures={**row.figures, **times})

    def _pages(self, name: str) -> list[TruthPage]:
        """Pages of a set, all of whose images are there.

        Raises:
            MissingInputError: truth or images are absent.
        """
        if self._truth is None:
            paths = [self.data / one for one in self.table.truth]
            absent = [str(path) for path in paths if not path.is_file()]
            if absent:
                raise MissingInputError(f"no {absent[0]}")
            self._truth = read_truth(paths)
        chosen = [page for page in self._truth if self.table.selects(name, page.truth_file, page.found.file_name)]
        if not chosen:
            raise MissingInputError(f"no page of set {name}")
        lacking = [page for page in chosen if not self._image(page).is_file()]
        if lacking:
            raise MissingInputError(f"{len(lacking)} of {len(chosen)} images, first {self._image(lacking[0])}")
        return chosen

    def _image(self, page: TruthPage) -> Path:
        return self.data / self.table.images / page.found.file_name

    def _detected(self, name: str, config: Mapping[str, object] | None) -> _Found:
        """What a detector finds on all pages whose image is there, computed once."""
        if name not in self._found:
            detector = self.build(config if config is not None else _read_config(self.folder / name))
            found = _Found()
            for page in self._truth or ():
                if self._image(page).is_file():
                    found.add(detector, page, self._image(page))
            self._found[name] = found
        return self._found[name]


@dataclass
class _Found:
    """Boxes, wall and processor seconds per page; and pages that failed with the reason."""

    pages: dict[str, PageDetections] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, detector: Detector, page: TruthPage, path: Path) -> None:
        """Detect on one page; decoding is not timed."""
        try:
            image = read_bgr(path)
            if not self.seconds:
                detector.detect(image)  # the first call pays for what is loaded late
            wall, processor = time.perf_counter(), time.process_time()
            boxes = detector.detect(image)
            self.seconds[page.key], self.cpu[page.key] = time.perf_counter() - wall, time.process_time() - processor
        except (ItemError, FileFormatError) as error:
            self.failed[page.key] = str(error)
            return
        self.pages[page.key] = PageDetections(page.key, page.found.width, page.found.height, tuple(boxes))


def _read_config(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise MissingInputError(f"no {path}")
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise FileFormatError(f"{path}: wanted a detector config, found {config!r}")
    return config


def not_run(name: str, group: str, why: str) -> Result:
    """A row that could not be measured, which is never a pass."""
    return Result(Row(name, group, 0, {}), f"not run: {why}", False)


def _judged(spec: RowSpec, tolerance: float, row: Row) -> Result:
    return judged(spec.expected, tolerance if spec.tolerance is None else spec.tolerance, row)


def judged(expected: Mapping[str, float], allowed: float, row: Row) -> Result:
    """The row with its verdict: every expected figure within tolerance."""
    off = []
    for key, wanted in expected.items():
        value = row.figures.get(key)
        if value is None or abs(value - wanted) > allowed + 1e-9:
            off.append(f"{key} {'absent' if value is None else f'{value:.4f}'}, expected {wanted:g} ± {allowed:g}")
    if off:
        return Result(row, "outside: " + "; ".join(off), False)
    return Result(row, "within" if expected else "measured", True)
