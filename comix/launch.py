"""From ``comix STAGE key=value ...`` to the stage's ``main(cfg)``, through Hydra; secrets are refused before it starts."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.compose import checked_override, compose, one_line, register_schemas
from comix.core.errors import ComixError, MissingInputError, SecretOnCommandLineError, UsageError
from comix.core.workspace import Workspace
from comix.paths import conf_dir
from comix.schema import REQUIRED, STAGES, key_names, leaves_no_trace, text_keys

if TYPE_CHECKING:
    from omegaconf import DictConfig

_SECRET_KEY = re.compile(r"(api[_-]?key|token|secret|password|passwd|credential)s?$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{8,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|AIza[\w-]{20,}|AKIA[A-Z0-9]{12,})"
)


def launch(stage: str, words: list[str]) -> int:
    """Run a stage; the exit code. A user's mistake is one line on standard error and exit code 2."""
    try:
        refuse_secrets(words)
        if stage == "rerun":
            stage, words = _rerun_words(words)
        multirun = any(word in ("-m", "--multirun") for word in words)
        overrides = [checked_override(stage, word) for word in words if word not in ("-m", "--multirun")]
        _require_keys(stage, words)
        if leaves_no_trace(stage, words):
            return _look(stage, words)
        Workspace(Path(_value_of(stage, words, "workspace"))).create()
        return _run(stage, overrides, multirun)
    except ComixError as error:
        sys.stderr.write(f"comix {stage}: {error}\n")
        return 2


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


def _value_of(stage: str, words: list[str], key: str) -> str:
    """The value a key will have: the last one given, else the stage's default."""
    given = [word.partition("=")[2] for word in words if word.partition("=")[0] == key]
    default = next(str(one.default) for one in STAGES[stage].__dataclass_fields__.values() if one.name == key)
    value = given[-1] if given else default
    if not value or "${" in value:
        what = "is empty" if not value else "holds '${', which the config language would read as a reference"
        raise UsageError(f"{key}={value}: {what}; wanted the name of a folder")
    return value


def _require_keys(stage: str, words: list[str]) -> None:
    given = {word.partition("=")[0] for word in words if word.partition("=")[2]}
    for one in STAGES[stage].__dataclass_fields__.values():
        if one.default == REQUIRED and one.name not in given:
            raise UsageError(f"{one.name}= is missing or empty; wanted: comix {stage} {one.name}=FOLDER")


def _rerun_words(words: list[str]) -> tuple[str, list[str]]:
    """Stage and overrides of an earlier run, newer ones after them."""
    if not words or "=" in words[0]:
        raise UsageError("rerun: wanted a run folder: comix rerun RUN_DIR [key=value ...]")
    from omegaconf import OmegaConf

    record = Path(words[0]) / ".hydra"
    if not (record / "hydra.yaml").is_file():
        raise MissingInputError(
            f"{words[0]}: not a run folder (no {record / 'hydra.yaml'}); run folders lie in WORKSPACE/runs/"
        )
    stage = str(OmegaConf.load(record / "hydra.yaml").hydra.job.config_name)
    saved: Any = OmegaConf.load(record / "config.yaml")
    keys = key_names(stage)
    texts = text_keys(stage)
    replay = [str(word) for word in OmegaConf.load(record / "overrides.yaml") if str(word).partition("=")[0] not in texts]
    replay += [f"{key}={saved[key]}" for key in keys if key in texts and key in saved and saved[key] is not None]
    return stage, [*replay, *words[1:]]


def _run(stage: str, overrides: list[str], multirun: bool) -> int:
    """Hydra's run or sweep; `sys.argv` inside the job is what the user typed (Lightning's DDP executes it again)."""
    from hydra._internal.hydra import Hydra  # what hydra.main calls; hydra.main itself parses argv and exits
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    register_schemas()
    codes: list[int] = []

    def job(cfg: DictConfig) -> int:
        codes.append(_run_app(stage, cfg))
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


def _flat(result: Any) -> list[Any]:
    return [one for part in result for one in _flat(part)] if isinstance(result, list | tuple) else [result]


def _run_app(stage: str, cfg: DictConfig) -> int:
    try:
        return int(importlib.import_module(f"comix.apps.{stage}").main(cfg))
    except ComixError as error:
        sys.stderr.write(f"comix {stage}: {error}\n")
        return 2


def _look(stage: str, words: list[str]) -> int:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        cfg = compose(stage, words)
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(one_line(error)) from error
    return _run_app(stage, cfg)
