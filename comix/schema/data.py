"""What the data stages accept, from containers to the training list, and what other tools' formats go in and out as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from comix.schema.base import REQUIRED, ShardedConfig, StageConfig, one_of

FORMATS_WRITTEN = (
    "coco", "comix_xml", "manga109", "acbf", "json_sidecar", "imagefolder", "parquet", "webdataset",
)  # fmt: skip
FORMATS_READ = (*FORMATS_WRITTEN, "kumiko", "dcm772", "ebdtheque", "openmantra")


@dataclass
class ConvertConfig(ShardedConfig):
    """Keys of ``convert``."""

    library: str = REQUIRED
    source: str = ""
    output: str = ""
    render_long_side: int = 2200


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
class DetectConfig(ShardedConfig):
    """Keys of ``detect``."""

    detector: Any = None
    conf_threshold: float = 0.0
    save_vis: int = 0


@dataclass
class OrderConfig(ShardedConfig):
    """Keys of ``order``."""

    detections: str = ""
    method: str = one_of("auto", "cut", "graph", "rows", "center")
    direction: str = one_of("auto", "ltr", "rtl")
    pages: str = one_of("auto", "single", "double")
    look: int = 0
    boxes: str = ""
    output: str = ""


@dataclass
class AnalyzeConfig(ShardedConfig):
    """Keys of ``analyze``."""

    vlm: Any = None
    prompt: Any = None
    detections: str = ""
    output: str = ""
    error_log_dir: str = ""
    prices: str = ""
    dry_run: bool = False


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
class AlignConfig(ShardedConfig):
    """Keys of ``align``."""

    detections: str = ""
    reader: str = "ocr"
    min_det_score: float = 0.0
    min_text_coverage: float = 0.6
    min_score: int = 3
    require_image_exists: bool = False
    second_reader: str = ""
    min_order_agreement: float = 0.0
    min_mean_iou: float = 0.0
    min_text_agreement: float = 0.0
    emit: str = one_of("everything", "subset", "perfect", "near_perfect", "high", "medium", "low", "none")
    naming: str = one_of("preserve_tree", "hash")
    coco: str = ""
    vlm_dir: str = ""
    vlm_map: str = ""
    image_roots: str = ""
    root_map: str = ""
    panel_category_names: str = ""
    direction: str = one_of("auto", "ltr", "rtl")
    dataspec_list: str = ""
    subset_list: str = ""
    out_list: str = ""


@dataclass
class CurateConfig(ShardedConfig):
    """Keys of ``curate``."""

    detections: str = ""
    near: bool = True
    phash_radius: int = 12
    page_types: str = "interior,splash"
    subset: str = ""
    subset_name: str = ""


@dataclass
class ExportConfig(ShardedConfig):
    """Keys of ``export``."""

    format: str = one_of(REQUIRED, *FORMATS_WRITTEN)
    output: str = ""
    detections: str = ""
    include_images: bool = False
    id_map: str = one_of("comix", "training")
    pages_per_shard: int = 1000


@dataclass
class IngestConfig(ShardedConfig):
    """Keys of ``ingest``."""

    format: str = one_of(REQUIRED, *FORMATS_READ)
    input: str = REQUIRED
    name: str = ""
    image_root: str = ""
    book: str = ""
    book_map: str = ""
    first_page: Optional[int] = None  # noqa: UP045  (OmegaConf 2.3 reads Optional)
    language: str = ""
    box_format: str = one_of("", "xywh", "xyxy")
    detector: str = ""
    id_map: str = one_of("comix", "training")


@dataclass
class SynthConfig(ShardedConfig):
    """Keys of ``synth``."""

    factory: Any = None
    name: str = "pages"
    n_pages: int = 1000
    seed: int = 0
    long_side: int = 1000
    in_sequence: bool = False
    art: str = ""
    pages: str = ""
    detections: str = ""
    split: str = ""
    half: str = "tune"
    dataspec: bool = False
    save_vis: int = 0
