"""From containers to training pages: how many are left after each step, and what became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from comix.report.logs import ReasonGroup, StageLog


@dataclass(frozen=True, slots=True)
class Part:
    """Some inputs that took another way; ``anchor`` is where the report lists them, "" for nowhere."""

    label: str
    n: int
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``n = before - sum(lost) + sum(gained)``.

    Attributes:
        n: what is left, None when the stage behind it has not run.
        stage: which stage that is.
        before: what the step started from.
        note: one sentence of explanation.
    """

    label: str
    n: int | None
    stage: str
    before: int = 0
    lost: tuple[Part, ...] = ()
    gained: tuple[Part, ...] = ()
    note: str = ""


def container_steps(containers: StageLog, members: StageLog) -> list[Step]:
    """Containers, members and pages."""
    opened = f"{containers.done:,} of them opened; they hold {members.inputs:,} files"
    return [
        Step("Containers", containers.inputs, "extract", containers.inputs, _parts(containers.groups), note=opened),
        Step("Files inside", members.inputs, "extract", members.inputs),
        Step("Pages", members.done, "extract", members.inputs, _parts(members.groups)),
    ]


def _parts(groups: Sequence[ReasonGroup]) -> tuple[Part, ...]:
    return tuple(Part(f"{group.status}: {group.reason}", group.n, group.anchor) for group in groups)


def page_steps(frame: pd.DataFrame, logs: dict[str, StageLog], has_training: bool) -> list[Step]:
    """Pages with panels, with text, with a DataSpec, of score 3 or better, and in the training list."""
    everything = pd.Series(data=True, index=frame.index)
    score = frame["score"].fillna(-1).astype(int)
    plain = score.map(lambda value: f"score {value}" if value >= 0 else "no DataSpec")
    plan = [
        ("Pages with panels", "detect", frame["n_panels"] > 0, _why(frame, "detect", "no panel found"), None),
        ("Pages with text", "analyze", frame["n_texts"] > 0, _why(frame, "analyze", "no text found"), "text without a panel"),
        ("DataSpecs", "align", frame["is_aligned"], _why(frame, "align", "not aligned"), "no text, aligned all the same"),
        ("Score 3 or better", "align", score >= 3, plain, None),
        ("Training pages", "training", frame["is_training"], _why_not_training(frame), "lower score, taken by min_score"),
    ]
    steps, before = [], everything
    for label, stage, after, why, gain in plan:
        if not (has_training if stage == "training" else stage in logs):
            steps.append(Step(label, None, "align" if stage == "training" else stage))
            continue
        groups = logs[stage].groups if stage in logs else []
        gained = (Part(gain or "found again", int((after & ~before).sum())),) if (after & ~before).any() else ()
        lost = _lost(why[before & ~after], groups)
        steps.append(Step(label, int(after.sum()), stage, int(before.sum()), lost, gained))
        before = after
    return steps


def _why(frame: pd.DataFrame, stage: str, otherwise: str) -> pd.Series[str]:
    return frame[f"why_{stage}"].where(frame[f"why_{stage}"] != "", otherwise)


def _why_not_training(frame: pd.DataFrame) -> pd.Series[str]:
    kind = "page type " + frame["page_type"].where(frame["page_type"] != "", "unknown")
    taken = frame["page_type"].isin(("interior", "splash"))
    why = kind.where(~taken, "not in the training list")
    return why.where(~frame["is_duplicate"].astype(bool), "duplicate of another page")


def _lost(why: pd.Series[str], groups: Sequence[ReasonGroup]) -> tuple[Part, ...]:
    anchors = {f"{group.status}: {group.reason}": group.anchor for group in groups}
    counts = why.value_counts()
    pairs = sorted(((str(label), int(n)) for label, n in counts.items()), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Part(label, n, anchors.get(label, "")) for label, n in pairs)
