"""What the stages accept that only look: report, status, failures, check, doctor."""

from __future__ import annotations

from dataclasses import dataclass

from comix.schema.base import StageConfig, one_of


@dataclass
class ReportConfig(StageConfig):
    """Keys of ``report``."""

    detections: str = ""
    reader: str = "ocr"
    max_pages: int = 60
    title: str = ""
    credits: bool = False


@dataclass
class StatusConfig(StageConfig):
    """Keys of ``status``."""


@dataclass
class FailuresConfig(StageConfig):
    """Keys of ``failures``."""

    stage: str = ""
    skipped: bool = False
    format: str = one_of("table", "csv", "json")


@dataclass
class CheckConfig(StageConfig):
    """Keys of ``check``."""

    deep: bool = False
    format: str = one_of("table", "json")
    workers: int = 2
    timeout_s: float = 300.0
    memory_mb: int = 4096


@dataclass
class DoctorConfig(StageConfig):
    """Keys of ``doctor``."""
