"""Plots of a trained model: the next panel as a matrix, attention over the page, precision and recall, a map of the pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import ItemError
from comix.core.files import write_bytes
from comix.core.geometry import Box
from comix.io.images import read_bgr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MANY_BOOKS = 10
_LEAST_FOR_MAP = 5


@dataclass(frozen=True, slots=True)
class PageSight:
    """What a model makes of one page, panels in their true order.

    Attributes:
        following: ``(n, n + 1)`` probability of each panel being read next, the last column "end"; rows sum to 1.
        attention: ``(n,)``, sums to 1.
    """

    page_id: str
    image: Path
    boxes: tuple[Box, ...]
    following: NDArray[np.float64]
    attention: NDArray[np.float32]


def write_plots(
    folder: Path, sights: Sequence[PageSight], right: NDArray[np.float64], wrong: NDArray[np.float64],
    vectors: NDArray[np.float32], books: Sequence[str],
) -> list[tuple[str, str]]:  # fmt: skip
    """Write ``plots/*.png``; file name and caption of each.

    Args:
        sights: some pages; ``right`` and ``wrong`` scores of panels on their own and on other pages.
        vectors: ``(n, d)`` page embeddings; ``books`` of these pages.
    """
    made = []
    for number, sight in enumerate(sights, 1):
        made.append((f"plots/page_{number}.png", f"{sight.page_id}: attention on each panel, and what is read after which"))
        _write(folder / made[-1][0], _page(sight))
    if len(right) and len(wrong):
        made.append(("plots/panel_on_page.png", "Panel on page, without the panel itself: precision and recall"))
        _write(folder / made[-1][0], _precision_recall(right, wrong))
    if len(vectors) >= _LEAST_FOR_MAP:
        figure, how = _map(vectors, books)
        made.append(("plots/pages.png", f"Page embeddings, {how}; a colour per book"))
        _write(folder / made[-1][0], figure)
    return made


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _write(path: Path, figure: Figure) -> None:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    write_bytes(path, data.getvalue())


def _page(sight: PageSight) -> Figure:
    figure = _figure(9, 4.6)
    page, matrix = figure.subplots(1, 2)
    try:
        page.imshow(read_bgr(sight.image)[..., ::-1])
    except ItemError:
        page.set_title("the image cannot be read")
    peak = max(float(sight.attention.max()), 1e-9)
    for number, (box, share) in enumerate(zip(sight.boxes, sight.attention.tolist(), strict=True), 1):
        page.fill([box.x, box.r, box.r, box.x], [box.y, box.y, box.b, box.b], color="tab:orange", alpha=0.65 * share / peak)
        page.text(box.cx, box.cy, f"{number}: {share:.0%}", ha="center", va="center", fontsize=9, backgroundcolor="white")
    page.set_axis_off()
    n = len(sight.boxes)
    matrix.imshow(sight.following, vmin=0, vmax=1, cmap="Blues")
    matrix.set_xticks(range(n + 1), [*map(str, range(1, n + 1)), "end"])
    matrix.set_yticks(range(n), [str(one) for one in range(1, n + 1)])
    matrix.set_xlabel("read next")
    matrix.set_ylabel("after panel")
    for row, column in np.argwhere(sight.following >= 0.05).tolist():
        value = sight.following[row, column]
        matrix.text(
            column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color="white" if value > 0.5 else "black"
        )
    return figure


def _precision_recall(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> Figure:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    labels = np.concatenate([np.ones(len(right)), np.zeros(len(wrong))])
    scores = np.concatenate([right, wrong])
    precision, recall, _ = precision_recall_curve(labels, scores)
    figure = _figure(5, 4)
    axes = figure.subplots()
    axes.plot(recall, precision, label=f"model, area {average_precision_score(labels, scores):.3f}")
    chance = len(right) / len(labels)
    axes.axhline(chance, color="grey", linestyle="--", label=f"chance, {chance:.3f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend()
    return figure


def _map(vectors: NDArray[np.float32], books: Sequence[str]) -> tuple[Figure, str]:
    points, how = _flat(vectors)
    figure = _figure(7, 5)
    axes = figure.subplots()
    names = sorted(set(books), key=lambda name: (-list(books).count(name), name))
    for name in names[:_MANY_BOOKS]:
        rows = np.array([book == name for book in books])
        axes.scatter(points[rows, 0], points[rows, 1], s=14, label=name)
    rest = np.array([book in names[_MANY_BOOKS:] for book in books])
    if rest.any():
        axes.scatter(points[rest, 0], points[rest, 1], s=10, color="lightgrey", label=f"{len(names) - _MANY_BOOKS} other books")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure, how


def _flat(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], str]:
    """Two dimensions ``(n, 2)`` and how they were made: by UMAP where it is installed, else by t-SNE."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    try:
        import umap
    except ImportError:
        from sklearn.manifold import TSNE

        near = min(30.0, (len(unit) - 1) / 3)
        found: Any = TSNE(perplexity=near, init="pca", random_state=0, metric="cosine").fit_transform(unit)
        return np.asarray(found, np.float64), "t-SNE of cosines (pip install umap-learn for UMAP)"
    found = umap.UMAP(n_neighbors=min(15, len(unit) - 1), metric="cosine", random_state=0).fit_transform(unit)
    return np.asarray(found, np.float64), "UMAP of cosines"
