"""From ``comix STAGE key=value ...`` to the stage's ``main(cfg)``, through Hydra; secrets are refused before it starts."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.compose import check_ranges, checked_override, compose, expanded, one_line, register_schemas
from comix.core.errors import ComixError, FileFormatError, MissingInputError, SecretOnCommandLineError, UsageError
from comix.core.workspace import Workspace
from comix.intake.library import check_library
from comix.paths import conf_dir
from comix.schema import (
    CHOICES,
    NEEDS_NO_PAGES,
    STAGES,
    SWEEPABLE,
    TEXT_LEAVES,
    key_names,
    leaves_no_trace,
    text_keys,
)
from comix.schema.base import REQUIRED

if TYPE_CHECKING:
    from omegaconf import DictConfig

_SECRET_KEY = re.compile(r"(api[_-]?keys?|token|secrets?|password|passwd|credentials?)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"(?<![\w/.-])(sk-(?=[\w-]*\d)[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|AIza[\w-]{20,}|AKIA[A-Z0-9]{12,})"
)


def launch(stage: str, words: list[str]) -> int:
    """Run a stage; the exit code. A user's mistake is one line on standard error and exit code 2."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before anything imports the hub's client; HF_HUB_OFFLINE=0 allows downloads
    try:
        words = named_text(words) if stage == "search" else words
        refuse_secrets(words)
        if stage == "rerun":
            stage, words = _rerun_words(words)
        multirun = any(word in ("-m", "--multirun") for word in words)
        overrides = [checked_override(stage, word) for word in words if word not in ("-m", "--multirun")]
        _require_keys(stage, words)
        _refuse_lost_sweep(stage, words, multirun)
        if leaves_no_trace(stage, words):
            return _look(stage, words)
        _check_places(stage, words)
        return _run(stage, overrides, multirun)
    except ComixError as error:
        sys.stderr.write(f"comix {stage}: {error}\n")
        return 2


def named_text(words: list[str]) -> list[str]:
    """The words of ``comix search`` with its text, an ordinary argument of any characters, as ``text=...``.

    >>> named_text(["E=mc², isn't it?", "top_k=5"])
    ["text=E=mc², isn't it?", 'top_k=5']

    Raises:
        UsageError: two texts, or an argument that may be a mistyped key.
    """
    keys = key_names("search")
    texts = []
    for word in words:
        key, equals, _ = word.partition("=")
        if equals and (key.split(".")[0] in keys or key.startswith("hydra")):
            continue
        near = get_close_matches(key, keys, n=1, cutoff=0.7) if equals else []
        if near:
            raise UsageError(f"unknown key {key!r} (did you mean {near[0]!r}?); if it is the text itself: text={word!r}")
        texts.append(word)
    if len(texts) > 1:
        raise UsageError(f"{len(texts)} texts: {', '.join(map(repr, texts))}; wanted one: comix search {' '.join(texts)!r}")
    if texts and any(word.startswith("text=") for word in words):
        raise UsageError(f"{texts[0]!r} and text= are both given; wanted one text")
    shield = {word: " " for word in texts if word == "null" or word.startswith("~")}  # neither nothing nor a home folder
    return [f"text={shield.get(word, '')}{word}" if word in texts else word for word in words]


def refuse_secrets(words: Iterable[str]) -> None:
    """Stop before anything is written when an argument holds a key or token.

    Raises:
        SecretOnCommandLineError: without repeating the value.
    """
    for word in words:
        key, _, value = word.partition("=")
        flag = key.lstrip("+-~")
        if _SECRET_VALUE.search(word) or (_SECRET_KEY.search(flag) and value):
            raise SecretOnCommandLineError(
                f"{flag.split('sk-')[0] or 'an argument'}: a secret was given on the command line and was refused; nothing was "
                "written. Put it into an environment variable and name that variable in the config (its name, not its value)."
            )


