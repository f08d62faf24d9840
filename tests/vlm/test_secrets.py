"""A key is in no byte of what is written or shown, however it came in and whoever echoes it."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn_pages import drawn_workspace
from fakeserver import FakeServer, Reply, completion, of_envelope, page_answer

from comix.core.errors import UsageError
from comix.vlm.api.secret import Secret

KEYS = ("canary7f3aXYZ/91+b2=c4d5e6f7", "sk-or-v1-0a1b2c3d4e5f60718293a4b5c6d7e8f9")


def spellings(key: str) -> list[bytes]:
    """What may not be found: the key, its halves' base64, its hexadecimal form, its URL form."""
    raw = key.encode()
    inner = [base64.b64encode(raw[start:])[4:-4] for start in range(3)]
    return [raw, raw.hex().encode(), *inner, raw[4:-4]]


def every_byte(root: Path) -> bytes:
    """All files below a folder, raw replies unpacked."""
    parts = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".png":
            parts += [str(path).encode(), path.read_bytes()]
            if path.suffix == ".sqlite":
                with sqlite3.connect(path) as database:
                    parts += [line.encode() for line in database.iterdump() if "X'" not in line]
                    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name = 'attempts'")]
                    replies = database.execute("SELECT reply FROM attempts").fetchall() if tables else []
                    parts += [zlib.decompress(reply) for (reply,) in replies if reply]
    return b"\n".join(parts)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_a_service_echoes_everywhere_is_found_nowhere(
    key: str, tmp_path: Path, comix: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", f"  {key}\n")
    workspace, _ = drawn_workspace(tmp_path / "w", 8)
    encoded = [base64.b64encode(b"x" * n + f"Bearer {key}".encode()).decode() for n in range(3)]

    def echo(request: dict[str, Any]) -> Reply:
        assert f"Bearer {key}" in server.headers[-1]
        said = f"your key is {key}, {' '.join(encoded)}, {key.encode().hex()}"
        kinds = (
            completion(json.dumps(page_answer(summary=said))),
            completion(json.dumps({"summary": said})),
            completion(said),
            completion("", refusal=said),
            of_envelope({"error": {"message": said}}, 400),
            of_envelope({"error": {"message": said, "code": 400}}, x_echo=key),
            Reply(f"<html>{said}</html>".encode(), 404),
            Reply(json.dumps({"error": {"message": f"bad key {key}", "request": server.headers[-1]}}).encode(), 422),
        )
        return kinds[len(server.requests) % len(kinds)]

    with FakeServer(default=echo) as server:
        words = ["analyze", f"workspace={workspace.root}", "vlm=openrouter", f"vlm.base_url={server.base_url}", "vlm.max_usd=1"]
        words += ["vlm.api_key_env=CANARY_KEY", "vlm.structured=json_schema", "vlm.concurrency=1", "vlm.answer_retries=0"]
        ran = comix(*words, f"error_log_dir={tmp_path / 'w' / 'errors'}", "vlm.max_attempts=1")
    assert "sent" not in ran.err or server.base_url in ran.err
    assert "= 1 done + 7 failed" in ran.out
    failures = comix("failures", f"workspace={workspace.root}", "format=json")
    report = comix("status", f"workspace={workspace.root}")
    shown = "".join((ran.out, ran.err, failures.out, failures.err, report.out)).encode()
    written = every_byte(workspace.root)
    assert b"[key removed]" in written
    assert len(list((workspace.root / "errors").rglob("*.txt"))) == 7
    for spelling in spellings(key):
        assert spelling not in shown + written, spelling


@pytest.mark.parametrize(
    "word",
    [
        "vlm.api_key=KEY", "+vlm.api_key=KEY", "vlm.api_key_env=KEY", "api-key=KEY", "+vlm.headers.x-api-key=KEY",
        "vlm.base_url=https://user:KEY@example.org/v1", "vlm.base_url=https://example.org/v1?key=KEY",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", KEYS)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    word: str, key: str, tmp_path: Path, comix: Callable[..., Any]
) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 1)
    before = sorted(workspace.root.rglob("*"))
    ran = comix("analyze", f"workspace={workspace.root}", "vlm=openrouter", "vlm.max_usd=1", word.replace("KEY", key))
    assert ran.code == 2
    assert key not in ran.out + ran.err
    assert key.encode() not in every_byte(workspace.root)
    if key.startswith("sk-") or "api" in word.split("=", maxsplit=1)[0].replace("_env", ""):
        assert sorted(workspace.root.rglob("*")) == before


def test_a_key_lies_in_no_dotenv_file(tmp_path: Path, comix: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"OPENROUTER_API_KEY={KEYS[0]}\n", encoding="utf-8")
    workspace, _ = drawn_workspace(tmp_path / "w", 1)
    ran = comix("analyze", f"workspace={workspace.root}", "vlm=openrouter", "vlm.max_usd=1")
    assert (ran.code, "OPENROUTER_API_KEY is not set" in ran.err) == (2, True)


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "ключ", "tab\tbed"])
def test_what_no_key_looks_like_is_refused_unseen(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KEY", value)
    with pytest.raises(UsageError) as caught:
        Secret("CANARY_KEY")
    assert value not in str(caught.value)


def test_a_secret_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KEY", KEYS[0])
    secret = Secret("CANARY_KEY")
    assert KEYS[0] not in f"{secret!r} {secret}"
    assert secret.redacted_text(f"a {KEYS[0]} b") == "a [key removed] b"
