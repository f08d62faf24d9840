"""One page: the questions it takes, the analysis that the answers make, and the outcome when they make none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, ItemError, MissingInputError
from comix.core.files import write_bytes
from comix.core.geometry import Box
from comix.core.ids import escape
from comix.core.task import Outcome
from comix.io.analysis import Analysis, ReaderInfo, analysis_path, read_analysis, write_analysis
from comix.io.images import read_image_bytes
from comix.vlm.answers import TextCheckAnswer
from comix.vlm.api.asker import Asked, Asker
from comix.vlm.base import ReadJob
from comix.vlm.hybrid import merged
from comix.vlm.picture import Picture, numbered_picture, page_picture, panel_pictures
from comix.vlm.prompt import Prompt, listed_boxes
from comix.vlm.question import Question
from comix.vlm.reply import Verdict
from comix.vlm.results import checked_analysis, crops_analysis, numbered_texts, page_analysis, with_usage

_REASONS = {
    "truncated": "reader_truncated", "refused": "reader_refused", "empty": "reader_bad_answer",
    "not_json": "reader_bad_answer", "schema_invalid": "reader_bad_answer", "semantic_invalid": "reader_bad_answer",
    "provider_error": "reader_unavailable", "timeout": "reader_unavailable", "budget_stop": "budget_spent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageAsker:
    """Asks about pages and writes their analyses.

    Attributes:
        asker: asks single questions.
        info: who reads, for the analyses.
        prompt: whose words.
        words_from: folder of analyses whose texts are checked, or kept beside what the model says; None for none.
        error_log: folder for what the model said about pages that failed; None for none.
        redacted: takes secrets out of a text.
    """

    asker: Asker
    info: ReaderInfo
    prompt: Prompt
    words_from: Path | None
    error_log: Path | None
    redacted: Callable[[str], str]

    async def outcome(self, job: ReadJob) -> Outcome:
        """Read one page and write its analysis; skipped where there is nothing to ask about."""
        if self.prompt.needs_panels and not job.panels:
            return Outcome("skipped", "no_panels")
        base = await asyncio.to_thread(self._base, job, self.words_from) if self.words_from is not None else None
        texts = numbered_texts(base) if base is not None else []
        if self.prompt.needs_texts and base is not None and not texts:
            return await self._write(job, base.model_copy(update={"reader": self.info}), [])
        questions = await asyncio.to_thread(self._questions, job, self.prompt, texts)
        asked = await self._ask_all(questions)
        bad = next((one for one in asked if not one.verdict.accepted), None)
        if bad is None:
            return await self._write(job, self._analysis(job, questions, asked, base), asked)
        if bad.verdict.cls == "truncated" and self.prompt.fallback is not None and job.panels and not bad.waiting:
            crops = await asyncio.to_thread(self._questions, job, self.prompt.fallback, [])
            parts = await self._ask_all(crops)
            bad = next((one for one in parts if not one.verdict.accepted), None)
            if bad is None:
                reader = self.info.model_copy(update={"prompt_id": f"{self.info.prompt_id}+{self.prompt.fallback.id}"})
                answers = [one.verdict.answer for one in parts if one.verdict.answer is not None]
                analysis = crops_analysis(job.page.page_id, reader, answers, job.panels)
                return await self._write(job, self._merged(base, analysis), [*asked, *parts])
            asked = [*asked, *parts]
        return await self._failed(job, bad, asked)

    async def _ask_all(self, questions: Sequence[Question]) -> list[Asked]:
        """Answers to a page's questions, one after another; nothing more is asked once one of them failed."""
        found: list[Asked] = []
        for question in questions:
            found.append(await self.asker.ask(question))
            if not found[-1].verdict.accepted:
                break
        return found

    def _base(self, job: ReadJob, folder: Path) -> Analysis:
        """What another reader has read on the page.

        Raises:
            ItemError: it has not, or its file is broken.
        """
        path = analysis_path(folder, job.page.page_id)
        try:
            return read_analysis(path)
        except MissingInputError:
            raise ItemError("missing_input", f"{path} does not exist: run that reader first") from None
        except FileFormatError as error:
            raise ItemError("invalid_input", str(error)) from error

    def _questions(self, job: ReadJob, prompt: Prompt, texts: Sequence[tuple[int | None, str, Any]]) -> list[Question]:
        return questions_of(job, prompt, self.asker.endpoint, read_image_bytes(job.image), texts)

    def _analysis(self, job: ReadJob, questions: Sequence[Question], asked: Sequence[Asked], base: Analysis | None) -> Analysis:
        answers = [one.verdict.answer for one in asked if one.verdict.answer is not None]
        if self.prompt.picture == "panels":
            return self._merged(base, crops_analysis(job.page.page_id, self.info, answers, job.panels))
        if base is not None and isinstance(answers[0], TextCheckAnswer):
            return checked_analysis(base, self.info, answers[0])
        return self._merged(base, page_analysis(job.page.page_id, self.info, questions[0], answers[0], job.panels))

    def _merged(self, base: Analysis | None, analysis: Analysis) -> Analysis:
        return analysis if base is None else merged(base, analysis)

    async def _write(self, job: ReadJob, analysis: Analysis, asked: Sequence[Asked]) -> Outcome:
        usages = [one.verdict.usage for one in asked]
        worst = "ok_repaired" if any(one.verdict.cls == "ok_repaired" for one in asked) else "ok"
        facts = {
            "cost_usd": round(sum(one.cost_usd for one in asked), 9),
            "prompt_tokens": sum(one.prompt_tokens or 0 for one in usages),
            "completion_tokens": sum(one.completion_tokens or 0 for one in usages),
            "n_requests": sum(one.n_requests for one in asked),
            "structured": asked[0].structured if asked else "",
        }
        analysis = with_usage(analysis, facts, worst)
        await asyncio.to_thread(write_analysis, job.target, analysis)
        n_texts = len(numbered_texts(analysis)) - len(analysis.unassigned)
        counts = {"n_panels": len(analysis.panels), "n_texts": n_texts, "n_unassigned": len(analysis.unassigned)}
        return Outcome(result={**counts, "class": worst, **facts})

    async def _failed(self, job: ReadJob, bad: Asked, asked: Sequence[Asked]) -> Outcome:
        verdict = bad.verdict
        if bad.waiting:
            return Outcome("skipped", "in_batch", verdict.detail)
        if self.error_log is not None:
            replies = self.asker.ledger.raw_replies(job.page.page_id)
            await asyncio.to_thread(self._log, self.error_log, job.page.page_id, verdict, replies)
        reason = "rate_limited" if verdict.status == 429 else _REASONS[verdict.cls]
        detail = self.redacted(f"{verdict.cls}: {verdict.detail}")
        cost = round(sum(one.cost_usd for one in asked), 9)
        return Outcome("failed", reason, detail, result={"class": verdict.cls, "cost_usd": cost})

    def _log(self, folder: Path, page_id: str, verdict: Verdict, replies: Sequence[tuple[str, str, str, bytes]]) -> None:
        parts = [f"page: {page_id}\nclass: {verdict.cls}\ndetail: {verdict.detail}\n"]
        for part, cls, detail, reply in replies:
            parts.append(f"\n--- {part or 'page'}: {cls} {detail}\n{reply.decode('utf-8', 'replace')}\n")
        write_bytes(folder / f"{escape(page_id)}.txt", self.redacted("".join(parts)).encode())


