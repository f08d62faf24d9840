"""Pages of several list files, each knowing which side it was given to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from comix.core.errors import UsageError
from comix.data.lists import Rejected, load_pages
from comix.data.page import PageExample
from comix.data.settings import DatasetSettings
from comix.data.split import Split, split_by_book, straddling

VALIDATION = "validation"
"""Side of the pages of ``dataset.val_lists``; pages of ``dataset.tests`` have the test's name."""


def load_sides(
    settings: DatasetSettings, default: Path, image_root: Path, curation: Path, known_file: Path
) -> tuple[list[PageExample], list[Rejected]]:
    """Pages of all lists, each once, and the lines that gave none.

    Args:
        settings: whose ``lists``, ``val_lists`` and ``tests``.
        default: the list to train on where ``lists`` is empty.
        image_root: see `load_pages`, as for ``curation`` and ``known_file``.

    Raises:
        UsageError: a test named as the validation side.
        MissingInputError: a list does not exist, or is empty.
    """
    tests = settings.tests or {}
    if VALIDATION in tests:
        raise UsageError(f"dataset.tests.{VALIDATION}: that name is taken by dataset.val_lists; call the test otherwise")
    groups: list[tuple[str, Sequence[str], int | None]] = [("", settings.lists or [str(default)], settings.max_samples)]
    groups += [(VALIDATION, settings.val_lists, None)] if settings.val_lists else []
    groups += [(name, _several(lists), None) for name, lists in tests.items()]
    pages: dict[str, PageExample] = {}
    rejected: list[Rejected] = []
    for side, lists, most in groups:
        found, bad = load_pages([Path(one).expanduser() for one in lists], image_root, most, curation, known_file)
        rejected += [one for one in bad if one not in rejected]
        for page in found:
            before = pages.get(page.page_id)
            sides = (*(before.sides if before else ()), *((side,) if side else ()))
            if before is not None and (not side or not before.sides):
                raise UsageError(
                    f"dataset: {page.page_id} is trained on and held out ({side or before.sides[0]}); take it out of one"
                )
            pages[page.page_id] = replace(before or page, sides=sides)
    return list(pages.values()), rejected


def _several(lists: Sequence[str] | str) -> Sequence[str]:
    return [lists] if isinstance(lists, str) else lists


def split_pages(pages: Sequence[PageExample], settings: DatasetSettings) -> Split:
    """Which pages train, validate and test: those of lists of their own as given, the others by book.

    Raises:
        UsageError: a book, or copies of a page, are trained on and held out.
    """
    free = [index for index, page in enumerate(pages) if not page.sides]
    val_fraction = 0.0 if settings.val_lists else settings.val_fraction
    test_fraction = 0.0 if settings.tests else settings.test_fraction
    own = split_by_book([pages[one] for one in free], val_fraction, settings.split_seed, test_fraction, settings.max_held_out)
    train, val, test = (tuple(free[one] for one in side) for side in (own.train, own.val, own.test))
    val += _on_side(pages, VALIDATION)
    tests: Mapping[str, tuple[int, ...]] = {name: _on_side(pages, name) for name in settings.tests or ()}
    for name, side in ((VALIDATION, val) if settings.val_lists else ("", ()), *tests.items()):
        for other, members in (("training", train), (VALIDATION, val if name != VALIDATION else ())):
            shared = sorted(straddling(pages, side, members))
            if shared:
                raise UsageError(f"dataset: {shared[0]} is in {other} and in {name}; give a book and its copies to one side")
    return Split(train, val, own.note, test, tests)


def _on_side(pages: Sequence[PageExample], name: str) -> tuple[int, ...]:
    return tuple(index for index, page in enumerate(pages) if name in page.sides)
