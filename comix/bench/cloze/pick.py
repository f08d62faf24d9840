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
from comix.metrics.bootstrap import book_interval
from comix.models.batch import LAYOUT_NAMES, Batch
from comix.models.closure_lite import ClosureLite
from comix.models.encoder_names import IMAGE_DIM, TEXT_DIM
from comix.models.frozen import image_encoder, text_encoder
from comix.train.checkpoint import LoadedModel

Floats = NDArray[np.float32]
UNTRAINED = "picture features, untrained"
_AT_ONCE = 16
_KEPT = 4096


@dataclass
class _Tally:
    """What became of the questions of one task."""

    books: list[str] = field(default_factory=list)
    points: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, scores: Floats, correct: int) -> None:
        best = scores >= scores.max()
        self.points[name].append((float(best[correct] / best.sum()), bool(best.sum() > 1)))


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
        asked = []
        for one in some:
            why = pictures.fault(one)
            if why:
                left_out.append(f"{one.name}: {why}")
            else:
                asked.append(one)
        if asked:
            scores = {UNTRAINED: _by_features(asked, pictures)}
            scores |= {model: _by_model(loaded, asked, pictures) for model, loaded in models.items()}
            for place, one in enumerate(asked):
                for tally in (tallies["all"], tallies[one.task]):
                    tally.books.append(one.book)
                    tally.add("chance", np.zeros(len(one.candidates), np.float32), one.correct)
                    for scorer, found in scores.items():
                        tally.add(scorer, found[place], one.correct)
        for one in some:
            show(one.name)
    if not tallies:
        raise UsageError(
            f"{name}: none of {len(left_out)} questions can be asked; first: {left_out[0] if left_out else 'none'}"
        )
    groups = tallies if len(tallies) > 2 else {"all": tallies["all"]}
    rows = [
        _row(scorer, name if group == "all" else f"{name}: {group}", tally, points, n_resamples)
        for group, tally in groups.items()
        for scorer, points in tally.points.items()
    ]
    notes = [f"{name}: {len(left_out)} questions are left out; first: {left_out[0]}"] if left_out else []
    return rows, notes


def _row(scorer: str, group: str, tally: _Tally, points: Sequence[tuple[float, bool]], n_resamples: int) -> Row:
    right, ties = np.array([one[0] for one in points]), np.array([one[1] for one in points])
    counts = np.stack([right, np.ones(len(right))], axis=1)
    interval = book_interval(counts, tally.books, lambda sums: sums[..., 0] / sums[..., 1], n_resamples)
    figures = {"accuracy": float(right.mean()), "ties": float(ties.mean())}
    return Row(scorer, group, len(right), figures, {} if interval is None else {"accuracy": interval})


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
            while len(self._images) >= _AT_ONCE * 32:
                self._images.pop(next(iter(self._images)))
            try:
                self._images[panel.name] = decode_bgr(panel.read())
            except ItemError as error:
                self._images[panel.name] = error
        return self._images[panel.name]

    def features(self, panels: Sequence[Panel]) -> Floats:
        """Raw features ``(n, 1280)``; zeros where there is no picture."""
        new = {one.name: image for one in panels if one.name not in self._features and (image := self.image(one)) is not None}
        fresh = [(name, image) for name, image in new.items() if not isinstance(image, ItemError)]
        out = np.zeros((len(panels), IMAGE_DIM), np.float32)
        if fresh:
            found = image_encoder().encode([image for _, image in fresh])
            self._features |= dict(zip((name for name, _ in fresh), found, strict=True))
        for row, one in enumerate(panels):
            if one.name in self._features:
                out[row] = self._features[one.name]
        while len(self._features) > _KEPT:
            self._features.pop(next(iter(self._features)))
        return out


def _by_features(questions: Sequence[PanelQuestion], pictures: _Pictures) -> list[Floats]:
    """Cosine of each candidate to the mean of the context."""
    return [
        _unit(pictures.features(one.candidates)) @ _unit(_unit(pictures.features(one.context)).mean(axis=0))
        for one in questions
    ]


def _unit(vectors: Floats) -> Floats:
    out: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return out


@torch.inference_mode()
def _by_model(loaded: LoadedModel, questions: Sequence[PanelQuestion], pictures: _Pictures) -> list[Floats]:
    """A checkpoint's scores of the candidates of each question, each question being a page: context first, then candidates."""
    model = loaded.model
    batch = _batch(loaded, questions, pictures)
    encoded = model.encode(batch)
    is_context = torch.cat([torch.arange(len(_panels(one))) < len(one.context) for one in questions])
    pages = model.pages_of(encoded.content, batch, is_context)  # (b, d)
    scores = _scores(model, encoded.content, pages)  # (n, b)
    found = []
    for place in range(len(questions)):
        rows = (batch.page_index == place) & ~is_context
        found.append(scores[rows, place].float().numpy())
    return found


def _scores(model: ClosureLite, panels: torch.Tensor, pages: torch.Tensor) -> torch.Tensor:
    if model.pop is not None:
        out: torch.Tensor = model.pop(panels, pages)
        return out
    unit = torch.nn.functional.normalize
    return unit(panels, dim=1) @ unit(pages, dim=1).T


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