def questions_of(
    job: ReadJob, prompt: Prompt, endpoint: Any, data: bytes, texts: Sequence[tuple[int | None, str, Any]] = ()
) -> list[Question]:
    """The questions that a prompt asks about a page: one, or one for each panel.

    Args:
        job: the page and its panels.
        prompt: whose words and picture.
        endpoint: see `comix.vlm.api.settings.Endpoint`; its form of boxes and largest picture.
        data: bytes of the page image.
        texts: what another reader found, see `comix.vlm.results.numbered_texts`.

    Raises:
        ItemError: the image cannot be decoded.
    """
    page, form = job.page, endpoint.form
    if prompt.picture == "panels":
        text = prompt.filled(box_words=form.words)
        pictures = panel_pictures(data, job.panels, endpoint.max_side)
        return [Question(page.page_id, prompt, text, one, form, f"panel {number}") for number, one in enumerate(pictures, 1)]
    if prompt.picture == "numbered":
        picture = numbered_picture(data, job.panels, endpoint.max_side)
    else:
        notes = [note for note in page.image_notes.split(",") if note]
        picture = page_picture(data, page.width, page.height, notes, endpoint.max_side)
    seen = [picture.from_page(box) for box in job.panels]
    lines = [_text_line(number, item, picture, form) for number, (_, _, item) in enumerate(texts, 1)]
    boxes = listed_boxes(seen, form, picture.width, picture.height)
    text = prompt.filled(boxes, lines, form.words)
    numbers: tuple[int, ...] | None = None
    if prompt.needs_texts:
        numbers = tuple(range(1, len(texts) + 1))
    elif prompt.needs_panels:
        numbers = tuple(range(1, len(job.panels) + 1))
    return [Question(page.page_id, prompt, text, picture, form, "", numbers)]


def _text_line(number: int, item: Any, picture: Picture, form: Any) -> str:
    place = ""
    if item.bbox:
        box = picture.from_page(Box.from_xywh(item.bbox))
        place = f" at {form.written(box, picture.width, picture.height)}"
    return f"{number}{place}: {item.text}"
