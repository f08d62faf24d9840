"""The kinds of comic pages, and the names that other formats and readers have for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

PAGE_TYPES = (
    "cover", "back_cover", "title_page", "splash", "interior", "text", "ad_third_party", "letters", "editorial", "backmatter",
    "preview_comic_pages", "recap", "credits", "blank", "unknown",
)  # fmt: skip
"""``text`` is a page of prose of no known kind; ``unknown`` means that nobody is sure enough."""

FROM_COMICINFO: Mapping[str, str] = MappingProxyType(
    {
        "FrontCover": "cover", "InnerCover": "title_page", "Roundup": "recap", "Story": "interior",
        "Advertisement": "ad_third_party", "Editorial": "editorial", "Letters": "letters",
        "Preview": "preview_comic_pages", "BackCover": "back_cover",
    }
)  # fmt: skip
"""ComicInfo page type -> ours; ``Other`` and ``Deleted`` say nothing of the kind. Source: ComicInfo 2.1, ComicPageType."""

_TO_COMICINFO: Mapping[str, str] = MappingProxyType(
    {
        **{ours: theirs for theirs, ours in FROM_COMICINFO.items()},
        "splash": "Story", "text": "Other", "backmatter": "Other", "credits": "Other", "blank": "Other",
    }
)  # fmt: skip

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "front_cover": "cover", "inner_cover": "title_page", "title": "title_page", "chapter_title": "title_page",
        "splash_page": "splash", "full_page": "splash", "story": "interior", "comic": "interior", "comic_page": "interior",
        "strip": "interior", "webtoon": "interior", "prose": "text", "text_page": "text", "ad": "ad_third_party",
        "ads": "ad_third_party", "advert": "ad_third_party", "advertisement": "ad_third_party", "back_cover_ad": "back_cover",
        "promo_inhouse": "ad_third_party", "subscription_coupon": "ad_third_party", "letter_column": "letters",
        "letters_page": "letters", "back_matter": "backmatter", "preview": "preview_comic_pages", "roundup": "recap",
        "credit": "credits", "credits_page": "credits", "colophon": "credits", "empty": "blank",
    }
)  # fmt: skip


def to_comicinfo(page_type: str) -> str:
    """ComicInfo's name of a page type, "" for ``unknown`` and for what is no page type here.

    >>> to_comicinfo("ad_third_party"), to_comicinfo("splash"), to_comicinfo("unknown")
    ('Advertisement', 'Story', '')
    >>> all(to_comicinfo(ours) == theirs for theirs, ours in FROM_COMICINFO.items())
    True
    """
    return _TO_COMICINFO.get(page_type, "")


def named_page_type(words: str) -> str:
    """The page type that a reader or another tool means, "" when it is none of ours: nothing is guessed.

    >>> named_page_type("Front Cover"), named_page_type("advertisement"), named_page_type("FrontCover"), named_page_type("?")
    ('cover', 'ad_third_party', 'cover', '')
    """
    if words in FROM_COMICINFO:
        return FROM_COMICINFO[words]
    name = re.sub(r"[\s\-/]+", "_", words.strip().lower())
    return name if name in PAGE_TYPES and name != "unknown" else _ALIASES.get(name, "")
