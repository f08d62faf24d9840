"""What this machine offers: Python, libraries, archive readers, memory, disk; and what is missing for what.

Examples:
  comix doctor
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from comix import __version__
from comix.apps.common import say
from comix.paths import conf_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig

_PACKAGES = (
    "hydra-core", "opencv-python-headless", "pillow", "pandas", "pyarrow", "pymupdf", "py7zr", "rapidocr", "onnxruntime",
    "openai",
)  # fmt: skip
_RAR_READERS = ("bsdtar", "unar", "unrar", "7z", "7zz")


def main(cfg: DictConfig) -> int:
    """Print the findings; 0 when everything needed is there, 1 otherwise."""
    say(f"comix {__version__}, Python {platform.python_version()} on {platform.platform()}")
    say(f"config tree: {conf_dir()}")
    say(f"cores: {os.cpu_count()}; terminal: {'yes' if sys.stdout.isatty() else 'no'}")
    missing = [line for name in _PACKAGES for line in _package(name)]
    readers = [name for name in _RAR_READERS if shutil.which(name)]
    say(f"RAR readers: {', '.join(readers) if readers else 'none (CBR files will fail: install bsdtar or unar)'}")
    spelled = "yes" if importlib.util.find_spec("cv2") else "no"
    say(f"image decoder (OpenCV): {spelled}")
    _disk(Path(cfg.workspace))
    for line in missing:
        say(f"missing: {line}")
    say("All set." if not missing else "Install what is missing: pip install comix")
    return int(bool(missing))


def _package(name: str) -> list[str]:
    try:
        say(f"  {name:<24} {version(name)}")
    except PackageNotFoundError:
        return [name]
    return []


def _disk(folder: Path) -> None:
    where = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    free_gib = shutil.disk_usage(where).free / 2**30
    say(f"workspace {folder}: {free_gib:.1f} GiB free, {'writable' if os.access(where, os.W_OK) else 'NOT writable'}")
