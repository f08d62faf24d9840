"""The state that a run resumes from: written whole or not at all, and read only by the run that it fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import atomic_writer

LAST = "last.ckpt"


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's states, written beside their place and renamed: a kill never leaves a torn one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a state.

        Raises:
            OSError: it cannot be written, as when the disk is full; torch by itself says something else then.
        """
        with atomic_writer(Path(path)) as stream:
            noting = _Noting(stream)
            try:
                torch.save(checkpoint, cast("IO[bytes]", noting))
            except RuntimeError:
                if noting.error is not None:
                    raise noting.error from None
                raise


class _Noting:
    """A stream that keeps the error of a failed write."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._stream.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._stream.flush()


def check_state(path: Path, weights: Mapping[str, Any], batches: str) -> None:
    """Refuse a state that this run cannot go on from, before Lightning starts.

    Args:
        path: of the state.
        weights: of this run's model.
        batches: what the state must say of the batches it was made with, see `PageData.digest`.

    Raises:
        MissingInputError: not there.
        FileFormatError: not a state, or of another model, other pages or other batches.
    """
    if not path.is_file():
        raise MissingInputError(f"resume={path}: no such file; wanted {LAST} of a run folder (runs/train/...)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = {name.removeprefix("model."): tuple(value.shape) for name, value in state["state_dict"].items()}
        batches_then = str(state.get("comix", {}).get("batches", batches))
    except Exception as error:
        raise FileFormatError(f"resume={path}: not a state of Lightning ({type(error).__name__}); wanted {LAST}") from error
    ours = {name: tuple(value.shape) for name, value in weights.items()}
    if theirs != ours:
        odd = sorted(set(theirs.items()) ^ set(ours.items()))
        raise FileFormatError(
            f"resume={path}: is a state of another model or variant ({len(odd)} weights differ, first {odd[0][0]}); "
            "give the same model= and mpm_variant= as in that run"
        )
    if batches_then != batches:
        raise FileFormatError(
            f"resume={path}: was trained on other pages, another split or other batches, and would go on amid them; "
            "give the same dataset=, batch_size=, seed= and trainer= as in that run, or start anew with resume=never"
        )
