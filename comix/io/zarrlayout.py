"""The embedding store's layout: every array with its dimensions, type and the value of an empty slot.

Names, dimensions and chunks are the document's; ours come after them. Padding is never a number that could pass for data:
NaN in floats, False in masks, -2 in `reading_order`, "" in texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["row", "data", "norm"]

EMPTY, WRITTEN, FAILED, NO_PANELS = 0, 1, 2, 3
"""Values of `status`: not reached yet, embedded, failed (see the journal), a page without panels."""

END_OF_PAGE, NO_PANEL, BEYOND_SLOTS = -1, -2, -3
"""Values of `reading_order` beside panel numbers: the page ends here; no panel in this slot; the next one was dropped."""


@dataclass(frozen=True, slots=True)
class Dims:
    """Sizes that a store keeps for life.

    Attributes:
        max_panels: slots per page; further panels of a page are counted in ``n_panels_dropped``.
        embedding: width of panel and page embeddings.
        image: width of the image features; ``text`` of the text features.
    """

    max_panels: int
    embedding: int
    image: int
    text: int

    def size(self, dimension: str) -> int:
        """Length of a dimension other than ``page_id``."""
        sizes = {
            "panel_id": self.max_panels, "next_dim": self.max_panels + 1, "coord_dim": 4,
            "embedding_dim": self.embedding, "image_dim": self.image,
            "text_dim": self.text,
        }  # fmt: skip
        return sizes[dimension]


@dataclass(frozen=True, slots=True)
class Variable:
    """One array of the store.

    Attributes:
        dims: dimension names; all start with ``page_id``.
        dtype: as zarr names it; ``string`` is variable-length.
        empty: value of padding and of rows that are not written yet.
        kind: ``row`` is set once when the row is made, ``data`` by `embed`, ``norm`` by `index`.
        about: its ``long_name``.
    """

    dims: tuple[str, ...]
    dtype: str
    empty: Any
    kind: Kind
    about: str

    def shape(self, n_rows: int, dims: Dims) -> tuple[int, ...]:
        """Its shape with so many rows."""
        return (n_rows, *(dims.size(name) for name in self.dims[1:]))


_PAGE, _PANEL = ("page_id",), ("page_id", "panel_id")
_NAN = float("nan")

VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        "manifest_path": Variable(_PAGE, "string", "", "row", "DataSpec, relative to the workspace where it is inside"),
        "source": Variable(_PAGE, "string", "", "row", "library the book came from"),
        "series": Variable(_PAGE, "string", "", "row", "from metadata, else empty"),
        "volume": Variable(_PAGE, "string", "", "row", "from metadata, else empty"),
        "issue": Variable(_PAGE, "string", "", "row", "from metadata, else empty"),
        "page_num": Variable(_PAGE, "int32", 0, "row", "position in reading sequence, from 1"),
        "image_path": Variable(_PAGE, "string", "", "row", "page image, relative to the workspace where it is inside"),
        "page_id": Variable(_PAGE, "string", "", "row", "book_id/NNNN, permanent"),
        "panel_embeddings": Variable((*_PANEL, "embedding_dim"), "float32", _NAN, "data", "fused panel embeddings"),
        "page_embeddings": Variable((*_PAGE, "embedding_dim"), "float32", _NAN, "data", "attention-pooled page embeddings"),
        "attention_weights": Variable(_PANEL, "float32", _NAN, "data", "weight of each panel in its page; together 1"),
        "reading_order": Variable(
            _PANEL, "int16", NO_PANEL, "data",
            "predicted next panel among the page's own; -1 the page ends here, -2 no panel in this slot, -3 it was dropped",
        ),
        "next_panel_probability": Variable(
            (*_PANEL, "next_dim"), "float32", _NAN, "data",
            "that the panel of a slot comes next; the last that the page ends here; what is short of 1 is of dropped panels",
        ),
        "panel_coordinates": Variable((*_PANEL, "coord_dim"), "float32", _NAN, "data", "boxes in pixels of the page image"),
        "text_content": Variable(_PANEL, "string", "", "data", "literal words of the panel, whole"),
        "panel_mask": Variable(_PANEL, "bool", False, "data", "True where there is a panel"),
        "panel_image_embeddings": Variable((*_PANEL, "image_dim"), "float32", _NAN, "data", "image encoder only"),
        "panel_text_embeddings": Variable(
            (*_PANEL, "text_dim"), "float32", _NAN, "data", "text encoder only; NaN for a panel without words"
        ),
        "n_panels_dropped": Variable(_PAGE, "int32", 0, "data", "panels of the page beyond the slots"),
        "row_digest": Variable(_PAGE, "uint64", 0, "data", "hash of what the row was made from; 0 not written"),
        "status": Variable(_PAGE, "uint8", EMPTY, "data", "0 empty, 1 written, 2 failed, 3 page without panels"),
        "page_embeddings_norm": Variable((*_PAGE, "embedding_dim"), "float32", _NAN, "norm", "page embeddings of length 1"),
        "panel_embeddings_norm": Variable((*_PANEL, "embedding_dim"), "float32", _NAN, "norm", "panel embeddings of length 1"),
    }
)  # fmt: skip
"""Array name -> what it is. ``page_id`` is last of the row variables: a row exists once its id is there; ``status`` is last of
the data: a row is written once its status says so."""


def names(kind: Kind) -> list[str]:
    """Arrays of one kind, in the order they have to be written."""
    return [name for name, variable in VARIABLES.items() if variable.kind == kind]
