"""What the stage files share: typed options out of a config, and how a stage ends."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.core.errors import UsageError
from comix.core.shard import parse_shard
from comix.core.task import RunOptions
from comix.core.work import Summary
from comix.core.workspace import Workspace
from comix.schema import DEFAULT_DETECTOR

if TYPE_CHECKING:
    from omegaconf import DictConfig


def workspace_of(cfg: DictConfig) -> Workspace:
    """The workspace, created if absent and proved writable."""
    return Workspace(Path(cfg.workspace)).create()


def detections_of(cfg: DictConfig, workspace: Workspace) -> str:
    """The folder below ``detections/`` that a stage takes: the one named, else the one last worked on.

    Which one is said where there are several; where there is none, the default detector's name, which then is missed by name.
    """
    if cfg.detections:
        return str(cfg.detections)
    present = workspace.detectors_present()
    if not present:
        return DEFAULT_DETECTOR
    latest = max(present, key=lambda name: workspace.predictions(name).stat().st_mtime_ns)
    if len(present) > 1:
        say(f"boxes: detections/{latest} (last worked on of {len(present)}; detections=NAME takes another)")
    return latest


def run_options(cfg: DictConfig) -> RunOptions:
    """How the stage shall run."""
    shard = parse_shard(cfg.get("shard", ""))
    return RunOptions(cfg.workers, cfg.limit, cfg.retry, cfg.timeout_s, cfg.memory_mb, _typed_command(), shard)


def _typed_command() -> str:
    """The command as the user typed it, quoted for a shell; what starts the run again."""
    return " ".join(["comix", *map(shlex.quote, sys.argv[1:])])


def plain(config: Any) -> dict[str, Any]:
    """A config node as a plain mapping, interpolations resolved.

    Raises:
        UsageError: a key that must be given is missing.
    """
    from omegaconf import MissingMandatoryValue, OmegaConf

    try:
        value = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise UsageError(f"{error.full_key}= is missing; give it on the command line: {error.full_key}=VALUE") from error
    assert isinstance(value, dict)
    return {str(key): one for key, one in value.items()}


def finish(summary: Summary, workspace: Workspace) -> int:
    """Print what became of every input; the exit code."""
    say(summary.line())
    if summary.failed:
        say(f"  {summary.failed} failed: comix failures stage={summary.stage} {workspace_argument(workspace)}")
    if summary.not_reached:
        say(f"  interrupted; go on with: {_typed_command()}")
    return summary.exit_code


def workspace_argument(workspace: Workspace) -> str:
    """``workspace=DIR``, quoted for a shell."""
    return shlex.quote(f"workspace={workspace.root}")


def say(text: str = "") -> None:
    """One line of result on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def interrupted() -> int:
    """Say that training was interrupted and print the command that goes on; the exit code, or, in a sweep, the end of it.

    Raises:
        KeyboardInterrupt: in a sweep, whose other jobs must not start.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    say(f"train: interrupted, the state is saved; go on with: {shlex.join(['comix', *sys.argv[1:]])}")
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        raise KeyboardInterrupt
    return 130