def refuse_secrets_or_exit(words: Iterable[str]) -> None:
    """`refuse_secrets` for a command that has no stage yet: ends the program with exit code 2."""
    try:
        refuse_secrets(words)
    except SecretOnCommandLineError as error:
        sys.stderr.write(f"comix: {error}\n")
        raise SystemExit(2) from None


def _value_of(stage: str, words: list[str], key: str, required: bool = True) -> str:
    """The value a path key will have: the last one given, else the stage's default; ``~`` expanded."""
    given = [word.partition("=")[2] for word in words if word.partition("=")[0] == key]
    default = next(str(one.default) for one in STAGES[stage].__dataclass_fields__.values() if one.name == key)
    value = given[-1] if given else default
    if required and (not value or (key == "workspace" and "${" in value)):
        what = "is empty" if not value else "holds '${', which the config language would read as a reference"
        raise UsageError(f"{key}={value}: {what}; wanted the name of a folder")
    return expanded(value)


def _require_keys(stage: str, words: list[str]) -> None:
    given = {word.partition("=")[0] for word in words if word.partition("=")[2]}
    for one in STAGES[stage].__dataclass_fields__.values():
        if one.default == REQUIRED and one.name not in given:
            raise UsageError(f"{one.name}= is missing or empty; wanted: comix {stage} {one.name}=FOLDER")


def _refuse_lost_sweep(stage: str, words: list[str], multirun: bool) -> None:
    """Stop a sweep whose jobs would write the same files one after another, and a list of choices without ``-m``.

    Raises:
        UsageError: names the way that works.
    """
    swept = [word.partition("=")[0] for word in words if "," in word.partition("=")[2]]
    swept = [key for key in swept if (stage, key) in CHOICES or (conf_dir() / key).is_dir()]
    if swept and not multirun:
        raise UsageError(f"{swept[0]}: several choices make a sweep; add -m")
    if multirun and stage not in SWEEPABLE and not all((conf_dir() / key).is_dir() for key in swept):
        raise UsageError(
            f"-m over {', '.join(swept)}: each job would replace the files of the one before; use one workspace each"
        )


def _check_places(stage: str, words: list[str]) -> None:
    """The library is there and the workspace can be written, before anything is; only intake makes a workspace.

    Raises:
        MissingInputError: no such library, or a workspace that no stage has filled yet.
        WorkspaceError: the workspace cannot be written.
    """
    workspace = Workspace(Path(_value_of(stage, words, "workspace")))
    foreign = [key for key in ("coco", "art") if key in key_names(stage) and _value_of(stage, words, key, required=False)]
    makes_workspace = "library" in key_names(stage) or bool(foreign) or stage in NEEDS_NO_PAGES
    if "library" in key_names(stage) and _value_of(stage, words, "library", required=False):
        check_library(Path(_value_of(stage, words, "library")))
    if not makes_workspace and not workspace.root.exists():
        raise MissingInputError(
            f"workspace={workspace.root}: no such folder; first run: comix extract library=FOLDER workspace={workspace.root}"
        )
    workspace.create()


