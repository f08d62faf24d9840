"""Which members of a container are pages, in which order, of which type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comix.core.errors import ItemError
from comix.intake.dialects import BookMetadata
from comix.io.containers.members import Container, Member


@dataclass(frozen=True, slots=True)
class PageSequence:
    """The pages of a book.

    Attributes:
        pages: in reading sequence.
        types: position of a member in its container -> page type.
        deleted: positions of members that ComicInfo marks as deleted.
        natural: position of a member -> its number in natural order, from 0, which is what ComicInfo counts by.
    """

    pages: tuple[Member, ...]
    types: Mapping[int, str]
    deleted: frozenset[int]
    natural: Mapping[int, int]


def page_sequence(container: Container, meta: BookMetadata) -> PageSequence:
    """Pages in reading sequence; empty when there is none.

    An EPUB's spine wins over everything. Else the order of ComicInfo's ``Pages`` wins over natural order, if it lists every
    page once. Pages that it marks ``Deleted`` are left out, unless that leaves none.

    Raises:
        ItemError: what the container says, but for ``archive_no_images``.
    """
    try:
        natural = container.page_order()
    except ItemError as error:
        if error.reason != "archive_no_images":
            raise
        natural = []
    order = list(range(len(natural)))
    if container.kind != "epub" and sorted(meta.page_list) == order:
        order = list(meta.page_list)
    kept = [number for number in order if number not in meta.deleted]
    if container.kind == "epub" or not kept:
        kept = order
    return PageSequence(
        pages=tuple(natural[number] for number in kept),
        types={natural[number].index: kind for number, kind in meta.page_types.items() if number < len(natural)},
        deleted=frozenset(natural[number].index for number in order if number not in kept),
        natural={member.index: number for number, member in enumerate(natural)},
    )
