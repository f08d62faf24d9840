"""Which panel comes next, told by pictures: raw features, and trained checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from comix.bench.cloze.accuracy import accuracy_row
from comix.bench.cloze.panels import Panel, PanelQuestion
from comix.bench.figures import Row
from comix.core.errors import ItemError, UsageError
from comix.core.geometry import Box
from comix.data.batch import Places, collated
from comix.data.crops import squares_of
from comix.data.features import PanelFeatures
from comix.data.page import PageExample
from comix.data.pixels import pixel_batch
from comix.io.images import BgrImage, decode_bgr
from comix.models.batch import LAYOUT_NAMES, Batch
from comix.models.encoder_names import IMAGE_DIM, TEXT_DIM
from comix.models.frozen import image_encoder, text_encoder
from comix.train.checkpoint import LoadedModel

Floats = NDArray[np.float32]
UNTRAINED = "picture features, untrained"
_AT_ONCE = 16
_IMAGES, _FEATURES = 512, 4096
"""Pictures, and their features, that are kept at most."""


@dataclass
class _Tally:
    """What became of the questions of one task."""

    books: list[str] = field(default_factory=list)
    points: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, scores: Floats, correct: int) -> None:
        best = scores >= scores.max()
        self.points[name].append((float(best[correct] / best.sum()), bool(best.sum() > 1)))

    def row(self, name: str, group: str, n_resamples: int) -> Row:
        right, is_tie = (np.array(one) for one in zip(*self.points[name], strict=True))
        return accuracy_row(name, group, right, is_tie, self.books, n_resamples)


def evaluate_panels(
    name: str, questions: Iterable[PanelQuestion], models: Mapping[str, LoadedModel], n_resamples: int = 1000,
    show: Callable[[str], None] = lambda _: None,
) -> tuple[list[Row], list[str]]:  # fmt: skip
    """Share of questions answered right, in all and per task where there are several; candidates that tie share the point.

    A checkpoint is shown pictures and words, no places; a candidate's score is that of its "panel on page" head for the context
    taken as a page, or their cosine where it has none. A question with a picture that cannot be read, or without context, is
    left out and counted.

    Args:
        name: of the file, for the rows.
        models: checkpoints by name.
        show: told the name of every question that is done.

    Returns:
        Rows and notes.

    Raises:
        UsageError: not one question could be asked.
    """
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    pictures = _Pictures()
    left_out: list[str] = []
    for some in _chunks(questions):
        faults = [pictures.fault(one) for one in some]
        left_out += [f"{one.name}: {why}" for one, why in zip(some, faults, strict=True) if why]
        _ask([one for one, why in zip(some, faults, strict=True) if not why], models, pictures, tallies)
        for one in some:
            show(one.name)
    if not tallies:
        raise UsageError(
            f"{name}: none of {len(left_out)} questions can be asked; first: {left_out[0] if left_out else 'none'}"
        )
    groups = tallies if len(tallies) > 2 else {"all": tallies["all"]}
    rows = [
        tally.row(scorer, name if group == "all" else f"{name}: {group}", n_resamples)
        for group, tally in groups.items()
        for scorer in tally.points
    ]
    notes = [f"{name}: {len(left_out)} questions are left out; first: {left_out[0]}"] if left_out else []
    return rows, notes


def _ask(
    asked: Sequence[PanelQuestion], models: Mapping[str, LoadedModel], pictures: _Pictures, tallies: dict[str, _Tally]
) -> None:
    """Count what everyone answers, over all tasks and in the question's own."""
    if not asked:
        return
    scores = {"chance": [np.zeros(len(one.candidates), np.float32) for one in asked], UNTRAINED: _by_features(asked, pictures)}
    scores |= {model: _by_model(loaded, asked, pictures) for model, loaded in models.items()}
    for place, one in enumerate(asked):
        for tally in (tallies["all"], tallies[one.task]):
            tally.books.append(one.book)
            for scorer, found in scores.items():
                tally.add(scorer, found[place], one.correct)


def _chunks(questions: Iterable[PanelQuestion]) -> Iterator[list[PanelQuestion]]:
    rest = iter(questions)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


