"""Foreign JSONs joined with pages by exact rules; what fits no page or several is listed, never used.

Rules, surest first: the given map; what the JSON itself says (page id, canonical id, image path); the same relative path,
suffix dropped, below the JSON folder and below an image root. Never a base name, a number or a part of a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from comix.core.pathforms import RootMap, below, posix_form, without_suffix

_AMBIGUOUS = -2


class Unmatched(NamedTuple):
    """One line of ``unmatched.csv``: what was left out and why; candidates are only listed."""

    kind: str
    item: str
    reason: str
    candidates: tuple[str, ...] = ()


class Json(NamedTuple):
    """A foreign JSON.

    Attributes:
        path: relative to the JSON folder, as the file system spells it.
        says: (field, value) of what it says of its page.
        content: hash of its bytes.
        is_silent: it holds no literal text, so that equal content elsewhere means nothing.
    """

    path: str
    says: tuple[tuple[str, str], ...]
    content: int
    is_silent: bool


@dataclass
class PageIndex:
    """Pages by every exact name they have.

    Args:
        names: per page, its image's path relative to the image root, `posix_form`.
        page_ids: per page.
        roots: image roots, absolute, `posix_form`.
        root_map: where the folders of foreign files lie here.
    """

    names: Sequence[str]
    page_ids: Sequence[str]
    roots: Sequence[str] = ()
    root_map: RootMap = field(default_factory=RootMap)
    _by_stem: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = _once(self.names)
        self._ids = _once(self.page_ids)
        self._bare = _once(map(without_suffix, self.names))

    def of_id(self, text: str) -> int | None:
        """The page with this id; None for none, -2 for several."""
        return self._ids.get(text)

    def of_path(self, path: str) -> int | None:
        """The page whose image this path names, absolute below an image root or relative to one."""
        text = self.root_map.here(path)
        if len(self.roots) == 1 and text.startswith(f"{self.roots[0]}/"):
            return self._names.get(text[len(self.roots[0]) + 1 :])
        found = {self._names.get(one) for one in (below(text, self.roots) if text.startswith("/") else [text])} - {None}
        return found.pop() if len(found) == 1 else _AMBIGUOUS if found else None

    def of_bare(self, path: str) -> int | None:
        """The page whose image has this relative path, its suffix dropped, or kept."""
        bare, whole = self._bare.get(path), self._names.get(path)
        if bare is None or whole is None or bare == whole:
            return whole if bare is None else bare
        return _AMBIGUOUS

    def nearest(self, path: str) -> tuple[str, ...]:
        """Up to five images of the same file name without suffix, to look at."""
        if not self._by_stem:
            for row, name in enumerate(self.names):
                rows = self._by_stem.setdefault(_stem(name), [])
                if len(rows) < 5:
                    rows.append(row)
        rows = self._by_stem.get(_stem(posix_form(path)), [])
        return tuple(self.names[row] for row in rows)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0].casefold()


def _once(names: Iterable[str]) -> dict[str, int]:
    """Name -> position; -2 for a name that occurs more than once."""
    listed = list(names)
    found = {name: row for row, name in enumerate(listed)}
    if len(found) < len(listed):
        found |= {name: _AMBIGUOUS for name, count in Counter(listed).items() if count > 1}
    return found


def join(jsons: Iterable[Json], pages: PageIndex, given: Mapping[str, Sequence[str]]) -> tuple[dict[int, str], list[Unmatched]]:
    """The JSON of each page, page position -> path, and everything that was left out.

    Args:
        jsons: all JSON files.
        pages: all pages.
        given: the user's map, JSON path relative to the JSON folder -> images.
    """
    wanted: dict[int, list[str]] = {}
    unmatched: list[Unmatched] = []
    by_content: dict[int, list[str]] = {}
    by_path_only: dict[str, int] = {}
    for one in jsons:
        page, reason = _page_of(one, pages, given.get(posix_form(one.path)) if given else None)
        if not one.is_silent:
            by_content.setdefault(one.content, []).append(one.path)
        if page is None:
            unmatched.append(Unmatched("json", one.path, reason, pages.nearest(one.path)))
            continue
        wanted.setdefault(page, []).append(one.path)
        if reason == "path" and not one.is_silent:
            by_path_only[one.path] = one.content
    attached: dict[int, str] = {}
    for page, paths in wanted.items():
        copies = by_content.get(by_path_only.get(paths[0], -1), [])
        if len(paths) > 1:
            unmatched += [Unmatched("json", path, "several_jsons_for_page", (pages.names[page],)) for path in paths]
        elif len(copies) > 1:
            others = tuple(path for path in copies if path != paths[0])[:5]
            unmatched.append(Unmatched("json", paths[0], "same_content_elsewhere", others))
        else:
            attached[page] = paths[0]
    return attached, unmatched


def _page_of(one: Json, pages: PageIndex, images: Sequence[str] | None) -> tuple[int | None, str]:
    """The page and the rule that found it, or None and why not."""
    known = {_said(field_name, value, pages) for field_name, value in one.says} - {None} if one.says else set()
    if len(known) > 1 or _AMBIGUOUS in known:
        return None, "names_several_pages"
    own = known.pop() if known else None
    if images is not None:
        mapped = {_mapped(image, pages) for image in images} - {None}
        if len(mapped) != 1 or _AMBIGUOUS in mapped:
            return None, "map_names_several_pages" if mapped else "map_names_no_page"
        page = mapped.pop()
        return (None, "map_and_json_disagree") if own is not None and own != page else (page, "map")
    if one.says:
        return (own, "identity") if own is not None else (None, "names_no_page")
    page = pages.of_bare(posix_form(one.path)[: -len(".json")])
    if page == _AMBIGUOUS:
        return None, "path_fits_several_pages"
    return (page, "path") if page is not None else (None, "path_fits_no_page")


def _said(name: str, value: str, pages: PageIndex) -> int | None:
    if name == "page_id":
        return pages.of_id(value)
    if name == "canonical_id":
        found = {pages.of_id(value), pages.of_path(value), pages.of_bare(value)} - {None}
        return found.pop() if len(found) == 1 else _AMBIGUOUS if found else None
    return pages.of_path(value)


def _mapped(image: str, pages: PageIndex) -> int | None:
    by_id = pages.of_id(image)
    return pages.of_path(image) if by_id is None else by_id
