"""From ``key=value`` as people type it to a checked Hydra config.

Unknown keys get the nearest spelling; path and text values are quoted, because Hydra's grammar breaks on the commas,
brackets, quotes and ``=`` in the names people really have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.core.errors import UsageError
from comix.paths import conf_dir
from comix.schema import CHOICES, RANGES, STAGES, TEXT_LEAVES, key_names, text_keys

if TYPE_CHECKING:
    from omegaconf import DictConfig

_OVERRIDE = re.compile(r"^(?P<prefix>[+~]{0,2})(?P<key>[\w./@-]+)(?:=(?P<value>.*))?$", re.DOTALL)


def checked_override(stage: str, word: str) -> str:
    """The override as Hydra shall see it: key known, path and text values quoted.

    >>> checked_override("extract", "library=My Comics (2020), #1")
    "library='My Comics (2020), #1'"

    Raises:
        UsageError: not ``key=value``, or a key that the stage does not have; names the nearest one.
    """
    match = _OVERRIDE.match(word)
    if match is None or (match["value"] is None and not match["prefix"].startswith("~")):
        raise UsageError(f"{word!r}: wanted key=value; keys: {', '.join(key_names(stage))}")
    key, value = match["key"], match["value"] or ""
    if key.startswith("hydra"):
        return word
    top, _, rest = key.partition(".")
    if top not in key_names(stage):
        raise UsageError(f"unknown key {top!r}{_nearest(top, key_names(stage))}; keys: {', '.join(key_names(stage))}")
    if match["prefix"]:
        return word
    group = conf_dir() / top
    if group.is_dir() and not rest and top not in text_keys(stage):
        _check_option(group, value)
        return word
    if key in text_keys(stage) or (rest and rest.split(".")[-1] in TEXT_LEAVES):
        return f"{key}={quoted(expanded(value))}"
    choices = CHOICES.get((stage, key))
    if choices:
        for one in value.split(","):
            if one not in choices:
                raise UsageError(f"{key}={one}{_nearest(one, choices)}; wanted one of: {', '.join(choices)}")
    return word


def expanded(value: str) -> str:
    """``~`` at the start of a path as the home folder: not every shell expands it after ``=``."""
    return str(Path(value).expanduser()) if value == "~" or value.startswith("~/") else value


def check_ranges(cfg: DictConfig) -> None:
    """Refuse numbers that make no sense.

    Raises:
        UsageError: names key, value and range.
    """
    for key, (least, most) in RANGES.items():
        value = cfg.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and not least <= value <= most:
            wanted = f"{least:g} or more" if most == float("inf") else f"{least:g} to {most:g}"
            raise UsageError(f"{key}={value}: wanted {wanted}")


_TYPES = {"Integer": "a whole number", "Float": "a number", "bool": "true or false"}


def _without_advice(text: str) -> str:
    """Hydra's message about a value of the wrong type, or a nested key that the chosen option does not have, in our words.

    >>> _without_advice("Error merging override a=b: Value 'b' of type 'str' could not be converted to Integer")
    'a=b: wanted a whole number'
    """
    typed = re.search(r"override (\S+=.*?): Value .* (?:could not be converted to|is not a valid) (\w+)", text)
    if typed is not None and typed[2] in _TYPES:
        return f"{typed[1]}: wanted {_TYPES[typed[2]]}"
    match = re.search(r"Could not override '([\w.]+)'", text)
    if match is None:
        return text
    group, _, leaf = match[1].partition(".")
    options = [
        path.stem for path in sorted((conf_dir() / group).glob("*.yaml")) if re.search(rf"(?m)^{leaf}:", path.read_text())
    ]
    have = f"; options that have it: {', '.join(f'{group}={name}' for name in options)}" if options else ""
    return f"{match[1]}: the chosen {group} has no {leaf!r}{have}"


def quoted(value: str) -> str:
    r"""A value in Hydra's quotes, so that it means exactly these characters.

    >>> print(quoted("Don't"), quoted("a\\"), quoted("${x}"))
    'Don\'t' 'a\\' '\${x}'
    """
    if value == "null":
        return value
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", value)
    escaped = re.sub(r"(\\+)$", lambda match: match[1] * 2, escaped)
    return "'" + escaped.replace("${", "\\${") + "'"


def _check_option(group: Path, value: str) -> None:
    options = sorted(path.stem for path in group.glob("*.yaml"))
    for one in value.split(","):
        if one not in options:
            raise UsageError(f"{group.name}={one}: no such option{_nearest(one, options)}; wanted one of: {', '.join(options)}")


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def register_schemas() -> None:
    """Make the stage schemas known to Hydra."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for name, schema in STAGES.items():
        store.store(name=f"{name}_schema", node=schema)


def one_line(error: BaseException) -> str:
    """An error of Hydra or OmegaConf with its cause, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(line for line in lines if not line.startswith(("full_key:", "object_type=")))
    return _without_advice(f"{text}: {one_line(error.__cause__)}" if error.__cause__ is not None else text)


def compose(stage: str, overrides: list[str]) -> DictConfig:
    """A stage's config, composed without running it; for `pipeline` and for stages that only look.

    Args:
        stage: its name.
        overrides: ``key=value`` as a user types them; checked and quoted here.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    checked = [checked_override(stage, word) for word in overrides]
    if GlobalHydra.instance().is_initialized():
        return hydra.compose(stage, overrides=checked)
    register_schemas()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3", job_name=stage):
        return hydra.compose(stage, overrides=checked)


def as_words(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the words a user would type.

    >>> as_words({"limit": None, "detector.path": "a b", "save_vis": 3})
    ['limit=null', 'detector.path=a b', 'save_vis=3']
    """
    return [f"{key}={_as_word(key, value)}" for key, value in settings.items()]


def _as_word(key: str, value: Any) -> str:
    if value is None:
        return "null"
    is_free_text = isinstance(value, str) and "." in key and key.rpartition(".")[2] not in TEXT_LEAVES
    return quoted(value) if is_free_text else str(value)