class _Pictures:
    """Pictures and their raw features, the latest kept: a page's questions share most of their panels."""

    def __init__(self) -> None:
        self._images: dict[str, BgrImage | ItemError] = {}
        self._features: dict[str, Floats] = {}

    def fault(self, question: PanelQuestion) -> str:
        """Why a question cannot be asked; "" when it can."""
        if not question.context:
            return "no panel before the answer"
        for panel in (*question.context, *question.candidates):
            found = self.image(panel)
            if isinstance(found, ItemError):
                return f"{found.reason}: {found.detail}"
        return ""

    def image(self, panel: Panel) -> BgrImage | ItemError | None:
        """The picture, what is wrong with it, or None where there is none."""
        if panel.read is None:
            return None
        if panel.name not in self._images:
            while len(self._images) >= _IMAGES:
                self._images.pop(next(iter(self._images)))
            try:
                self._images[panel.name] = decode_bgr(panel.read())
            except ItemError as error:
                self._images[panel.name] = error
        return self._images[panel.name]

    def features(self, panels: Sequence[Panel]) -> Floats:
        """Raw features ``(n, 1280)``; zeros where there is no picture."""
        fresh = {
            one.name: image
            for one in panels
            if one.name not in self._features and isinstance(image := self.image(one), np.ndarray)
        }
        out = np.zeros((len(panels), IMAGE_DIM), np.float32)
        if fresh:
            self._features |= dict(zip(fresh, image_encoder().encode(list(fresh.values())), strict=True))
        for row, one in enumerate(panels):
            if one.name in self._features:
                out[row] = self._features[one.name]
        while len(self._features) > _FEATURES:
            self._features.pop(next(iter(self._features)))
        return out


def _by_features(questions: Sequence[PanelQuestion], pictures: _Pictures) -> list[Floats]:
    """Cosine of each candidate to the mean of the context."""
    flat = normalize(pictures.features([panel for one in questions for panel in _panels(one)]))
    parts = np.split(flat, np.cumsum([len(_panels(one)) for one in questions])[:-1])
    found = []
    for part, one in zip(parts, questions, strict=True):
        context, candidates = np.split(part, [len(one.context)])
        found.append(candidates @ normalize(context.mean(axis=0, keepdims=True))[0])
    return found


@torch.inference_mode()
def _by_model(loaded: LoadedModel, questions: Sequence[PanelQuestion], pictures: _Pictures) -> list[Floats]:
    """A checkpoint's scores of the candidates of each question, each question being a page: context first, then candidates."""
    model = loaded.model
    batch = _batch(loaded, questions, pictures)
    encoded = model.encode(batch)
    is_context = torch.cat([torch.arange(len(_panels(one))) < len(one.context) for one in questions])
    pages = model.pages_of(encoded.content, batch, is_context)  # (b, d)
    scores = model.belonging(encoded.content, pages)  # (n, b)
    found = []
    for place in range(len(questions)):
        rows = (batch.page_index == place) & ~is_context
        found.append(scores[rows, place].float().numpy())
    return found


def _panels(question: PanelQuestion) -> tuple[Panel, ...]:
    return (*question.context, *question.candidates)


def _batch(loaded: LoadedModel, questions: Sequence[PanelQuestion], pictures: _Pictures) -> Batch:
    pages = [_page(number, one) for number, one in enumerate(questions)]
    panels = [_panels(one) for one in questions]
    flat = [panel for some in panels for panel in some]
    places = [Places(np.zeros((len(one), len(LAYOUT_NAMES)), np.float32), np.full(len(one), -1)) for one in panels]
    has_image = np.array([panel.read is not None for panel in flat])
    has_text = np.array([bool(panel.text) for panel in flat])
    if loaded.reader is not None:
        side = loaded.reader.side
        blank = np.full((2, 2, 3), 127, np.uint8)

        def crops(page: PageExample) -> list[Any]:
            found = [pictures.image(panel) for panel in panels[int(page.page_id)]]
            return [blank if one is None else one for one in found]

        batch = pixel_batch(pages, loaded.reader, squares=lambda page: squares_of(page, side, crops), places=places)
        batch = replace(batch, has_image=torch.from_numpy(has_image))
    else:
        words = np.zeros((len(flat), TEXT_DIM), np.float32)
        if has_text.any():
            words[has_text] = text_encoder().encode([panel.text for panel in flat if panel.text])
        offsets = np.cumsum([0, *map(len, panels)])
        features = PanelFeatures(pictures.features(flat), words, has_image, has_text, offsets)
        batch = collated(pages, features, places=places)[0]
    return replace(batch, has_layout=torch.zeros(len(flat), dtype=torch.bool))


def _page(number: int, question: PanelQuestion) -> PageExample:
    panels = _panels(question)
    boxes = (Box(0, 0, 1, 1),) * len(panels)
    return PageExample(str(number), question.book, Path(), "", 1, 1, "ltr", boxes, tuple(one.text for one in panels))
