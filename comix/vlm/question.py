"""One request about a page: words, picture, and what the reply has to fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from comix.core.files import digest
from comix.vlm.answers import Answer, strict_schema
from comix.vlm.coordinates import Coordinates
from comix.vlm.picture import Picture
from comix.vlm.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        page_id: whose page.
        part: "" for the page, else what of it: ``panel 3``.
        prompt: whose words.
        text: the words, filled in.
        picture: what is shown.
        form: how the model writes boxes.
        numbers: panel or text numbers that the reply must speak of, each once; None when it numbers its own panels.
    """

    page_id: str
    prompt: Prompt
    text: str
    picture: Picture
    form: Coordinates
    part: str = ""
    numbers: tuple[int, ...] | None = None

    @property
    def answer(self) -> type[Answer]:
        """The model of the reply."""
        return self.prompt.answer

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the reply; shared, not to be changed."""
        return _schema(self.answer, self.form)

    @property
    def schema_json(self) -> bytes:
        """The same as JSON."""
        return _schema_json(self.answer, self.form)

    def key(self, model: str, sampling: dict[str, Any]) -> str:
        """What makes two requests the same: picture, words, schema, model and sampling; not the page, not the service.

        The same page in an issue and in a collected edition is asked about, and paid, once.
        """
        schema = self.schema_json.decode()
        return digest(self.picture.digest, self.prompt.id, self.prompt.version, self.text, schema, model, sampling)


@lru_cache(maxsize=32)
def _schema(answer: type[Answer], form: Coordinates) -> dict[str, Any]:
    return strict_schema(answer, form.key, form.words)


@lru_cache(maxsize=32)
def _schema_json(answer: type[Answer], form: Coordinates) -> bytes:
    return msgspec.json.encode(_schema(answer, form))


def request_text(question: Question, mode: str) -> str:
    """The words of the request; where the service does not hold the model to the schema, they spell it out."""
    if mode == "json_schema":
        return question.text
    schema = question.schema_json.decode()
    return f"{question.text}\nAnswer with one JSON object and nothing else. It must fit this JSON schema:\n{schema}"


def request_bytes(question: Question, mode: str) -> int:
    """At most so many bytes of words go out with a request, schema included."""
    schema = len(question.schema_json) if mode == "json_schema" else 0
    return len(request_text(question, mode).encode()) + schema + 200
