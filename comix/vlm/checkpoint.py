"""A vision-language model in this process: a checkpoint folder read by transformers, pages asked about in batches."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import digest
from comix.vlm.api.reader import ApiReader
from comix.vlm.api.secret import Secret
from comix.vlm.api.settings import plain_name
from comix.vlm.api.wire import Wire
from comix.vlm.question import Question, request_text
from comix.vlm.reply import Exchange

_GATHER_S = 0.05
"""Seconds that the first question of a batch waits for others."""


class TransformersReader(ApiReader):
    """Asks a model of a local checkpoint; no network, no server.

    Args:
        path: folder with config, processor and safetensors weights, as ``save_pretrained`` writes it.
        batch_size: questions answered at once.
        device: ``cpu``, ``cuda`` or ``auto``.
        dtype: ``float32``, ``bfloat16``, ``float16`` or ``auto`` (what the checkpoint says).
        settings: see `ApiReader`.

    Raises:
        MissingInputError: no such folder.
    """

    def __init__(self, path: str, batch_size: int = 4, device: str = "auto", dtype: str = "auto", **settings: Any) -> None:
        folder = Path(path)
        if not (folder / "config.json").is_file():
            raise MissingInputError(f"vlm.path={path}: no config.json; wanted a checkpoint folder as save_pretrained writes it")
        model = f"{folder.resolve().name}@{digest((folder / 'config.json').read_bytes().hex())[:8]}"
        local = {"base_url": folder.resolve().as_uri(), "model": model, "paid": False, "api_key_env": "", "structured": "none"}
        name = settings.pop("name", "")
        super().__init__(**{**settings, **local, "concurrency": 2 * batch_size})
        self.name = name or plain_name(folder.resolve().name, self.suffix)
        self._model = LocalModel(folder, device, dtype, self.endpoint.temperature, self.endpoint.top_p, self.endpoint.seed)
        self._batch_size = batch_size

    async def open_wire(self, stack: AsyncExitStack, secret: Secret) -> Wire:
        """The model, loaded."""
        return await stack.enter_async_context(BatchWire(self._model, self._batch_size))


@dataclass(slots=True)
class LocalModel:
    """A checkpoint and how it is sampled.

    Attributes:
        folder: the checkpoint.
        device: ``cpu``, ``cuda`` or ``auto``.
        dtype: of the weights in memory.
        temperature: of sampling; 0 takes the likeliest token.
        top_p: None for 1.
        seed: None for none.
    """

    folder: Path
    device: str
    dtype: str
    temperature: float
    top_p: float | None
    seed: int | None
    _processor: Any = None
    _model: Any = None

    def load(self) -> None:
        """Read the checkpoint, from this folder only.

        Raises:
            FileFormatError: transformers cannot read it, or it takes no pictures.
        """
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        device = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._processor = AutoProcessor.from_pretrained(self.folder, local_files_only=True)
            model = AutoModelForImageTextToText.from_pretrained(
                self.folder, local_files_only=True, use_safetensors=True, dtype=self.dtype
            )
        except (OSError, ValueError, KeyError) as error:
            raise FileFormatError(
                f"vlm.path={self.folder}: not a checkpoint of a model for pictures and text ({error})"
            ) from error
        self._model = model.to(device).eval()
        tokenizer = self._processor.tokenizer
        tokenizer.padding_side = "left"  # the answers begin where the prompts end
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

    def answers(self, questions: Sequence[tuple[str, bytes]], max_tokens: int) -> list[dict[str, Any]]:
        """One chat completion for each (words, encoded picture)."""
        import torch
        from PIL import Image

        images = [[Image.open(io.BytesIO(data)).convert("RGB")] for _, data in questions]
        texts = [self._with_template(words) for words, _ in questions]
        inputs = self._processor(images=images, text=texts, padding=True, return_tensors="pt").to(self._model.device)
        if self.seed is not None:
            torch.manual_seed(self.seed)
        sampling: dict[str, Any] = {"do_sample": False}
        if self.temperature > 0:
            sampling = {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p or 1.0}
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, max_new_tokens=max_tokens, **sampling)
        start = inputs["input_ids"].shape[1]
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        return [self._completion(row, n) for row, n in zip(tokens[:, start:].tolist(), lengths, strict=True)]

    def _with_template(self, words: str) -> str:
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": words}]
            talk = [{"role": "user", "content": content}]
            return str(self._processor.apply_chat_template(talk, tokenize=False, add_generation_prompt=True))
        return f"{getattr(self._processor, 'image_token', '<image>')}\n{words}\n"

    def _completion(self, tokens: list[int], n_prompt: int) -> dict[str, Any]:
        """A row of tokens in the form of a service's reply: ended where the model said so, else cut off."""
        config = self._model.generation_config
        ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
        stop = next((place for place, token in enumerate(tokens) if token in ends), None)
        words = self._processor.tokenizer.decode(tokens[:stop], skip_special_tokens=True)
        choice = {"finish_reason": "length" if stop is None else "stop", "message": {"role": "assistant", "content": words}}
        n_reply = len(tokens) if stop is None else stop + 1
        usage = {"prompt_tokens": n_prompt, "completion_tokens": n_reply}
        return {"object": "chat.completion", "choices": [choice], "usage": usage}


class BatchWire:
    """A way to a model in this process: questions that come at about the same time are answered together.

    Args:
        model: loaded when this is entered.
        batch_size: most questions at once.
    """

    def __init__(self, model: LocalModel, batch_size: int) -> None:
        self._model, self._batch_size = model, batch_size
        self._waiting: asyncio.Queue[tuple[Question, int, asyncio.Future[dict[str, Any]]]] = asyncio.Queue()

    async def __aenter__(self) -> BatchWire:
        await asyncio.to_thread(self._model.load)
        self._task = asyncio.create_task(self._answer_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def ask(self, question: Question, mode: str, max_tokens: int) -> Exchange:
        """The model's reply, see `comix.vlm.api.wire.Wire.ask`."""
        started = time.monotonic()
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        await self._waiting.put((question, max_tokens, future))
        reply = await future
        return Exchange(status=200, body=json.dumps(reply).encode(), seconds=time.monotonic() - started)

    async def _answer_all(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(_GATHER_S)
            while len(batch) < self._batch_size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._answer(batch)

    async def _answer(self, batch: list[tuple[Question, int, asyncio.Future[dict[str, Any]]]]) -> None:
        asked = [(request_text(question, "none"), question.picture.data) for question, _, _ in batch]
        replies: Sequence[Mapping[str, Any] | BaseException]
        try:
            replies = await asyncio.to_thread(self._model.answers, asked, max(most for _, most, _ in batch))
        except Exception as error:  # noqa: BLE001  (each question of the batch gets it; none may wait for ever)
            replies = [error] * len(batch)
        for (_, _, future), reply in zip(batch, replies, strict=True):
            if future.done():
                continue
            if isinstance(reply, BaseException):
                future.set_exception(reply)
            else:
                future.set_result(dict(reply))
