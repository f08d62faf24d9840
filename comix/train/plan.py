"""What decides a training run, and finding the same one finished; without Lightning, so that "nothing to do" is quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import ComixError
from comix.core.files import digest, write_bytes
from comix.core.journal import Journal, Row
from comix.core.reasons import hint_for
from comix.data.lists import Rejected
from comix.data.page import PageExample
from comix.data.settings import DatasetSettings
from comix.models.frozen import IMAGE_ENCODER, TEXT_ENCODER
from comix.train.checkpoint import CARD, WEIGHTS, check_weights
from comix.train.metrics_file import METRICS, read_metrics, runs_of, write_state
from comix.train.objectives import Objective
from comix.train.settings import CsvLog, Optimisation, TrainerSettings, WandbLog

VERSION = 1
"""Raised when the same settings give other weights than before: finished runs are then trained anew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what a run gives.

    Attributes:
        name: folder below ``models/``.
        variant: the MPM variant's name.
        folder: the run folder.
        models: ``workspace/models``.
        runs: ``workspace/runs/train``, where earlier runs are looked for.
        config: the whole configuration, interpolations unresolved; for the logger.
        resume: ``auto``, ``never`` or a state file.
    """

    name: str
    variant: str
    folder: Path
    models: Path
    runs: Path
    epochs: int
    batch_size: int
    seed: int
    resume: str
    objective: Objective
    optimisation: Optimisation
    trainer: TrainerSettings
    log: CsvLog | WandbLog
    dataset: DatasetSettings
    model: Mapping[str, Any]
    config: Mapping[str, Any]

    def fingerprint(self, pages: Sequence[PageExample]) -> str:
        """A hash of the settings and pages: equal runs give equal weights."""
        content = [(page.page_id, page.sha256, [box.xywh for box in page.boxes], page.texts, page.direction) for page in pages]
        settings = [asdict(part) for part in (self.objective, self.optimisation, self.trainer, self.dataset)]
        return digest(
            VERSION, IMAGE_ENCODER, TEXT_ENCODER, self.name, self.epochs, self.batch_size, self.seed, settings,
            dict(self.model), content,
        )  # fmt: skip


def taken_over(plan: Plan, fingerprint: str) -> dict[str, Any] | None:
    """The metrics of a finished run of the same settings and pages, its files copied here; None when there is none."""
    if plan.resume != "auto":
        return None
    for earlier in runs_of(plan.runs, fingerprint, "done"):
        try:
            facts = read_metrics(earlier)
            check_weights(earlier)
        except ComixError:
            continue
        for name in (WEIGHTS, "history.csv", METRICS, CARD):
            if (earlier / name).is_file() and earlier != plan.folder:
                write_bytes(plan.folder / name, (earlier / name).read_bytes())
        publish(plan)
        write_state(plan.folder, fingerprint, "done")
        return facts
    return None


def publish(plan: Plan) -> None:
    """The checkpoint under its name for the stages that follow, weights before the card that names their hash."""
    target = plan.models / plan.name
    for name in (WEIGHTS, METRICS, CARD):
        write_bytes(target / name, (plan.folder / name).read_bytes())


def record_pages(path: Path, fingerprint: str, done: Sequence[PageExample], rejected: Sequence[Rejected]) -> None:
    """What became of each listed page, for `status` and `failures`; replaces what an earlier run said of them."""
    rows = [Row(page.page_id, "done", fingerprint=fingerprint) for page in done]
    rows += [
        Row(one.page_id or one.path, one.status, "", one.reason, one.detail, hint_for(one.reason), fingerprint)
        for one in rejected
    ]
    with Journal(path) as journal:
        journal.record((row, ()) for row in rows)
