"""Nothing that a file may hold makes a reader raise anything but a stated reason."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comix.core.errors import ItemError
from comix.core.issues import issue_sort
from comix.core.journal import Journal
from comix.core.reasons import REASONS
from comix.intake.filenames import from_file_name
from comix.intake.metadata import PRECEDENCE, read_metadata
from comix.io.containers.container import open_container
from comix.io.images import decode_bgr, inspect_image


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


malformed = _load("malformed")
FEW = settings(
    max_examples=60, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def test_broken_inputs_end_as_expected(tmp_path: Path, comix: Callable[..., object]) -> None:
    cases, pictures = list(malformed.archives())[::6], list(malformed.images())[::3]
    library = tmp_path / "library"
    library.mkdir()
    for case in cases:
        (library / case.name).write_bytes(case.data)
    (library / "images.cbz").write_bytes(malformed.zipped([(case.name, case.data) for case in pictures]))
    assert comix("extract", f"library={library}", f"workspace={tmp_path / 'ws'}", "workers=0").code == 1
    state: dict[str, str] = {}
    failed: dict[str, list[str]] = {}
    with Journal(tmp_path / "ws" / "journal" / "extract.sqlite", "library", read_only=True) as journal:
        for row in journal.rows():
            if not row.parent:
                state[row.key] = row.reason or row.status
            elif row.parent == "images.cbz":
                state[row.key.split("/", 2)[2]] = row.reason or row.status
            elif row.status == "failed":
                failed.setdefault(row.parent, []).append(row.reason)
    assert {case.name: state[case.name] for case in [*cases, *pictures]} == {
        case.name: case.outcome for case in [*cases, *pictures]
    }
    assert failed == {case.name: list(case.pages) for case in cases if case.pages}


def spoil(data: bytes, edits: list[tuple[float, bytes]], share: float) -> bytes:
    """``data`` with bytes overwritten at shares of its length, then cut."""
    spoilt = bytearray(data)
    for place, new in edits:
        at = int(place * len(spoilt))
        spoilt[at : at + len(new)] = new
    return bytes(spoilt[: int(share * len(spoilt))])


EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=5)
SHARE = st.one_of(st.just(1.0), st.floats(0, 1))


@pytest.mark.parametrize("kind", ["zip", "tar", "7z", "rar4", "rar5", "pdf", "epub"])
def test_spoilt_containers_raise_stated_reasons_only(kind: str) -> None:
    makers = {
        "zip": malformed.zipped, "tar": malformed.tarred, "7z": malformed.sevened, "rar4": malformed.rar4,
        "rar5": malformed.rar5, "pdf": malformed.pdf, "epub": malformed.epub,
    }  # fmt: skip
    whole = makers[kind]()

    @FEW
    @given(EDITS, SHARE)
    def check(edits: list[tuple[float, bytes]], share: float) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "a.cbz"
            path.write_bytes(spoil(whole, edits, share))
            try:
                with open_container(path, scratch=Path(name)) as comic:
                    members = comic.members()
                    comic.metadata_files()
                    comic.regions()
                    for member in members:
                        try:
                            comic.read(member)
                        except ItemError as error:
                            assert error.reason in REASONS
                    comic.page_order()
            except ItemError as error:
                assert error.reason in REASONS
            assert [entry.name for entry in Path(name).iterdir()] == ["a.cbz"]

    check()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF"])
def test_spoilt_images_raise_stated_reasons_only(form: str) -> None:
    whole = malformed.page(1, form)

    @FEW
    @given(EDITS, SHARE)
    def check(edits: list[tuple[float, bytes]], share: float) -> None:
        data = spoil(whole, edits, share)
        for read in (inspect_image, lambda data: inspect_image(data, decode=False), decode_bgr):
            try:
                read(data)
            except ItemError as error:
                assert error.reason in REASONS and error.reason.startswith("image_")

    check()


@pytest.mark.parametrize("name", PRECEDENCE)
def test_metadata_of_any_bytes_is_text(name: str) -> None:
    start = {
        "xml": b"<ComicInfo><Pages><Page Image='1'/></Pages></ComicInfo>",
        "json": b'{"ComicBookInfo/1.0": {"credits": [1]}}',
    }
    base = start.get(name.rsplit(".", 1)[-1], b"<package><metadata/></package>")

    @FEW
    @given(st.one_of(st.binary(max_size=200), st.builds(spoil, st.just(base), EDITS, SHARE)), st.text(max_size=60))
    def check(data: bytes, container: str) -> None:
        found = read_metadata({name: data}, container)
        assert all(isinstance(getattr(found, field), str) for field in ("series", "issue", "title", "year", "writer"))

    check()


@FEW
@given(st.text(max_size=80))
def test_any_file_name_and_issue_number_is_read(name: str) -> None:
    found = from_file_name(name)
    assert isinstance(issue_sort(found.issue), str) and isinstance(issue_sort(name), str)


@FEW
@given(st.lists(st.decimals(-999, 99_999, places=2), min_size=2, max_size=8))
def test_issue_numbers_sort_by_value(numbers: list[object]) -> None:
    assert sorted(numbers) == sorted(numbers, key=lambda number: issue_sort(str(number)))  # type: ignore[type-var]
