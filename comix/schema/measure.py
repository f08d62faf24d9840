"""What the stages accept that measure: evaluate, reproduce, fixture."""

from __future__ import annotations

from dataclasses import dataclass

from comix.schema.base import REQUIRED, StageConfig, one_of


@dataclass
class EvaluateConfig(StageConfig):
    """Keys of ``evaluate``."""

    target: str = one_of(REQUIRED, "detection", "order", "text", "cloze", "model")
    truth: str = ""
    predictions: str = ""
    detections: str = ""
    images: str = ""
    category: str = one_of("panel", "character", "balloon", "text", "onomatopoeia", "face")
    methods: str = "auto"
    readers: str = "ocr"
    analyses: str = ""
    language: str = ""
    checkpoint: str = ""
    folds: int = 5
    min_score: float = 0.0
    missing: str = one_of("empty", "leave_out")
    n_resamples: int = 1000
    worst: int = 12


@dataclass
class ReproduceConfig(StageConfig):
    """Keys of ``reproduce``."""

    table: str = REQUIRED
    data: str = ""
    experiments: str = ""
    rows: str = ""
    n_resamples: int = 1000
    workers: int = 2


@dataclass
class FixtureConfig(StageConfig):
    """Keys of ``fixture``."""

    page: str = REQUIRED
    detections: str = ""
    output: str = ""
    note: str = ""
    zip: bool = False
