"""What a model is asked to answer: one pydantic model per kind of question.

The same model gives the JSON schema of the request, checks the reply, and is what `docs/readers.md` shows. Literal text
(words as printed) and descriptions (the model's own words) are never in the same field.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PageKind = Literal["cover", "interior", "splash", "credits", "advert", "text", "blank", "other"]
TextKind = Literal["dialogue", "thought", "narration", "sfx"]


class Answer(BaseModel):
    """Base: nothing beyond the named fields, and no conversion of one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Spoken(Answer):
    """Words that somebody says or thinks."""

    text: str = Field(description="the words exactly as printed, lines joined with spaces")
    speaker: str = Field(description='who: a name or a short description; "" if it cannot be told')


class Written(Answer):
    """Words that nobody on the page says."""

    text: str = Field(description="the words exactly as printed, lines joined with spaces")


class Panel(Answer):
    """One panel."""

    panel_number: int = Field(description="position in reading order, from 1")
    dialogue: list[Spoken] = Field(description="speech balloons in reading order")
    thought: list[Spoken] = Field(description="thought balloons in reading order")
    narration: list[Written] = Field(description="caption boxes in reading order")
    sfx: list[Written] = Field(description="sound effects lettered into the drawing")
    characters: list[str] = Field(description="who is seen: names, or short descriptions")
    description: str = Field(description="what is seen and what happens, in your own words, without quoting the text")


class Outside(Answer):
    """Words outside the panels."""

    text: str = Field(description="the words exactly as printed")
    kind: TextKind = Field(description="narration for titles, credits and page numbers")


class PageAnswer(Answer):
    """A page whose panels the model finds itself."""

    summary: str = Field(description="what happens on the page, in your own words")
    page_type: PageKind = Field(description="what the page is; splash: one picture fills it")
    reading_direction: Literal["ltr", "rtl", "unknown"] = Field(description="rtl for manga read from the right")
    panels: list[Panel] = Field(description="all panels in reading order; [] if there are none")
    outside: list[Outside] = Field(description="words outside the panels; [] if there are none")


class GuidedAnswer(Answer):
    """A page whose numbered panels the model is given."""

    summary: str = Field(description="what happens on the page, in your own words")
    panels: list[Panel] = Field(description="one entry for each given panel number, none left out and none added")
    outside: list[Outside] = Field(description="words outside the panels; [] if there are none")


class BoxedPanel(Panel):
    """One panel with its place."""

    box: list[float] = Field(description="the panel's place on the page: {box_words}")


class GroundedAnswer(PageAnswer):
    """A page whose panels the model finds itself and whose places it gives."""

    panels: list[BoxedPanel] = Field(description="all panels in reading order; [] if there are none")  # type: ignore[assignment]


class CropAnswer(Answer):
    """A single panel, cut out."""

    dialogue: list[Spoken] = Field(description="speech balloons in reading order")
    thought: list[Spoken] = Field(description="thought balloons in reading order")
    narration: list[Written] = Field(description="caption boxes in reading order")
    sfx: list[Written] = Field(description="sound effects lettered into the drawing")
    characters: list[str] = Field(description="who is seen: names, or short descriptions")
    description: str = Field(description="what is seen and what happens, in your own words, without quoting the text")


class CheckedText(Answer):
    """One given text, checked."""

    id: int = Field(description="the number of the given text")
    text: str = Field(description='the words as they are really printed; "" if nothing is printed there')
    kind: TextKind = Field(description="what kind of text it is")
    speaker: str = Field(description='who says or thinks it; "" for narration, sfx, or if it cannot be told')


class TextCheckAnswer(Answer):
    """Given texts, compared with the page. Places are not asked for: they stay as given."""

    texts: list[CheckedText] = Field(description="one entry for each given number, none left out and none added")


class PageTypeAnswer(Answer):
    """What a page is."""

    page_type: PageKind = Field(description="splash: one picture fills the page")
    reading_direction: Literal["ltr", "rtl", "unknown"] = Field(description="rtl for manga read from the right")


class PanelCaption(Answer):
    """One given panel in the model's own words."""

    panel_number: int = Field(description="the given number")
    caption: str = Field(description="one or two sentences: who does what, where")
    characters: list[str] = Field(description="who is seen: names, or short descriptions")


