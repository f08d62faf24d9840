"""RAR and CBR: listed from the headers, stored pages read directly, others through bsdtar, unar, unrar, 7z."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path

from comix.core.errors import ItemError
from comix.io.containers.external import find_bsdtar, unpack_with_bsdtar, unpack_with_extractors
from comix.io.containers.members import Member, MemberList, check_limits, check_member, unpack_budget
from comix.io.containers.rarheaders import RarEntry, list_rar, rar_comment, single_file_rar
from comix.io.containers.store import ContentStore

_INSTALL = (
    "install `bsdtar` (Debian, Ubuntu: libarchive-tools; macOS and Windows 10 have it), "
    "or `unar`, which also reads solid RAR 4; or convert the comic to CBZ"
)


class RarContainer(MemberList):
    """A RAR archive of version 1.5 to 5.

    Raises:
        ItemError: ``archive_encrypted``, ``archive_damaged``, ``archive_unsupported``, ``archive_empty`` ...
    """

    kind = "rar"

    def __init__(self, path: Path, *, scratch: Path | None = None) -> None:
        super().__init__()
        self._path, self._scratch = path, scratch
        self._store: ContentStore | None = None
        self._problem = ""
        self._entries = list_rar(path)
        self._members = [Member(entry.name, index, entry.size) for index, entry in enumerate(self._entries)]
        check_limits(self._members, path.stat().st_size)
        if all(entry.encrypted for entry in self._entries):
            raise ItemError("archive_encrypted", f"{len(self._entries)} files, all with a password")

    def read(self, member: Member) -> bytes:
        """Bytes of one member, checksum verified.

        Raises:
            ItemError: ``member_encrypted``, ``member_damaged``, ``archive_unsupported``, ``member_too_large`` ...
        """
        entry = self._source(self._entries[self._own(member)])
        check_member(member.name, entry.size, entry.packed)
        if entry.encrypted:
            raise ItemError("member_encrypted", member.name)
        if entry.stored:
            return self._stored(entry)
        if self._store is None:
            self._store = self._unpacked()
        content = self._store.find(entry.size, entry.crc, entry.name)
        if content is not None:
            return content
        if "support" in self._problem or not self._problem or entry.old:
            raise ItemError("archive_unsupported", f"RAR: {self._problem or 'no program to unpack it'}", _INSTALL)
        raise ItemError("member_damaged", f"{member.name}: {self._problem}")

    def metadata_files(self) -> dict[str, bytes]:
        """Metadata files; a ComicBookInfo archive comment counts as ``ComicBookInfo.json``."""
        found = super().metadata_files()
        comment = rar_comment(self._path)
        if b"ComicBookInfo" in comment:
            found.setdefault("ComicBookInfo.json", comment)
        return found

    def _release(self) -> None:
        """Drop the temporary copy."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _source(self, entry: RarEntry) -> RarEntry:
        """The entry that holds the content: RAR 5 keeps repeated files once."""
        if not entry.copy_of:
            return entry
        source = next((other for other in self._entries if other.name == entry.copy_of and not other.copy_of), None)
        if source is None:
            raise ItemError("member_damaged", f"{entry.name}: copy of {entry.copy_of}, which is not there")
        return source

    def _stored(self, entry: RarEntry) -> bytes:
        with self._path.open("rb") as opened:
            opened.seek(entry.offset)
            content = opened.read(entry.size)
        if len(content) != entry.size or (entry.crc is not None and zlib.crc32(content) != entry.crc):
            raise ItemError("member_damaged", f"{entry.name}: content does not match its checksum")
        return content

    def _unpacked(self) -> ContentStore:
        """Everything in the archive; the programs are tried in turn until every member is there."""
        store = ContentStore(self._scratch, unpack_budget(self._path.stat().st_size))
        try:
            if find_bsdtar():
                self._problem = unpack_with_bsdtar(self._path, store)
                self._unpack_singly(store)
            if not self._complete(store):
                used = unpack_with_extractors(self._path, store, self._scratch)
                if used and not self._complete(store):
                    self._problem = f"{used} could not unpack it either"
            if not self._problem and find_bsdtar() and not self._complete(store):
                self._problem = "content does not match its checksum"
        except BaseException:
            store.close()
            raise
        return store

    def _unpack_singly(self, store: ContentStore) -> None:
        """Try what is still missing file by file: bsdtar gives up the rest of an archive at the first broken one."""
        missing = [entry for entry in self._needed(store) if not entry.solid]
        if not missing or not self._problem:
            return
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="comix-rar-") as folder:
            alone = Path(folder) / "one.rar"
            for entry in missing:
                alone.write_bytes(single_file_rar(self._path, entry))
                unpack_with_bsdtar(alone, store)

    def _complete(self, store: ContentStore) -> bool:
        return not self._needed(store)

    def _needed(self, store: ContentStore) -> list[RarEntry]:
        """Files that only a program can unpack and that are not in the store yet."""
        return [
            entry
            for entry in self._entries
            if not (entry.stored or entry.encrypted or entry.copy_of or store.has(entry.size, entry.crc, entry.name))
        ]
