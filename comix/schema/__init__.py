"""What each stage accepts: one dataclass per stage, so that an unknown key is an error and every value has a type.

Standard library only: `comix --help` and the launcher's checks read it before anything heavy is imported.
"""

from __future__ import annotations

from dataclasses import fields

from comix.schema.base import StageConfig
from comix.schema.data import (
    AlignConfig,
    AnalyzeConfig,
    ConvertConfig,
    CurateConfig,
    DetectConfig,
    ExportConfig,
    ExtractConfig,
    IngestConfig,
    MapConfig,
    OrderConfig,
    SynthConfig,
)
from comix.schema.learn import CompareConfig, EmbedConfig, IndexConfig, SearchConfig, TrainConfig
from comix.schema.look import CheckConfig, DoctorConfig, FailuresConfig, ReportConfig, StatusConfig
from comix.schema.measure import EvaluateConfig, FixtureConfig, ReproduceConfig
from comix.schema.whole import DemoConfig, PipelineConfig

STAGES: dict[str, type[StageConfig]] = {
    "demo": DemoConfig,
    "pipeline": PipelineConfig,
    "convert": ConvertConfig,
    "extract": ExtractConfig,
    "detect": DetectConfig,
    "order": OrderConfig,
    "analyze": AnalyzeConfig,
    "map": MapConfig,
    "align": AlignConfig,
    "curate": CurateConfig,
    "train": TrainConfig,
    "compare": CompareConfig,
    "embed": EmbedConfig,
    "index": IndexConfig,
    "search": SearchConfig,
    "report": ReportConfig,
    "evaluate": EvaluateConfig,
    "reproduce": ReproduceConfig,
    "fixture": FixtureConfig,
    "export": ExportConfig,
    "ingest": IngestConfig,
    "synth": SynthConfig,
    "status": StatusConfig,
    "failures": FailuresConfig,
    "check": CheckConfig,
    "doctor": DoctorConfig,
}
"""Stage name -> its schema, in the order of the work."""

DEFAULT_DETECTOR = "ensemble"
"""What ``detect``, ``pipeline`` and ``demo`` take: the best on the labelled pages, see experiments/panels_open."""

NEEDS_NO_PAGES = frozenset({"evaluate", "reproduce"})
"""Stages that make their workspace: it only holds their run folders."""

LOOKS_ONLY = frozenset({"status", "failures", "check", "doctor", "search"})
"""Stages that only look: no run folder."""


SWEEPABLE = frozenset({"train"})
"""Stages whose jobs write into run folders of their own, so that ``-m`` over any key makes sense."""

RANGES: dict[str, tuple[float, float]] = {
    "workers": (0, float("inf")),
    "limit": (0, float("inf")),
    "timeout_s": (0.001, float("inf")),
    "memory_mb": (64, float("inf")),
    "conf_threshold": (0, 1),
    "min_det_score": (0, 1),
    "min_text_coverage": (0, 1),
    "min_order_agreement": (0, 1),
    "min_mean_iou": (0, 1),
    "min_text_agreement": (0, 1),
    "min_score": (0, 4),
    "save_vis": (0, float("inf")),
    "max_pages": (1, float("inf")),
    "render_long_side": (16, 20000),
    "top_k": (1, float("inf")),
    "batch_size": (1, float("inf")),
    "epochs": (1, float("inf")),
    "max_panels": (1, float("inf")),
    "n_pages": (1, float("inf")),
    "long_side": (200, 4000),
    "pages_per_shard": (1, float("inf")),
    "look": (0, 100),
    "n_resamples": (1, 1_000_000),
    "worst": (0, float("inf")),
}
"""Least and greatest value of a number, wherever it is a key."""


def leaves_no_trace(stage: str, words: list[str]) -> bool:
    """Whether a command works outside any workspace: no run folder, nothing written but what it was told to."""
    return (
        stage in LOOKS_ONLY
        or (stage == "analyze" and "dry_run=true" in [word.lower() for word in words])
        or (stage == "demo" and "credits=true" in [word.lower() for word in words])
        or (stage == "order" and any(word.startswith("boxes=") for word in words))
        or stage == "map"
        or (stage == "align" and any(word.startswith("dataspec_list=") for word in words))
    )


CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    (stage, one.name): one.metadata["choices"]
    for stage, schema in STAGES.items()
    for one in fields(schema)
    if "choices" in one.metadata
}
"""Values of closed choices; these may be swept with ``-m``, free text and paths may not."""

TEXT_LEAVES = frozenset({"path", "file", "folder", "dir", "text"})
"""Last part of a nested key (``detector.path``) that holds a path or free text."""


def text_keys(stage: str) -> set[str]:
    """Keys of a stage that hold a path or free text, which the launcher quotes before Hydra sees them."""
    schema = STAGES[stage]
    return {one.name for one in fields(schema) if one.type == "str" and (stage, one.name) not in CHOICES}


def key_names(stage: str) -> list[str]:
    """All top-level keys of a stage."""
    return [one.name for one in fields(STAGES[stage])]
