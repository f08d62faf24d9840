"""What a service can do, found out once: does it take pictures, does it hold the model to a schema, does that loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comix.vlm.answers import ProbeAnswer
from comix.vlm.api.asker import Asker, ServiceStopsError
from comix.vlm.api.pace import backoff, retry_after
from comix.vlm.picture import encoded
from comix.vlm.prompt import Prompt
from comix.vlm.question import Question
from comix.vlm.reply import Exchange, Verdict

_PROMPT = Prompt(
    "probe", "1", "This picture has one colour and some white squares. Name the colour and count the squares.", "probe",
    expected_tokens=30,
)  # fmt: skip
_MAX_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Probed:
    """What a service can do.

    Attributes:
        structured: ``json_schema``, ``json_object`` or ``none``: the strictest mode that works.
        sees: whether the model told the colour of a picture.
        note: in words.
    """

    structured: str
    sees: bool
    note: str


def probe_question(asker: Asker) -> Question:
    """A red picture with two white squares, and what is in it."""
    image = np.zeros((256, 256, 3), np.uint8)
    image[:] = (20, 20, 210)
    image[40:90, 40:90] = image[150:200, 150:200] = 255
    return Question("", _PROMPT, _PROMPT.text, encoded(image, 256), asker.endpoint.form, part="probe")


async def probed(asker: Asker) -> Probed:
    """What the ledger knows of this service and model, else what test requests show; written down for later runs.

    Raises:
        ServiceStopsError: the service takes no such request in any mode; says what it answered.
    """
    endpoint = asker.endpoint
    known = asker.ledger.probe(endpoint.base_url, endpoint.model)
    if known is not None:
        return Probed(*known)
    tried: list[str] = []
    refused = 0
    question = probe_question(asker)
    for mode in ("json_schema", "json_object", "none"):
        verdict, exchange = await _asked(asker, question, mode)
        if exchange.fault == "connection":
            raise ServiceStopsError(
                f"{endpoint.base_url}: no server answers there ({exchange.detail}); is it running, and is vlm.base_url right?"
            )
        answer = verdict.answer
        if isinstance(answer, ProbeAnswer):
            sees = "red" in answer.colour.casefold()
            looked = "sees pictures" if sees else f"does not see pictures: calls a red one {answer.colour[:40]!r}"
            note = "; ".join([*tried, f"{mode} works", looked])
            asker.ledger.keep_probe(endpoint.base_url, endpoint.model, mode, sees, note)
            return Probed(mode, sees, note)
        tried.append(f"{mode}: {verdict.cls} ({verdict.detail[:160]})")
        refused += verdict.cls == "provider_error"
        if verdict.cls == "budget_stop":
            raise ServiceStopsError(f"{endpoint.base_url}: {verdict.detail}")
    if refused == len(tried):
        raise ServiceStopsError(f"{endpoint.base_url}: the service takes no test request; {'; '.join(tried)}")
    note = "; ".join([*tried, "no mode gave a usable answer: asked without one"])
    asker.ledger.keep_probe(endpoint.base_url, endpoint.model, "none", False, note)
    return Probed("none", False, note)


async def _asked(asker: Asker, question: Question, mode: str) -> tuple[Verdict, Exchange]:
    """The verdict and the last reply on the test picture in one mode; faults of the network are waited out."""
    endpoint = asker.endpoint
    for attempt in range(endpoint.max_attempts):
        verdict, exchange, _ = await asker.once(question, f"probe {mode}", _MAX_TOKENS, mode)
        if verdict.stop:
            raise ServiceStopsError(f"{endpoint.base_url}: {verdict.stop}")
        if verdict.again != "later":
            break
        wait = retry_after(exchange.headers, asker.clock.date())
        await asker.clock.sleep(backoff(attempt, endpoint.backoff_s, endpoint.max_backoff_s) if wait is None else wait)
    return verdict, exchange
