"""What all adapters share: where a checkpoint lies, what it is, which of its labels mean what, and on which device it runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.core.files import digest
from comix.core.geometry import Box
from comix.core.page import Detection
from comix.io.detections import CATEGORY_IDS

Image = NDArray[np.uint8]
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.py")


def transformers_folder(path: str) -> Path:
    """The folder of a transformers checkpoint: given, or a hub's name that was downloaded before.

    With ``HF_HUB_OFFLINE=0`` in the environment a hub's name is downloaded.

    Raises:
        MissingInputError: not on this machine; says how to have it.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MissingInputError(f"detector.path={path}: no config.json; wanted a checkpoint as save_pretrained writes it")
        return folder
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(path, allow_patterns=["*.json", "*.txt", "*.safetensors", "*.py", "*.model"]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise MissingInputError(
            f"detector.path={path}: no such folder, and no such checkpoint on this machine; give a local folder, "
            "or allow the download: HF_HUB_OFFLINE=0 comix detect ..."
        ) from error


def fingerprint_of(folder: Path) -> str:
    """Changes with the weights, the configuration and the code of a checkpoint."""
    files = sorted({file for pattern in (*_WEIGHTS, "*.json") for file in folder.glob(pattern)})
    return digest({file.name: sha256_of(file) for file in files})


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def trusted(path: Path, sha256: str) -> str:
    """The file's sha256, which the user has to have named: what can run code is opened only when it is the file meant.

    Raises:
        MissingInputError: no such file.
        UsageError: no sha256 given, or another; says which it has.
    """
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file; wanted a file of weights")
    found = sha256_of(path)
    if sha256.lower() != found:
        said = f"detector.sha256={sha256} is not that of" if sha256 else "detector.sha256 is missing for"
        raise UsageError(f"{said} {path}; if you trust the file, give detector.sha256={found}")
    return found


def checked_labels(labels: Mapping[str, str], key: str = "detector.labels") -> dict[str, str]:
    """A checkpoint's label, in lower case, to our category.

    Raises:
        UsageError: a category that there is not.
    """
    for label, category in labels.items():
        if category not in CATEGORY_IDS:
            raise UsageError(f"{key}.{label}={category}: no such category; there are {', '.join(CATEGORY_IDS)}")
    return {label.casefold(): category for label, category in labels.items()}


def wanted_labels(labels: Mapping[str, str], names: Iterable[str], where: str) -> dict[str, str]:
    """Those of a checkpoint's own labels that have a category, see `checked_labels`.

    Raises:
        FileFormatError: it has none of them; says which it has.
    """
    have = list(names)
    found = {name: labels[name.casefold()] for name in have if name.casefold() in labels}
    if not found:
        raise FileFormatError(
            f"{where}: has none of the labels {', '.join(labels)}; it has {', '.join(have[:30])}: "
            "say what they are with detector.labels={label: panel}"
        )
    return found


def device_of(device: str) -> str:
    """``auto`` is ``cuda`` where there is one, else ``cpu``."""
    import torch

    return device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def rgb(image: Image) -> Image:
    """``(h, w, 3)`` BGR to RGB."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def batches(images: Sequence[Image], size: int) -> Iterable[Sequence[Image]]:
    """Runs of at most so many."""
    return (images[start : start + size] for start in range(0, len(images), size))


def detection(corners: Sequence[float], score: float, category: str) -> Detection:
    """One box from ``(left, top, right, bottom)`` in pixels; scores in 0 to 1."""
    left, top, right, bottom = (float(value) for value in corners)
    return Detection(Box.from_xyxy(left, top, max(left, right), max(top, bottom)), round(float(score), 4), category)


def surest_first(found: Iterable[Detection]) -> list[Detection]:
    """By falling score."""
    return sorted(found, key=lambda one: -one.score)


Loaded = Any
"""A model of a library without types."""
