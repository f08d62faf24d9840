"""What each stage accepts: one dataclass per stage, so that an unknown key is an error and every value has a type.

Standard library only: `comix --help` and the launcher's checks read it before anything heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Optional

REQUIRED = "???"
"""OmegaConf's mark for a value that the user must give."""


@dataclass
class StageConfig:
    """Keys that every stage has."""

    workspace: str = "workspace"


@dataclass
class WorkConfig(StageConfig):
    """Keys of a stage that works through many inputs; same names and meaning everywhere."""

    workers: int = 2
    limit: Optional[int] = None  # noqa: UP045  (OmegaConf 2.3 reads Optional)
    retry: str = ""
    timeout_s: float = 300.0
    memory_mb: int = 4096


@dataclass
class ShardedConfig(WorkConfig):
    """Keys of a stage whose work several machines may share."""

    shard: str = ""


@dataclass
class ExtractConfig(ShardedConfig):
    """Keys of ``extract``."""

    library: str = REQUIRED
    source: str = ""
    render_long_side: int = 2200
    mode: str = "copy"
    check: str = "decode"
    file_names: str = "comix"


@dataclass
class ConvertConfig(ShardedConfig):
    """Keys of ``convert``."""

    library: str = REQUIRED
    source: str = ""
    output: str = ""
    render_long_side: int = 2200


@dataclass
class DetectConfig(ShardedConfig):
    """Keys of ``detect``."""

    detector: Any = None
    conf_threshold: float = 0.0
    save_vis: int = 0


@dataclass
class OrderConfig(ShardedConfig):
    """Keys of ``order``."""

    detections: str = "gutter"
    method: str = "cut"
    direction: str = "auto"
    boxes: str = ""
    output: str = ""


@dataclass
class AnalyzeConfig(ShardedConfig):
    """Keys of ``analyze``."""

    vlm: Any = None
    detections: str = "gutter"


@dataclass
class AlignConfig(ShardedConfig):
    """Keys of ``align``."""

    detections: str = "gutter"
    reader: str = "ocr"
    min_det_score: float = 0.0
    min_text_coverage: float = 0.6
    min_score: int = 3
    require_image_exists: bool = False
    second_reader: str = ""
    min_order_agreement: float = 0.0
    min_mean_iou: float = 0.0
    min_text_agreement: float = 0.0
    emit: str = "everything"
    naming: str = "preserve_tree"
    coco: str = ""
    vlm_dir: str = ""
    vlm_map: str = ""
    image_roots: str = ""
    root_map: str = ""
    panel_category_names: str = ""
    direction: str = "auto"
    dataspec_list: str = ""
    subset_list: str = ""
    out_list: str = ""


@dataclass
class MapConfig(StageConfig):
    """Keys of ``map``."""

    vlm_dir: str = REQUIRED
    image_roots: str = ""
    coco: str = ""
    vlm_map: str = ""
    root_map: str = ""
    output: str = "json_to_image.json"


@dataclass
class CurateConfig(WorkConfig):
    """Keys of ``curate``."""

    detections: str = "gutter"
    near: bool = True
    phash_radius: int = 12
    page_types: str = "interior,splash"
    subset: str = ""
    subset_name: str = ""


@dataclass
class EmbedConfig(StageConfig):
    """Keys of ``embed``."""

    checkpoint: str = ""
    name: str = ""
    list: str = "lists/dataspec_all_list.txt"
    image_root: str = ""
    max_panels: int = 12
    batch_size: int = 32
    device: str = "auto"
    skeleton: bool = False
    overwrite: bool = False
    shard: str = ""
    limit: Optional[int] = None  # noqa: UP045  (OmegaConf 2.3 reads Optional)
    retry: str = ""


@dataclass
class IndexConfig(StageConfig):
    """Keys of ``index``."""

    name: str = ""
    overwrite: bool = False


@dataclass
class SearchConfig(StageConfig):
    """Keys of ``search``."""

    text: str = ""
    image: str = ""
    like: str = ""
    top_k: int = 10
    level: str = "auto"
    series: str = ""
    page_type: str = ""
    name: str = ""


@dataclass
class TrainConfig(StageConfig):
    """Keys of ``train``."""

    name: str = ""
    batch_size: int = 8
    epochs: int = 40
    lr: float = 0.001
    seed: int = 0
    resume: str = "auto"
    dataset: Any = None
    model: Any = None
    objective: Any = None
    mpm_variant: Any = None
    trainer: Any = None
    logger: Any = None
    optimisation: Any = None
    experiment: Any = None


@dataclass
class CompareConfig(StageConfig):
    """Keys of ``compare``."""

    runs: str = ""
    format: str = "table"
    output: str = ""


@dataclass
class ReportConfig(StageConfig):
    """Keys of ``report``."""

    detections: str = "gutter"
    reader: str = "ocr"
    max_pages: int = 60
    title: str = ""
    credits: bool = False