class CaptionAnswer(Answer):
    """Descriptions of a page and its numbered panels."""

    summary: str = Field(description="what happens on the page, in two or three sentences")
    panels: list[PanelCaption] = Field(description="one entry for each given panel number, none left out and none added")


class StyleAnswer(Answer):
    """How a page is drawn."""

    tradition: Literal["american", "franco_belgian", "manga", "manhwa", "webcomic", "newspaper_strip", "other"]
    medium: Literal["ink", "pencil", "paint", "digital", "photo", "mixed"]
    colour: Literal["black_and_white", "screentone", "flat_colour", "full_colour", "limited_palette"]
    line: str = Field(description="the linework in a few words")
    shading: str = Field(description="light and shade in a few words")
    tags: list[str] = Field(description="three to eight words for the style")


class ProbeAnswer(Answer):
    """What a test picture shows; asked once to learn what a service can do."""

    colour: str = Field(description="the colour that fills the picture, in English")
    number: int = Field(description="how many white squares are in it")


ANSWERS: Mapping[str, type[Answer]] = MappingProxyType(
    {
        "page": PageAnswer,
        "guided": GuidedAnswer,
        "grounded": GroundedAnswer,
        "panel_crop": CropAnswer,
        "text_check": TextCheckAnswer,
        "page_type": PageTypeAnswer,
        "caption": CaptionAnswer,
        "style": StyleAnswer,
        "probe": ProbeAnswer,
    }
)
"""Name in a prompt file (``schema:``) -> the answer it asks for."""


def strict_schema(model: type[Answer], box_key: str = "box", box_words: str = "") -> dict[str, Any]:
    """The JSON schema of an answer as strict structured output wants it.

    Every property is required, nothing else is allowed, references are written out, and what not every server knows
    (titles, defaults, ranges) is left out; `check` still holds the reply to all of it.

    Args:
        model: the answer.
        box_key: what the model calls a box, see `comix.vlm.coordinates`.
        box_words: its form in words.

    >>> strict_schema(Written)["required"], strict_schema(Written)["additionalProperties"]
    (['text'], False)
    """
    whole = model.model_json_schema()
    definitions = whole.get("$defs", {})

    def inlined(node: Any) -> Any:
        if isinstance(node, list):
            return [inlined(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return inlined(definitions[str(node["$ref"]).rpartition("/")[2]])
        kept = {key: inlined(value) for key, value in node.items() if key in _KEPT and key not in ("properties", "description")}
        if "description" in node and node.get("type") != "object":
            kept["description"] = node["description"].replace("{box_words}", box_words)
        if "properties" in node:
            kept["properties"] = {box_key if key == "box" else key: inlined(one) for key, one in node["properties"].items()}
            kept["required"] = list(kept["properties"])
            kept["additionalProperties"] = False
        return kept

    result: dict[str, Any] = inlined(whole)
    return result


_KEPT = frozenset({"type", "properties", "items", "enum", "const", "anyOf", "description"})


def check(model: type[Answer], value: Any) -> tuple[Answer | None, str]:
    """The answer, or None and what is wrong with it, first fault first.

    >>> check(Written, {"text": "Hm."})
    (Written(text='Hm.'), '')
    >>> check(Written, {"text": 3})
    (None, 'text: Input should be a valid string (1 faults)')
    """
    try:
        return model.model_validate(value), ""
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        return None, f"{where}: {first['msg']} ({error.error_count()} faults)"


def fields_table(model: type[Answer]) -> str:
    """The fields of an answer as Markdown, for the documentation.

    >>> print(fields_table(Written))
    | field | type | meaning |
    | --- | --- | --- |
    | `text` | string | the words exactly as printed, lines joined with spaces |
    """
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]

    def add(schema: Mapping[str, Any], prefix: str) -> None:
        for name, one in schema["properties"].items():
            inner = one.get("items", one)
            kind = " \\| ".join(f"`{value}`" for value in one.get("enum", ())) or one["type"]
            if one["type"] == "array":
                kind = f"list of {'objects' if inner['type'] == 'object' else inner['type'] + 's'}"
            lines.append(f"| `{prefix}{name}` | {kind} | {one.get('description', '')} |")
            if inner["type"] == "object":
                add(inner, f"{prefix}{name}[].")

    add(strict_schema(model, box_words="four numbers in the model's own form"), "")
    return "\n".join(lines)
