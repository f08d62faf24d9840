"""What the stages accept that run all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from comix.schema.base import REQUIRED, WorkConfig, one_of


@dataclass
class PipelineConfig(WorkConfig):
    """Keys of ``pipeline``."""

    library: str = REQUIRED
    source: str = ""
    detector: Any = None
    vlm: Any = None
    prompt: Any = None
    mode: str = "copy"
    direction: str = one_of("auto", "ltr", "rtl")
    save_vis: int = 12
    title: str = ""
    until: str = one_of("index", "curate", "train")
    variants: str = "base"
    epochs: int = 40


@dataclass
class DemoConfig(PipelineConfig):
    """Keys of ``demo``."""

    workspace: str = "comix-demo"
    library: str = ""
    variants: str = "base,denoise,context_recon,denoise_context"
    credits: bool = False
