"""What lies in a library folder: containers, image folders, and everything that is neither."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from natsort import natsort_keygen, ns

from comix.core.errors import MissingInputError, UsageError
from comix.io.containers.container import sniff
from comix.io.containers.members import CONTAINER_SUFFIXES, is_image_name, junk_reason
from comix.io.containers.volumes import leader, volume_of, volume_scheme, volume_sets

_SIDECAR_STEMS = {"cover", "folder", "poster", "thumb", "thumbnail"}
"""Pictures that library programs put beside their books; not a book of their own."""


@dataclass(frozen=True, slots=True)
class Found:
    """One input of ``extract``.

    Attributes:
        relative: path from the library root, POSIX; "." for images right in the root.
        path: where it is.
        stamp: changes when the content may have changed (size and time; for a folder, of all its images).
        skip: reason code when it is not a comic, else "".
        sidecar: the ``metadata.opf`` that Calibre keeps beside a book, None when there is none.
    """

    relative: str
    path: Path
    stamp: tuple[int, ...]
    skip: str = ""
    sidecar: Path | None = None


def find_containers(library: Path, ours: Sequence[Path] = ()) -> list[Found]:
    """Everything in the library, in natural order of paths; symbolic links that lead out of it are not followed.

    Args:
        library: folder to look through.
        ours: folders that CoMix itself writes (workspace, output): passed over when they lie inside the library.

    Raises:
        MissingInputError: no such folder, or no comic in it.
        UsageError: the library lies inside a folder that CoMix writes.
    """
    check_library(library)
    root = library.resolve()
    own = {folder.resolve() for folder in ours}
    inside = next((folder for folder in own if root.is_relative_to(folder)), None)
    if inside is not None:
        raise UsageError(f"library={library}: lies in {inside}, where CoMix writes; name the folder of your own comics")
    key = natsort_keygen(alg=ns.PATH | ns.IGNORECASE)
    found = _told_apart(sorted(_walk(library, library, own), key=lambda one: (key(one.relative), one.relative)))
    if not any(not one.skip for one in found):
        what = f"{len(found)} files, none of them a comic" if found else "nothing"
        raise MissingInputError(
            f"library={library}: holds {what}; wanted CBZ, CBR, CB7, CBT, PDF, EPUB files or folders of page images"
        )
    return found


def _told_apart(found: list[Found]) -> list[Found]:
    """Names that are the same as text only (one holds bytes that are no UTF-8) get a number, so that none is merged."""
    seen: set[str] = set()
    apart = []
    for one in found:
        name, number = one.relative, 2
        while name in seen:
            name, number = f"{one.relative}~{number}", number + 1
        seen.add(name)
        apart.append(one if name == one.relative else replace(one, relative=name))
    return apart


def check_library(library: Path) -> None:
    """Prove that a library is a folder that can be read.

    Raises:
        MissingInputError: it is not there, a file, or closed to us.
    """
    if not library.exists():
        raise MissingInputError(f"library={library}: no such folder; wanted a folder with comics")
    if not library.is_dir():
        raise MissingInputError(f"library={library}: is a file; wanted the folder that holds it: library={library.parent}")
    try:
        next(library.iterdir(), None)
    except OSError as error:
        raise MissingInputError(f"library={library}: cannot be read ({error.strerror}); check its permissions") from error


def _walk(folder: Path, library: Path, ours: set[Path]) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield Found(_relative(folder, library), folder, (), "permission_denied")
        return
    links = {entry.name: _link_trouble(entry, library) for entry in entries if entry.is_symlink()}
    followers, stamps = _sets([entry for entry in entries if not links.get(entry.name) and entry.is_file()])
    yield from (Found(_relative(folder / name, library), folder / name, (), "volume_of_set") for name in followers)
    yield from (Found(_relative(folder / name, library), folder / name, (), reason) for name, reason in links.items() if reason)
    files = [entry for entry in entries if not links.get(entry.name) and entry.name not in followers and entry.is_file()]
    images = [entry for entry in files if is_image_name(entry.name) and not junk_reason(entry.name)]
    names = {entry.name for entry in images}
    others = [_classify(entry, library, stamps.get(entry.name, ())) for entry in files if entry.name not in names]
    others = _with_sidecar(others, files)
    if images and not _are_sidecars(images, any(not other.skip for other in others)):
        others = [other for other in others if not other.skip]  # the rest are members of the image folder
        told = [*images, *(entry for entry in files if junk_reason(entry.name) == "metadata_file")]
        stamp = tuple(number for entry in told for number in (entry.stat().st_size, entry.stat().st_mtime_ns))
        yield Found(_relative(folder, library), folder, stamp)
    else:
        yield from (Found(_relative(Path(entry.path), library), Path(entry.path), (), "sidecar_image") for entry in images)
    yield from others
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _enter(Path(entry.path), library, ours)


def _with_sidecar(found: list[Found], files: list[os.DirEntry[str]]) -> list[Found]:
    """The containers of a folder with its ``metadata.opf``, if they are one book (in one or several formats)."""
    sidecar = next((entry for entry in files if entry.name == "metadata.opf"), None)
    if sidecar is None or len({one.path.stem for one in found if not one.skip}) != 1:
        return found
    mark = (sidecar.stat().st_size, sidecar.stat().st_mtime_ns)
    return [one if one.skip else replace(one, stamp=(*one.stamp, *mark), sidecar=Path(sidecar.path)) for one in found]


def _enter(folder: Path, library: Path, ours: set[Path]) -> Iterator[Found]:
    """A folder's content, or one row that says why it was not entered."""
    junk = junk_reason(f"{folder.name}/1.jpg")
    if folder.resolve() in ours or (folder / "journal" / "books.sqlite").is_file():
        yield Found(_relative(folder, library), folder, (), "workspace")
    elif junk:
        yield Found(_relative(folder, library), folder, (), junk)
    else:
        yield from _walk(folder, library, ours)


