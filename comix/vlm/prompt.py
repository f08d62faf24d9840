"""Prompts: text and answer kind from a config file, filled in for one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.core.geometry import Box
from comix.vlm.answers import ANSWERS, Answer
from comix.vlm.coordinates import Coordinates

PICTURES = ("page", "numbered", "panels")
_FIELDS = {"id": str, "version": str, "schema": str, "picture": str, "text": str, "expected_tokens": int}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One way of asking about a page.

    Attributes:
        id: its name; with ``version`` it says which words were used.
        text: with ``{n_panels}``, ``{panels}``, ``{texts}``, ``{box_words}`` where a page's facts go.
        schema: name in `ANSWERS`.
        picture: what is sent: ``page``, ``numbered`` (panel boxes drawn on it) or ``panels`` (one request for each).
        expected_tokens: of a reply, for forecasts.
        fallback: asked panel by panel when a page's reply is cut off twice.
    """

    id: str
    version: str
    text: str
    schema: str
    picture: str = "page"
    expected_tokens: int = 1500
    fallback: Prompt | None = None

    @property
    def answer(self) -> type[Answer]:
        """The model of its answer."""
        return ANSWERS[self.schema]

    @property
    def needs_panels(self) -> bool:
        """Whether it speaks of given panels."""
        return self.picture in ("numbered", "panels")

    @property
    def needs_texts(self) -> bool:
        """Whether it speaks of texts that another reader found."""
        return self.schema == "text_check"

    @property
    def makes_words(self) -> bool:
        """Whether its answer holds literal text of the page."""
        return self.schema in ("page", "guided", "grounded", "panel_crop", "text_check")

    def filled(self, panels: Sequence[Sequence[int]] = (), texts: Sequence[str] = (), box_words: str = "") -> str:
        """The text for one page.

        Args:
            panels: boxes as the model writes them, in reading order.
            texts: one line per given text.
            box_words: see `Coordinates.words`.

        >>> Prompt("p", "1", "{n_panels} panels: {panels}", "guided").filled([[0, 0, 5, 5]])
        '1 panels: 1: [0, 0, 5, 5]'
        """
        lines = "\n".join(f"{place}: {list(box)}" for place, box in enumerate(panels, 1))
        facts = {
            "{n_panels}": str(len(panels)), "{panels}": lines, "{texts}": "\n".join(texts), "{box_words}": box_words,
        }  # fmt: skip
        text = self.text.strip()
        for mark, value in facts.items():
            text = text.replace(mark, value)
        return text


def prompt_of(config: Mapping[str, Any]) -> Prompt:
    """The prompt that a config describes; ``file=`` names a YAML file with the same keys instead.

    Raises:
        MissingInputError: no such file.
        FileFormatError: the file is not YAML.
        UsageError: a key is missing, unknown or has no such value.
    """
    where = "prompt"
    if config.get("file"):
        where = str(config["file"])
        config = {**_loaded(Path(where)), "fallback": config.get("fallback")}
    given = {key: value for key, value in config.items() if key not in ("file", "fallback")}
    unknown, missing = sorted(given.keys() - _FIELDS.keys()), sorted({"id", "version", "schema", "text"} - given.keys())
    if unknown or missing:
        found = f"unknown: {', '.join(unknown)}" if unknown else f"missing: {', '.join(missing)}"
        raise UsageError(f"{where}: {found}; a prompt has {', '.join(_FIELDS)}")
    typed = {key: _FIELDS[key](value) for key, value in given.items()}
    for key, wanted in (("schema", tuple(ANSWERS)), ("picture", PICTURES)):
        if typed.get(key, wanted[0]) not in wanted:
            raise UsageError(f"{where}: {key}={typed[key]}: wanted one of: {', '.join(wanted)}")
    fallback = config.get("fallback")
    return Prompt(**typed, fallback=prompt_of(fallback) if fallback else None)


def _loaded(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(f"prompt.file={path}: no such file; wanted a YAML file with {', '.join(_FIELDS)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"prompt.file={path}: not YAML ({error}); wanted {', '.join(_FIELDS)}") from error
    if not isinstance(document, dict):
        raise FileFormatError(f"prompt.file={path}: not a mapping; wanted {', '.join(_FIELDS)}")
    return document


def listed_boxes(boxes: Sequence[Box], form: Coordinates, width: float, height: float) -> list[list[int]]:
    """Boxes as a model writes them; see `Coordinates.written`."""
    return [form.written(box, width, height) for box in boxes]
