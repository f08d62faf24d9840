"""Which pages the report shows in full."""

from __future__ import annotations

import pandas as pd

_LESS_TELLING = ("cover", "back_cover", "ad_third_party", "letters", "editorial", "title_page")


def choose_pages(frame: pd.DataFrame, max_pages: int) -> list[str]:
    """Page ids to show, in table order: every book represented, the richest pages of each book first.

    With more books than places, books are taken at even distances through the table.

    Args:
        frame: see `fill_frame`.
        max_pages: at most this many.

    >>> rows = {"book_id": list("aaab"), "score": [0, 4, 3, 1], "n_panels": [1, 5, 9, 2], "n_texts": 0, "page_num": 1,
    ...         "page_type": ""}
    >>> choose_pages(pd.DataFrame(rows, index=["a/1", "a/2", "a/3", "b/1"]), 3)
    ['a/2', 'a/3', 'b/1']
    """
    if max_pages <= 0 or frame.empty:
        return []
    worth = frame["score"].fillna(0) * 10 + frame["n_panels"].clip(upper=9) + frame["n_texts"].clip(upper=20) / 4
    worth = worth + 2 * ~frame["page_type"].isin(_LESS_TELLING)
    ranked = pd.DataFrame({"book": frame["book_id"], "worth": worth, "page_num": frame["page_num"]})
    ranked = ranked.sort_values(["worth", "page_num"], ascending=[False, True], kind="stable")
    ranked["turn"] = ranked.groupby("book", sort=False).cumcount()
    books = list(frame["book_id"].unique())
    if len(books) > max_pages:
        taken = {books[position * len(books) // max_pages] for position in range(max_pages)}
        ranked = ranked[ranked["book"].isin(taken)]
    places = {book: position for position, book in enumerate(books)}
    ranked["place"] = ranked["book"].map(places)
    chosen = set(ranked.sort_values(["turn", "place"], kind="stable").index[:max_pages])
    return [str(page_id) for page_id in frame.index if page_id in chosen]
