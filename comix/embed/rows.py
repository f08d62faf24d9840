"""The pages of a list as inputs of the stage, and what a row of the store knows of its page from the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.files import digest
from comix.core.page import PageRecord
from comix.data.lists import Rejected
from comix.data.page import PageExample
from comix.io.zarrlayout import names


@dataclass(frozen=True, slots=True)
class EmbedInput:
    """One page of the list.

    Attributes:
        key: its id, or the path of a DataSpec that cannot be read and so has no row.
        digest: hash of all that its row is made from, never 0.
        page: None for a page without panels or with a fault.
        reason: why there is no page, ``no_panels`` or a failure's code; ``detail`` what was found.
    """

    key: str
    digest: int
    page: PageExample | None = None
    reason: str = ""
    detail: str = ""

    @property
    def fingerprint(self) -> str:
        """The digest as the journal keeps it."""
        return f"{self.digest:016x}"


def embed_inputs(
    pages: Sequence[PageExample], rejected: Sequence[Rejected], model_hash: str, max_panels: int
) -> list[EmbedInput]:
    """Pages and faults of a list, each key once: a page listed twice is one input."""
    made: dict[str, EmbedInput] = {}
    for page in pages:
        boxes = [box.xywh for box in page.boxes]
        content: Any = ("page", page.sha256, page.width, page.height, page.direction, boxes, page.texts)
        made.setdefault(page.page_id, EmbedInput(page.page_id, _row_digest(model_hash, max_panels, content), page))
    for one in rejected:
        key, content = one.page_id or one.path, ("fault", one.reason, one.detail)
        made.setdefault(key, EmbedInput(key, _row_digest(model_hash, max_panels, content), None, one.reason, one.told))
    return list(made.values())


def _row_digest(*parts: object) -> int:
    return int(digest("row 2", *parts), 16) or 1


def row_facts(
    page_ids: Iterable[str],
    records: Mapping[str, PageRecord],
    images: Mapping[str, Path],
    manifests: Mapping[str, Path],
    root: Path,
) -> list[dict[str, Any]]:
    """The ``row`` variables of pages, in the order given.

    Args:
        page_ids: their ids.
        records: the page table by id; pages that are not in it keep empty facts.
        images: image files by id, for pages that are not in the table.
        manifests: DataSpec files by id.
        root: the workspace; paths inside it are stored relative to it.
    """
    rows = []
    for page_id in page_ids:
        record = records.get(page_id)
        row: dict[str, Any] = {**dict.fromkeys(names("row"), ""), "page_id": page_id, "page_num": 0}
        if record is not None:
            taken = ("source", "series", "volume", "issue", "page_num", "image_path")
            row |= {name: getattr(record, name) for name in taken}
        elif page_id in images:
            row["image_path"] = _inside(images[page_id], root)
        if page_id in manifests:
            row["manifest_path"] = _inside(manifests[page_id], root)
        rows.append(row)
    return rows


def _inside(path: Path, root: Path) -> str:
    full = path.resolve()
    return full.relative_to(root.resolve()).as_posix() if full.is_relative_to(root.resolve()) else full.as_posix()
