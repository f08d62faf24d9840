"""A DataSpec list cut down to a subset, by exact image path or page id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from comix.align.foreign import write_unmatched
from comix.align.join import Unmatched
from comix.core.errors import ComixError, FileFormatError, MissingInputError, UsageError
from comix.core.pathforms import RootMap, posix_form
from comix.io.dataspec import read_dataspec, write_list


def filter_list(dataspec_list: Path, subset_list: Path, out_list: Path, root_map: RootMap) -> tuple[int, int, int]:
    """Write the DataSpecs of a list whose page is in a subset list; DataSpecs listed, kept, and subset lines that fit none.

    A line of the subset list is an image path or a page id; it fits a DataSpec that names exactly that image or page. What
    fits no DataSpec or several, and a DataSpec that cannot be read, is written to ``<out_list>.unmatched.csv``.

    Raises:
        MissingInputError: a list is not there.
        UsageError: the result would replace one of the lists.
    """
    if out_list.resolve() in (dataspec_list.resolve(), subset_list.resolve()):
        raise UsageError(f"out_list={out_list}: is one of the inputs; name another file")
    wanted = {root_map.here(line): line for line in _lines("subset_list", subset_list)}
    files: dict[str, list[Path]] = {name: [] for name in wanted}
    unmatched: list[Unmatched] = []
    listed = [_resolved(dataspec_list, line) for line in _lines("dataspec_list", dataspec_list)]
    for path in listed:
        try:
            spec = read_dataspec(path)
        except ComixError as error:
            unmatched.append(Unmatched("dataspec", str(path), f"unreadable: {error}"))
            continue
        for name in {root_map.here(spec.page_image_path), spec.page_id} & wanted.keys():
            if path not in files[name]:
                files[name].append(path)
    kept = {paths[0] for paths in files.values() if len(paths) == 1}
    for name, paths in files.items():
        if len(paths) != 1:
            reason = "fits_several_dataspecs" if paths else "fits_no_dataspec"
            unmatched.append(Unmatched("subset_line", wanted[name], reason, tuple(map(str, paths[:5]))))
    write_list(out_list, [path for path in listed if path in kept])
    write_unmatched(out_list.with_name(f"{out_list.name}.unmatched.csv"), unmatched)
    return len(listed), len(kept), len(unmatched)


def _lines(key: str, path: Path) -> Iterator[str]:
    if not path.is_file():
        raise MissingInputError(f"{key}={path}: no such file; wanted one path a line")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{key}={path}: not a text file ({error}); wanted one path a line") from error
    yield from (line.strip() for line in text.splitlines() if line.strip())


def _resolved(listing: Path, line: str) -> Path:
    path = Path(posix_form(line))
    return path if path.is_absolute() else listing.parent / path
