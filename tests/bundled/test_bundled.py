"""The demo library that ships, and the small one the tests use: complete, credited, open, broken where said."""

from __future__ import annotations

from pathlib import Path

import pytest

from comix.bundled import Credit, credits, library_dir
from comix.core.errors import ItemError
from comix.io.containers.container import open_container, sniff
from comix.io.containers.members import junk_reason
from comix.io.images import decode_bgr

OPEN_LICENCES = {"CC BY 4.0", "CC BY-SA 4.0", "CC BY-SA 3.0", "Public domain", "CC0"}
TEST_LIBRARY = Path(__file__).parents[1] / "data" / "library"
WHOLE = [credit for credit in credits() if credit.n_pages]


def containers(root: Path) -> set[str]:
    """Every container below a library: files that are no images, and folders that hold images."""
    found = set()
    for file in root.rglob("*"):
        if file.is_file() and junk_reason(file.name) == "nested_container":
            found.add(file.relative_to(root).as_posix())
        elif file.is_file():
            found.add(file.parent.relative_to(root).as_posix())
    return found


def test_size_and_credits_are_complete():
    assert sum(file.stat().st_size for file in library_dir().rglob("*") if file.is_file()) <= 14_500_000
    assert {credit.container for credit in credits()} == containers(library_dir())
    assert sum(credit.n_pages for credit in credits()) >= 32
    assert len({credit.style for credit in WHOLE}) >= 5
    assert {sniff(library_dir() / credit.container) for credit in WHOLE} == {"zip", "pdf", "epub", "tar", "folder"}


@pytest.mark.parametrize("credit", credits(), ids=lambda credit: credit.container)
def test_licences_are_open_and_said(credit: Credit):
    assert credit.licence in OPEN_LICENCES and "NC" not in credit.licence and "nc_" not in credit.source
    assert all((credit.title, credit.author, credit.licence_url, credit.source, credit.changes))


@pytest.mark.parametrize("credit", WHOLE, ids=lambda credit: credit.container)
def test_every_whole_container_opens_and_its_pages_are_pages(credit: Credit):
    with open_container(library_dir() / credit.container) as comic:
        pages = comic.page_order()
        assert len(pages) == credit.n_pages
        assert all(max(decode_bgr(comic.read(page)).shape) >= 800 for page in pages)
        assert comic.metadata_files()
        if "RTL" in credit.container:
            assert comic.reading_direction == "rtl"


def test_the_broken_one_fails_with_its_reason():
    (broken,) = [credit for credit in credits() if not credit.n_pages]
    with pytest.raises(ItemError, match="archive_damaged"):
        open_container(library_dir() / broken.container)


def test_names_are_safe_on_windows():
    for file in library_dir().rglob("*"):
        assert not set(file.name) & set('<>:"\\|?*') and not file.name.endswith((" ", "."))
        assert len(str(file.relative_to(library_dir()))) < 120


def test_the_small_library_has_six_pages_and_one_broken_file():
    assert sum(file.stat().st_size for file in TEST_LIBRARY.rglob("*") if file.is_file()) <= 1_200_000
    n_pages, broken = 0, []
    for name in sorted(containers(TEST_LIBRARY)):
        try:
            with open_container(TEST_LIBRARY / name) as comic:
                n_pages += len([comic.read(page) for page in comic.page_order()])
        except ItemError as error:
            broken.append((error.reason, name))
    assert n_pages == 6
    assert [reason for reason, _ in broken] == ["archive_damaged"]
    readme = (TEST_LIBRARY.parent / "README.md").read_text(encoding="utf-8")
    assert all(name in readme for name in containers(TEST_LIBRARY))
