"""What decides a training run, and finding the same one finished; without Lightning, so that "nothing to do" is quick."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from comix.core.errors import ComixError
from comix.core.files import digest, write_bytes
from comix.core.journal import Journal, Row
from comix.core.reasons import hint_for
from comix.data.lists import Rejected
from comix.data.page import PageExample
from comix.data.settings import DatasetSettings
from comix.data.sides import split_pages
from comix.data.split import Split
from comix.models.encoder_names import IMAGE_ENCODER, TEXT_ENCODER
from comix.train.card import check_weights, files_of
from comix.train.metrics_file import METRICS, read_metrics, runs_of, write_state
from comix.train.objectives import Objective
from comix.train.settings import CsvLog, Optimisation, TrainerSettings, WandbLog

VERSION = 3
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
        note: what the user has to know of the pages as a whole; "" for nothing.
        settings: what of the configuration decides the model, flat; see `comix.train.naming`.
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
    note: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self, pages: Sequence[PageExample], split: Split) -> str:
        """A hash of the settings, the weights started from, the pages and their sides: equal runs give equal weights."""
        content = [
            (page.page_id, page.sha256, [box.xywh for box in page.boxes], page.texts, page.direction, page.duplicate_group)
            for page in pages
        ]
        trainer = {key: value for key, value in asdict(self.trainer).items() if key != "publish"}
        settings = [asdict(self.objective), asdict(self.optimisation), trainer, asdict(self.dataset)]
        started_from = [_content_of(str(self.model.get(key, ""))) for key in ("vision_weights", "text")]
        return digest(
            VERSION, IMAGE_ENCODER, TEXT_ENCODER, self.name, self.epochs, self.batch_size, self.seed, settings,
            dict(self.model), started_from, content, split.digest(pages),
        )  # fmt: skip

    def split(self, pages: Sequence[PageExample]) -> Split:
        """Which pages train, validate and test."""
        split = split_pages(pages, self.dataset)
        return replace(split, note="; ".join(filter(None, [split.note, self.note])))


def _content_of(name: str) -> list[tuple[str, str]]:
    """Names and hashes of the files of a local model; nothing for one that is named otherwise."""
    path = Path(name).expanduser() if name else Path("none")
    files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path] if path.is_file() else []
    found = []
    for file in files:
        with file.open("rb") as stream:
            found.append((file.name, hashlib.file_digest(stream, "sha256").hexdigest()))
    return found


def is_first_process() -> bool:
    """Whether this process writes: the only one, or the first of several that train together."""
    return os.environ.get("RANK", "0") == "0"


def taken_over(plan: Plan, fingerprint: str, pages: Sequence[PageExample]) -> dict[str, Any] | None:
    """The metrics of a finished run of the same settings and pages, its files copied here; None when there is none.

    A run that had to leave out pages whose image could not be read is the same only as long as they cannot.
    """
    if plan.resume != "auto":
        return None
    for earlier in runs_of(plan.runs, fingerprint, "done"):
        try:
            facts = read_metrics(earlier)
            check_weights(earlier)
        except ComixError:
            continue
        if not _fail_still(facts, pages):
            continue
        if is_first_process():
            for file in (*files_of(earlier), earlier / "history.csv", earlier / METRICS):
                if file.is_file() and earlier != plan.folder:
                    write_bytes(plan.folder / file.relative_to(earlier), file.read_bytes())
            publish(plan)
            write_state(plan.folder, fingerprint, "done")
        return facts
    return None


def _fail_still(facts: Mapping[str, Any], pages: Sequence[PageExample]) -> bool:
    failed = {page_id for page_id, _, _ in facts.get("failed_pages", ())}
    if not failed:
        return True
    from comix.data.pixels import unreadable

    return {page_id for page_id, _, _ in unreadable([page for page in pages if page.page_id in failed])} == failed


def publish(plan: Plan) -> None:
    """The checkpoint under its name for the stages that follow, weights before the card that names their hash.

    A trial's (``trainer.publish`` false) is left in its run folder.
    """
    if not plan.trainer.publish:
        return
    target = plan.models / plan.name
    write_bytes(target / METRICS, (plan.folder / METRICS).read_bytes())
    for file in files_of(plan.folder):
        write_bytes(target / file.relative_to(plan.folder), file.read_bytes())


def record_pages(path: Path, fingerprint: str, done: Sequence[PageExample], rejected: Sequence[Rejected]) -> None:
    """What became of each listed page, for `status` and `failures`; replaces what an earlier run said of them."""
    rows = [Row(page.page_id, "done", fingerprint=fingerprint) for page in done]
    rows += [
        Row(one.page_id or one.path, one.status, "", one.reason, one.told, hint_for(one.reason), fingerprint)
        for one in rejected
    ]
    with Journal(path) as journal:
        journal.record((row, ()) for row in rows)
