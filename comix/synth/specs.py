"""DataSpecs of composed pages: real panels with their own words, in a layout and order that are known."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from comix.core.errors import MissingInputError
from comix.core.files import write_if_changed
from comix.core.journal import Journal
from comix.core.workspace import Workspace
from comix.io.dataspec import (
    DataSpec,
    PanelSpec,
    PanelText,
    Provenance,
    Quality,
    dataspec_path,
    find_dataspec,
    read_dataspec,
    write_list,
)
from comix.synth.stage import image_name

_WHOLE = 0.02
"""A source panel of which no more than this share is cut off on each side is shown whole."""


def write_specs(workspace: Workspace, name: str, n_pages: int) -> str:
    """Write the DataSpecs of a series composed ``in_sequence``, and lists of them.

    ``synth/<name>/dataspec/<page_id>.json`` and ``synth/<name>/lists/``: ``all.txt``, and one for each strength
    (``strength_strong.txt``) and each family (``family_tiers.txt``). A page's id begins with the book its drawings are from,
    so that splits by book keep composed and real pages of a book together.

    Args:
        workspace: has a DataSpec of every page that gave drawings.
        name: of the series.
        n_pages: pages of the series.

    Returns:
        a note for the user.

    Raises:
        MissingInputError: a page that gave drawings has no DataSpec, or one of other panels.
    """
    folder = workspace.synth_dir(name)
    source = _Source(workspace.dataspec_dir)
    files: dict[str, list[Path]] = defaultdict(list)
    with Journal(workspace.journal("synth"), name) as journal:
        for index, facts in _pages(journal, n_pages):
            spec = _spec(workspace, name, index, facts, source)
            path = dataspec_path(folder / "dataspec", spec.page_id)
            write_if_changed(path, spec.model_dump_json().encode() + b"\n")
            image = facts["image"]
            for key in ("all", f"strength_{image['strength']}", f"family_{image['family']}"):
                files[key].append(path)
    for key, paths in files.items():
        write_list(folder / "lists" / f"{key}.txt", paths)
    return f"{len(files['all'])} DataSpecs with words; {folder / 'lists' / 'all.txt'}"


def _pages(journal: Journal, n_pages: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Composed pages with panels, by number."""
    for key, status, result in journal.along((f"{index:06d}" for index in range(n_pages)), str):
        if status == "done" and result["panels"]:
            yield int(key), result


class _Source:
    """DataSpecs of the pages that gave drawings, a few hundred of them kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.page = lru_cache(maxsize=512)(self._page)

    def _page(self, page_id: str) -> DataSpec:
        path = find_dataspec(self.folder, page_id)
        try:
            return read_dataspec(path)
        except MissingInputError:
            raise MissingInputError(
                f"{path}: no DataSpec of {page_id}, whose panels are on composed pages; first run: comix align"
            ) from None

    def panel(self, page_id: str, order: int) -> PanelSpec:
        """The panel that a drawing is of."""
        spec = self.page(page_id)
        if order >= len(spec.panels):
            raise MissingInputError(
                f"{page_id}: a drawing is of its panel {order}, its DataSpec has {len(spec.panels)} panels; compose from the "
                "detections that comix align used"
            )
        return spec.panels[order]


def _spec(workspace: Workspace, name: str, index: int, facts: Mapping[str, Any], source: _Source) -> DataSpec:
    image = facts["image"]
    relative = (workspace.synth_dir(name) / image_name(index)).relative_to(workspace.root)
    shown = [(one, source.panel(one["source_page_id"], one["source_panel"])) for one in facts["panels"]]
    first = source.page(facts["panels"][0]["source_page_id"])
    book = first.page_id.rpartition("/")[0] or first.page_id
    panels = [_panel(order, one, real) for order, (one, real) in enumerate(shown)]
    with_words = sum(bool(panel.text.all()) for panel in panels)
    return DataSpec(
        page_image_path=relative.as_posix(),
        panels=panels,
        page_id=f"{book}/{name}-{index:06d}",
        page_size=[image["width"], image["height"]],
        reading_direction=image["reading_direction"],
        order_source="constructed",
        page_type="interior",
        provenance=Provenance(
            detector="synth", reader=first.provenance.reader, reader_model=first.provenance.reader_model, panel_source="given",
            assignment="composed", container="", member="",
            sha256=hashlib.sha256((workspace.root / relative).read_bytes()).hexdigest(),
        ),
        quality=Quality(
            score=4, panel_count_ratio=None, text_coverage=round(with_words / len(panels), 4), order_margin=1.0,
            assigned_text_share=None,
        ),
    )  # fmt: skip


def _panel(order: int, one: Mapping[str, Any], real: PanelSpec) -> PanelSpec:
    """The composed panel with the words of the part that it shows; where each stands on the new page is not told."""
    left, top, right, bottom = one["source_window"]
    is_whole = left <= _WHOLE and top <= _WHOLE and right >= 1 - _WHOLE and bottom >= 1 - _WHOLE
    texts = [text for text in real.texts if is_whole or _is_shown(text.bbox, real.panel_coords, one["source_window"])]
    said: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        said[text.kind].append(text.text)
    return PanelSpec(
        panel_coords=one["bbox"],
        text=PanelText(**said) if real.texts else real.text,
        order=order,
        confidence=1.0,
        text_confidence=real.text_confidence if texts else None,
        texts=[text.model_copy(update={"bbox": None}) for text in texts],
        polygon=[list(point) for point in one["polygon"]],
        characters=real.characters,
    )


def _is_shown(bbox: list[float] | None, panel: list[float], window: list[float]) -> bool:
    """Whether the middle of a text lies in the part of its panel that is shown; True where nobody knows."""
    if bbox is None:
        return True
    x = (bbox[0] + bbox[2] / 2 - panel[0]) / panel[2]
    y = (bbox[1] + bbox[3] / 2 - panel[1]) / panel[3]
    return window[0] <= x <= window[2] and window[1] <= y <= window[3]
