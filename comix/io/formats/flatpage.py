"""A page as one flat JSON-able row: what Hugging Face, WebDataset and guided-view files hold.

Every row of a file has the same keys and the same types in them, as table formats want.
"""

from __future__ import annotations

from typing import Any

from comix.core.errors import FileFormatError
from comix.io.formats.exchange import PageEntry, checked_page

REGION_KEYS = ("category", "bbox", "polygon", "score", "order", "id", "characters", "description")
WORDS_KEYS = ("text", "kind", "bbox", "polygon", "speaker", "confidence", "panel", "region", "is_outside")
PAGE_KEYS = ("page_id", "width", "height", "reading_direction", "page_type", "is_ordered", "margin")


def flat_row(page: PageEntry, meta: dict[str, Any]) -> dict[str, Any]:
    """The row of a page.

    Args:
        page: boxes stay ``[x, y, w, h]``, polygons ``[[x, y], ...]``.
        meta: what the page table says of it, put between the page's own keys and its regions.

    >>> flat_row(PageEntry(page_id="b/0001"), {"title": "B"})["title"]
    'B'
    """
    row: dict[str, Any] = {key: getattr(page, key) for key in PAGE_KEYS}
    row.update(meta)
    row["regions"] = [{key: _plain(getattr(one, key)) for key in REGION_KEYS} for one in page.regions]
    row["texts"] = [{key: _plain(getattr(one, key)) for key in WORDS_KEYS} for one in page.words]
    return row


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def page_from_row(where: str, row: Any) -> PageEntry:
    """The page of a row; keys that this model does not have are passed over.

    Raises:
        FileFormatError: not such a row; says where.
    """
    if not isinstance(row, dict) or not isinstance(row.get("regions"), list):
        raise FileFormatError(f"{where}: wanted a row with a list 'regions', as comix export writes it")
    regions = [_chosen(where, one, REGION_KEYS) for one in row["regions"]]
    words = [_chosen(where, one, WORDS_KEYS) for one in _listed(where, row.get("texts"))]
    page_keys = {key: row[key] for key in PAGE_KEYS if row.get(key) is not None}
    name = str(row.get("file_name") or "")
    label = str(row.get("page_id") or name)
    return checked_page(where, {**page_keys, "label": label, "file_name": name, "regions": regions, "words": words})


def _listed(where: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise FileFormatError(f"{where}: texts must be a list, found {value!r}")
    return value


def _chosen(where: str, one: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(one, dict):
        raise FileFormatError(f"{where}: wanted an object in regions and texts, found {one!r}")
    return {key: one[key] for key in keys if one.get(key) is not None}
