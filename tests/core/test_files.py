"""Files appear whole or not at all, and what a killed run leaves is used up by the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comix.core.errors import WorkspaceError
from comix.core.files import PART_PREFIX, atomic_writer, write_bytes

WRITER = """
import sys, time
from pathlib import Path
from comix.core.files import atomic_writer
with atomic_writer(Path(sys.argv[1])) as stream:
    stream.write(b"half of it")
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PART_PREFIX}*"))


def start_writer(path: Path) -> subprocess.Popen[str]:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    return writer


def test_what_a_killed_writer_leaves_is_used_up(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    write_bytes(path, b"old")
    writer = start_writer(path)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert (path.read_bytes(), len(parts(tmp_path))) == (b"old", 1)
    write_bytes(path, b"new")
    assert (path.read_bytes(), parts(tmp_path)) == (b"new", [])


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    writer = start_writer(path)
    (held,) = parts(tmp_path)
    write_bytes(path, b"mine")
    assert path.read_bytes() == b"mine"
    assert held.read_bytes() == b"half of it"
    writer.kill()
    writer.wait()


def test_many_writers_of_one_file_never_mix(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from comix.core.files import write_bytes\n"
        "for _ in range(150): write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 50000)"
    )
    path = tmp_path / "f"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "abc"]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes() if path.is_file() else b""
        assert len(content) in (0, 50000)
        assert len(set(content)) <= 1
        time.sleep(0.002)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert parts(tmp_path) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError, match="no more"), atomic_writer(path) as stream:
        stream.write(b"new")
        raise RuntimeError("no more")
    assert (path.read_bytes(), parts(tmp_path)) == (b"old", [])


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with (
        pytest.raises(WorkspaceError, match=r"cannot be written \(No space left on device\)"),
        atomic_writer(tmp_path / "f") as out,
    ):
        with full.open("wb", buffering=0) as sink:
            sink.write(b"x")
        out.write(b"x")
    assert list(tmp_path.iterdir()) == []