def _link_trouble(entry: os.DirEntry[str], library: Path) -> str:
    """Why a symbolic link is not followed; "" for one to a file inside the library."""
    target = Path(entry.path).resolve()
    if not target.exists():
        return "symlink_broken"
    if target.is_dir() or not target.is_relative_to(library.resolve()):
        return "symlink_outside"
    return ""


def _are_sidecars(images: list[os.DirEntry[str]], beside_containers: bool) -> bool:
    return beside_containers and all(Path(entry.name).stem.casefold() in _SIDECAR_STEMS for entry in images)


def _sets(files: list[os.DirEntry[str]]) -> tuple[set[str], dict[str, tuple[int, ...]]]:
    """Archives in several files: names of the further files, and for the first ones a stamp of the whole set."""
    by_name = {entry.name: entry.stat() for entry in files if volume_of(entry.name)}
    followers: set[str] = set()
    stamps: dict[str, tuple[int, ...]] = {}
    paths = {entry.name: Path(entry.path) for entry in files}
    for names in volume_sets(by_name):
        first = leader(names)
        is_named = Path(first).suffix.lower().lstrip(".") in CONTAINER_SUFFIXES or volume_scheme(first) == "raw"
        if not is_named and not _sniffs_as_container(paths[first]):
            continue  # named like the middle of a set, but something else
        followers.update(name for name in names if name != first)
        stamps[first] = tuple(number for name in names for number in (by_name[name].st_size, by_name[name].st_mtime_ns))
    return followers, stamps


def _classify(entry: os.DirEntry[str], library: Path, set_stamp: tuple[int, ...]) -> Found:
    """What a file is.

    Args:
        entry: the file.
        library: the root.
        set_stamp: of all files of its set when it is the first of one, else empty.
    """
    path = Path(entry.path)
    relative = _relative(path, library)
    suffix = path.suffix.lower().lstrip(".")
    reason = junk_reason(entry.name)
    if reason in ("junk_macos", "junk_thumbnail", "metadata_file", "hidden_file"):
        return Found(relative, path, (), reason)
    if set_stamp:
        return Found(relative, path, set_stamp)
    if suffix not in CONTAINER_SUFFIXES and not _sniffs_as_container(path):
        return Found(relative, path, (), "not_a_comic")
    status = entry.stat()
    return Found(relative, path, (status.st_size, status.st_mtime_ns))


def _sniffs_as_container(path: Path) -> bool:
    try:
        return sniff(path) in ("rar", "7z", "pdf", "epub")  # plain ZIP and TAR under foreign suffixes hold anything
    except OSError:
        return False


def _relative(path: Path, library: Path) -> str:
    """The path as text; bytes that are no UTF-8 are written ``\\xE9``, since tables and journals hold text only."""
    return os.fsencode(path.relative_to(library).as_posix()).decode("utf-8", "backslashreplace")