def _rerun_words(words: list[str]) -> tuple[str, list[str]]:
    """Stage and overrides of an earlier run, newer ones after them."""
    if not words or "=" in words[0]:
        raise UsageError("rerun: wanted a run folder: comix rerun RUN_DIR [key=value ...]")
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    record = Path(words[0]) / ".hydra"
    if not (record / "hydra.yaml").is_file():
        jobs = sorted(path.parent.parent.name for path in Path(words[0]).glob("*/.hydra/hydra.yaml"))
        hint = f"it is a sweep: name one of its jobs, {words[0]}/{jobs[0]}" if jobs else "run folders lie in WORKSPACE/runs/"
        raise MissingInputError(f"{words[0]}: not a run folder (no {record / 'hydra.yaml'}); {hint}")
    try:
        stage = str(OmegaConf.load(record / "hydra.yaml").hydra.job.config_name)
    except (YAMLError, OmegaConfBaseException) as error:
        raise FileFormatError(f"{record / 'hydra.yaml'}: not the record of a run ({one_line(error)})") from error
    if stage not in STAGES:
        raise FileFormatError(f"{record / 'hydra.yaml'}: names the stage {stage!r}, which this version does not have")
    saved: Any = OmegaConf.load(record / "config.yaml")
    keys = key_names(stage)
    texts = text_keys(stage)
    replay = []
    for word in map(str, OmegaConf.load(record / "overrides.yaml")):
        key = word.partition("=")[0]
        nested_text = "." in key and key.rpartition(".")[2] in TEXT_LEAVES
        if nested_text:
            replay.append(f"{key}={OmegaConf.select(saved, key)}")
        elif key not in texts:
            replay.append(word)
    replay += [f"{key}={saved[key]}" for key in keys if key in texts and key in saved and saved[key] is not None]
    return stage, [*replay, *words[1:]]


def _run(stage: str, overrides: list[str], multirun: bool) -> int:
    """Hydra's run or sweep; `sys.argv` inside the job is what the user typed (Lightning's DDP executes it again)."""
    from hydra._internal.hydra import Hydra  # what hydra.main calls; hydra.main itself parses argv and exits
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    register_schemas()
    OmegaConf.register_new_resolver("fresh_run", cache(_fresh_run), replace=True)
    codes: list[int] = []

    def job(cfg: DictConfig) -> int:
        from hydra.core.hydra_config import HydraConfig

        codes.append(_run_app(stage, cfg, Path(HydraConfig.get().runtime.output_dir)))
        return codes[-1]

    try:
        hydra = Hydra.create_main_hydra2(stage, create_config_search_path(str(conf_dir())))
        run = hydra.multirun if multirun else hydra.run
        mode = "MULTIRUN" if multirun else "RUN"
        result = run(config_name=stage, task_function=job, overrides=[*overrides, f"hydra.mode={mode}"])
        for one in _flat(result):
            _ = one.return_value  # raises what the job raised
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(one_line(error)) from error
    finally:
        GlobalHydra.instance().clear()
    return max(codes, default=0)


def _fresh_run(wanted: str) -> str:
    """A run folder that no other run has: the one wanted, or with ``_2``, ``_3``, .. after it; made here.

    Processes that only help the first one of a data-parallel training write nothing: they take the name as it is.
    """
    if os.environ.get("RANK", "0") != "0":
        return wanted
    for number in count(1):
        folder = Path(wanted if number == 1 else f"{wanted}_{number}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        break
    return str(folder)


def _drop_record(folder: Path) -> None:
    """Take away the run folder of a command that never started to work: it holds Hydra's record and nothing else."""
    found = {one.name for one in folder.iterdir() if one.suffix != ".log" or one.stat().st_size}
    if found != {".hydra"}:
        return
    shutil.rmtree(folder)
    if [one.name for one in folder.parent.iterdir()] == ["multirun.yaml"]:
        shutil.rmtree(folder.parent)


def _flat(result: Any) -> list[Any]:
    return [one for part in result for one in _flat(part)] if isinstance(result, list | tuple) else [result]


def _run_app(stage: str, cfg: DictConfig, record: Path | None = None) -> int:
    """Run the stage's app; ``record`` is the run folder, which a mistaken command does not keep."""
    try:
        check_ranges(cfg)
        return int(importlib.import_module(f"comix.apps.{stage}").main(cfg))
    except ComixError as error:
        sys.stderr.write(f"comix {stage}: {error}\n")
        if record is not None and isinstance(error, UsageError | MissingInputError):
            _drop_record(record)
        return 2


def _look(stage: str, words: list[str]) -> int:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        cfg = compose(stage, words)
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(one_line(error)) from error
    return _run_app(stage, cfg)