@dataclass
class PipelineConfig(WorkConfig):
    """Keys of ``pipeline``."""

    library: str = REQUIRED
    source: str = ""
    detector: Any = None
    vlm: Any = None
    mode: str = "copy"
    direction: str = "auto"
    save_vis: int = 12
    title: str = ""
    until: str = "index"
    variants: str = "base"
    epochs: int = 40


@dataclass
class DemoConfig(PipelineConfig):
    """Keys of ``demo``."""

    workspace: str = "comix-demo"
    library: str = ""
    variants: str = "base,denoise,context_recon,denoise_context"
    credits: bool = False


@dataclass
class ExportConfig(WorkConfig):
    """Keys of ``export``."""

    format: str = REQUIRED
    output: str = ""
    detections: str = "gutter"
    include_images: bool = False
    id_map: str = "comix"
    pages_per_shard: int = 1000


@dataclass
class IngestConfig(WorkConfig):
    """Keys of ``ingest``."""

    format: str = REQUIRED
    input: str = REQUIRED
    name: str = ""
    image_root: str = ""
    book: str = ""
    book_map: str = ""
    first_page: Optional[int] = None  # noqa: UP045  (OmegaConf 2.3 reads Optional)
    language: str = ""
    box_format: str = ""
    detector: str = ""
    id_map: str = "comix"


@dataclass
class StatusConfig(StageConfig):
    """Keys of ``status``."""


@dataclass
class CheckConfig(StageConfig):
    """Keys of ``check``."""

    deep: bool = False
    format: str = "table"
    workers: int = 2
    timeout_s: float = 300.0
    memory_mb: int = 4096


@dataclass
class FailuresConfig(StageConfig):
    """Keys of ``failures``."""

    stage: str = ""
    skipped: bool = False
    format: str = "table"


@dataclass
class DoctorConfig(StageConfig):
    """Keys of ``doctor``."""


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
    "export": ExportConfig,
    "ingest": IngestConfig,
    "status": StatusConfig,
    "failures": FailuresConfig,
    "check": CheckConfig,
    "doctor": DoctorConfig,
}
"""Stage name -> its schema, in the order of the work."""

LOOKS_ONLY = frozenset({"status", "failures", "check", "doctor", "search"})


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
    "pages_per_shard": (1, float("inf")),
}
"""Least and greatest value of a number, wherever it is a key."""


def leaves_no_trace(stage: str, words: list[str]) -> bool:
    """Whether a command works outside any workspace: no run folder, nothing written but what it was told to."""
    return (
        stage in LOOKS_ONLY
        or (stage == "demo" and "credits=true" in [word.lower() for word in words])
        or (stage == "order" and any(word.startswith("boxes=") for word in words))
        or stage == "map"
        or (stage == "align" and any(word.startswith("dataspec_list=") for word in words))
    )


FORMATS_WRITTEN = (
    "coco", "comix_xml", "manga109", "acbf", "json_sidecar", "imagefolder", "parquet", "webdataset",
)  # fmt: skip
FORMATS_READ = (*FORMATS_WRITTEN, "kumiko", "dcm772", "ebdtheque", "openmantra")

CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("export", "format"): FORMATS_WRITTEN,
    ("export", "id_map"): ("comix", "training"),
    ("ingest", "format"): FORMATS_READ,
    ("ingest", "id_map"): ("comix", "training"),
    ("ingest", "box_format"): ("", "xywh", "xyxy"),
    ("order", "method"): ("rows", "cut"),
    ("order", "direction"): ("auto", "ltr", "rtl"),
    ("align", "direction"): ("auto", "ltr", "rtl"),
    ("align", "emit"): ("everything", "subset", "perfect", "near_perfect", "high", "medium", "low", "none"),
    ("align", "naming"): ("preserve_tree", "hash"),
    ("pipeline", "until"): ("curate", "train", "index"),
    ("demo", "until"): ("curate", "train", "index"),
    ("pipeline", "direction"): ("auto", "ltr", "rtl"),
    ("demo", "direction"): ("auto", "ltr", "rtl"),
    ("search", "level"): ("auto", "panel", "page"),
    ("check", "format"): ("table", "json"),
    ("failures", "format"): ("table", "csv", "json"),
    ("compare", "format"): ("table", "markdown", "csv", "latex", "json"),
}
"""Values of closed choices; these may be swept with ``-m``, free text and paths may not."""

TEXT_LEAVES = frozenset({"path", "file", "folder", "dir"})
"""Last part of a nested key (``detector.path``) that holds a path or free text."""


def text_keys(stage: str) -> set[str]:
    """Keys of a stage that hold a path or free text, which the launcher quotes before Hydra sees them."""
    schema = STAGES[stage]
    return {one.name for one in fields(schema) if one.type == "str" and (stage, one.name) not in CHOICES}


def key_names(stage: str) -> list[str]:
    """All top-level keys of a stage."""
    return [one.name for one in fields(STAGES[stage])]
