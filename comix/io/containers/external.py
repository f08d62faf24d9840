"""Outside programs that unpack what Python cannot: bsdtar, unar, unrar, 7z; all with time-outs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from comix.core.errors import ItemError
from comix.io.containers.store import ContentStore

TIMEOUT_S: Final = 600.0
_CHUNK: Final = 1 << 20


def find_bsdtar() -> str:
    """Path of bsdtar, "" when absent; Windows and macOS have it under the name ``tar``."""
    found = shutil.which("bsdtar")
    if found:
        return found
    tar = shutil.which("tar") if os.name == "nt" or os.uname().sysname == "Darwin" else None
    return tar or ""


def unpack_with_bsdtar(path: Path, store: ContentStore, *, timeout_s: float = TIMEOUT_S) -> str:
    """Fill the store through bsdtar; gives its error text, "" when all went well. See `rewrite_as_tar`."""
    return rewrite_as_tar(path, lambda stream: _store_tar_stream(stream, store), timeout_s=timeout_s)


def rewrite_as_tar(path: Path, take: Callable[[IO[bytes]], None], *, timeout_s: float = TIMEOUT_S) -> str:
    """Give ``take`` the archive as one uncompressed tar stream; returns bsdtar's error text, "" when all went well.

    Raises:
        ItemError: ``archive_unsupported`` when bsdtar is not there, ``timeout``, and what ``take`` raises.
    """
    program = find_bsdtar()
    if not program:
        raise ItemError("archive_unsupported", "bsdtar not found")
    command = [program, "-cf", "-", "--format=pax", f"@{path.absolute()}"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment())
        timed_out = threading.Event()
        watchdog = threading.Timer(timeout_s, _kill, (process, timed_out))
        watchdog.daemon = True
        watchdog.start()
        try:
            code = _drain(process, take)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
        if timed_out.is_set():
            raise ItemError("timeout", f"bsdtar took more than {timeout_s:.0f} s on {path.name}")
        errors.seek(0)
        text = errors.read(4000).decode("utf-8", "replace").strip()
    return "" if code == 0 else text.replace("(null)", "unpacking failed") or f"bsdtar ended with code {code}"


def unpack_with_extractors(path: Path, store: ContentStore, scratch: Path | None, *, timeout_s: float = TIMEOUT_S) -> str:
    """Fill the store through the first of unar, unrar, 7z that is installed; gives its name, "" when none is.

    Raises:
        ItemError: ``timeout``, ``archive_bomb``.
    """
    builders: dict[str, Callable[[str, str], list[str]]] = {
        "unar": lambda archive, into: ["-q", "-D", "-r", "-o", into, archive],
        "unrar": lambda archive, into: ["x", "-p-", "-or", "-idq", "-y", archive, into + os.sep],
        "7z": lambda archive, into: ["x", "-p-", "-aou", "-y", "-bd", f"-o{into}", archive],
    }
    for name, build in builders.items():
        program = shutil.which(name)
        if not program:
            continue
        with tempfile.TemporaryDirectory(dir=scratch, prefix="comix-unpack-") as into:
            try:
                subprocess.run(
                    [program, *build(str(path.absolute()), into)],
                    stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False, env=_environment(),
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise ItemError("timeout", f"{name} took more than {timeout_s:.0f} s on {path.name}") from None
            _store_folder(Path(into), store)
        return name
    return ""


def _store_tar_stream(stream: IO[bytes], store: ContentStore) -> None:
    """Regular files of a tar stream into the store; a stream cut short just ends, bsdtar's exit code tells."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is not None:
                    store.add(entry.name, iter(lambda content=content: content.read(_CHUNK), b""))  # type: ignore[misc]
    except tarfile.TarError:
        return


def _store_folder(folder: Path, store: ContentStore) -> None:
    for root, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            file = Path(root) / name
            if not file.is_symlink() and file.is_file():
                store.add(file.relative_to(folder).as_posix(), _chunks(file))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk


def _drain(process: subprocess.Popen[bytes], take: Callable[[IO[bytes]], None]) -> int:
    """Exit code after all output was read, the padding behind the tar stream too."""
    if process.stdout is None:
        return process.wait()
    with process.stdout as stream:
        take(stream)
        while stream.read(_CHUNK):
            pass
    return process.wait()


def _kill(process: subprocess.Popen[bytes], timed_out: threading.Event) -> None:
    timed_out.set()
    process.kill()


def _environment() -> dict[str, str]:
    """Our environment with a UTF-8 locale, so that names in any script pass."""
    return {**os.environ, "LC_ALL": "C.UTF-8" if os.name != "nt" else "C"}
