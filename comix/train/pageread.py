"""Held-out pages drawn as a model reads them, for loggers that show pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from comix.data.module import Blocks
from comix.io.draw import draw_boxes
from comix.io.images import read_bgr
from comix.models.closure_lite import ClosureLite
from comix.models.decode import decode_order

_LONG_SIDE = 800


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page as a model reads it.

    Attributes:
        picture: JPEG bytes, panels numbered in the order that the model reads them in.
        n_panels: on the page; ``n_wrong`` of them stand elsewhere in the page's own order.
    """

    page_id: str
    picture: bytes
    n_panels: int
    n_wrong: int


def read_pages(model: ClosureLite, blocks: Blocks, n: int) -> list[ReadPage]:
    """The first ``n`` pages of two panels or more, drawn with the order that a model reads them in; on the CPU."""
    pages = blocks.batches.pages
    chosen = [place for block in blocks.pages for place in block if len(pages[place].boxes) > 1][:n]
    by_id = {pages[place].page_id: pages[place] for place in chosen}
    found: list[ReadPage] = []
    for batch in Blocks(blocks.batches, chosen, blocks.seed):
        with torch.no_grad():
            logits = model.eval().next_panel_logits(model.encode(batch), batch).float().numpy()
        orders = torch.split(batch.order, batch.n_panels.tolist())
        for page_id, steps, order in zip(batch.page_ids, logits, orders, strict=True):
            page = by_id[page_id]
            read = [int(order[slot]) for slot in decode_order(steps, len(order))]
            numbers = [str(place + 1) for place in range(len(read))]
            picture = draw_boxes(read_bgr(page.image), [page.boxes[one] for one in read], numbers, _LONG_SIDE)
            wrong = sum(one != place for place, one in enumerate(read))
            found.append(ReadPage(page.page_id, picture, len(read), wrong))
    return found
