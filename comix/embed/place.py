"""Where embeddings lie in a workspace, and which ones are meant when the user does not say."""

from __future__ import annotations

import time
from difflib import get_close_matches
from pathlib import Path

from comix.core.errors import MissingInputError, UsageError
from comix.core.files import json_bytes, read_json, write_bytes
from comix.core.workspace import Workspace
from comix.paths import bundled_model
from comix.train.card import CARD, identity

BUNDLED = "bundled"
"""Name of the checkpoint that comes with CoMix."""
STORE, TEXTS, INDEX, FINISHED = "embeddings.zarr", "text.parquet", "index", "embedded.json"


def embeddings_dir(workspace: Workspace, name: str) -> Path:
    """``embeddings/<name>``.

    Raises:
        UsageError: not a plain folder name.
    """
    if not name or Path(name).name != name or name.startswith(".") or "\\" in name:
        raise UsageError(f"name={name}: wanted a plain folder name below embeddings/, for example name=base")
    return workspace.root / "embeddings" / name


def choose_embeddings(workspace: Workspace, name: str) -> str:
    """The name given, if it is there; without one the newest.

    Raises:
        MissingInputError: nothing embedded yet, or not under this name.
    """
    present = {path.parent.name: path for path in workspace.root.glob(f"embeddings/*/{STORE}")}
    if not present:
        raise MissingInputError(f"workspace={workspace.root}: nothing is embedded yet; first run: comix embed")
    if not name:
        return max(present, key=lambda one: (_finished(present[one]), one))
    if name not in present:
        raise MissingInputError(f"name={name}: no such embeddings; this workspace has: {', '.join(sorted(present))}")
    return name


def find_checkpoint(workspace: Workspace, wanted: str) -> Path:
    """The folder of a checkpoint: by path, by name below ``models/``, ``bundled`` for CoMix's own, or the newest there.

    Raises:
        MissingInputError: none; names the command that makes one, or the ones that are there.
    """
    cards = {path.parent.name: path.parent for path in workspace.root.glob(f"models/*/{CARD}")}
    if not wanted:
        if not cards:
            raise MissingInputError(
                f"{workspace.root / 'models'}: no trained model yet; first run: comix train workspace={workspace.root}, "
                f"or take the one that comes with CoMix: checkpoint={BUNDLED}"
            )
        return max(cards.values(), key=lambda folder: ((folder / CARD).stat().st_mtime, folder.name))
    if wanted == BUNDLED and wanted not in cards:
        return bundled_model()
    path = Path(wanted).expanduser()
    folder = path.parent if path.is_file() else path
    if wanted in cards and not (folder / CARD).is_file():
        return cards[wanted]
    if not (folder / CARD).is_file():
        near = get_close_matches(wanted, cards, n=1)
        guess = f" (did you mean {near[0]!r}?)" if near else ""
        known = ", ".join(sorted(cards)) or "none yet"
        raise MissingInputError(
            f"checkpoint={wanted}: neither a folder with {CARD} nor a model in models/{guess}; there: {known}; "
            f"make one with: comix train, or take the one that comes with CoMix: checkpoint={BUNDLED}"
        )
    return folder


def choice_of_checkpoint(workspace: Workspace, checkpoint: Path, wanted: str) -> str:
    """Which model is taken and why, as `find_checkpoint` chose it."""
    n = len(list(workspace.root.glob(f"models/*/{CARD}")))
    if wanted:
        why = "as asked for"
    elif n == 1:
        why = "the only one in models/"
    else:
        why = f"the newest of {n} in models/; checkpoint=NAME takes another"
    return f"model {checkpoint.name} ({why})"


def is_of_another_model(folder: Path, checkpoint: Path) -> bool:
    """Whether the store in this folder was made with another model than this checkpoint's; False without a store."""
    if not (folder / STORE / "zarr.json").is_file():
        return False
    attributes = read_json(folder / STORE / "zarr.json").get("attributes", {})
    return str(attributes.get("model_hash")) != identity(checkpoint)


def mark_finished(folder: Path, model_hash: str) -> None:
    """Note that embeddings were written just now; the newest are what `index`, `search` and `report` take."""
    write_bytes(folder / FINISHED, json_bytes({"finished": time.time(), "model_hash": model_hash}))


def _finished(store: Path) -> float:
    """When a store was last written, in seconds since 1970; of one without the mark, when its newest chunk was."""
    mark = store.parent / FINISHED
    if mark.is_file():
        return float(read_json(mark)["finished"])
    return max((file.stat().st_mtime for file in (store / "status").rglob("*")), default=0.0)
