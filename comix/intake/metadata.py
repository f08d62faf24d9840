"""What is known of a book: every source that speaks of it, the better one winning field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType

from comix.intake.dialects import (
    BookMetadata,
    from_comet,
    from_comicbookinfo,
    from_comicinfo,
    from_metroninfo,
    from_opf,
    from_pdf,
    xml_root,
)
from comix.intake.filenames import from_file_name

__all__ = ["PRECEDENCE", "BookMetadata", "is_readable", "read_metadata"]

PRECEDENCE: Mapping[str, Callable[[bytes], BookMetadata]] = MappingProxyType(
    {
        "ComicInfo.xml": from_comicinfo,
        "MetronInfo.xml": from_metroninfo,
        "CoMet.xml": from_comet,
        "ComicBookInfo.json": from_comicbookinfo,
        "content.opf": from_opf,
        "metadata.opf": from_opf,
        "pdf.json": from_pdf,
    }
)
"""Standard name of a metadata file -> its reader, the one that is believed most first; the file name comes last."""


def read_metadata(files: Mapping[str, bytes], container: str, direction: str = "", file_names: str = "comix") -> BookMetadata:
    """The best of all sources, field by field, in the order of `PRECEDENCE`, the file name last.

    A reading direction in the metadata wins over the container's own.

    Args:
        files: metadata files of the container by standard name.
        container: path relative to the library root.
        direction: what the container format itself says of the reading direction.
        file_names: who reads file names, see `from_file_name`.

    >>> read_metadata({"CoMet.xml": b"<comet><series>A</series></comet>"}, "B 3.cbz").series
    'A'
    """
    merged = from_file_name(container, file_names)
    for name, read in reversed(list(PRECEDENCE.items())):
        if name in files:
            merged = _merge(merged, read(files[name]))
    if not merged.reading_direction and direction:
        merged = replace(merged, reading_direction=direction)
    return merged


def _merge(base: BookMetadata, better: BookMetadata) -> BookMetadata:
    given = {one.name: getattr(better, one.name) for one in fields(BookMetadata) if getattr(better, one.name)}
    return replace(base, **given)


def is_readable(name: str, data: bytes) -> bool:
    """Whether a metadata file can be used; JSON and plain files always pass."""
    return not name.lower().endswith((".xml", ".opf")) or xml_root(data) is not None
