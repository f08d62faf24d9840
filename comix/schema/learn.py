"""What training, embedding and search accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from comix.schema.base import StageConfig, one_of


@dataclass
class TrainConfig(StageConfig):
    """Keys of ``train``."""

    name: str = ""
    overwrite: bool = False
    batch_size: int = 8
    epochs: int = 40
    lr: float = 0.001
    seed: int = 0
    resume: str = "auto"
    task: Any = None
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
    readers: str = ""
    format: str = one_of("table", "markdown", "csv", "latex", "json")
    output: str = ""


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
    level: str = one_of("auto", "panel", "page")
    series: str = ""
    page_type: str = ""
    name: str = ""
