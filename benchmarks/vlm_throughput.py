"""How fast pages go through `comix analyze` to a service, against a bare asynchronous client in the same run.

    uv run python benchmarks/vlm_throughput.py [--pages 1200] [--kilobytes 300] [--memory-pages 20000]

A local server answers every request after one second. The same pages are sent, 64 at once, first by a bare client (httpx2,
nothing but sending), then by ``comix analyze vlm=openrouter`` with ledger, checks, journal and files. Then 20,000 small pages
are read from a server that answers at once, and the process's memory is sampled on the way. Exits 1 below 0.9 of the bare
client, or when memory grows by more than 64 MiB between a quarter and the end of the pages.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "vlm"))

from drawn_pages import record
from fakeserver import FakeServer, Reply, good

from comix.core.workspace import Workspace
from comix.io.tables import write_pages

AT_ONCE = 64


def workspace_of(root: Path, n_pages: int, n_bytes: int) -> Workspace:
    """Pages whose images have about so many bytes each, none alike."""
    workspace = Workspace(root).create()
    rng = np.random.default_rng(0)
    side = max(64, int((n_bytes / 1.1) ** 0.5 // 8 * 8))
    jpeg = cv2.imencode(".jpg", rng.integers(0, 256, (side, side, 3), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    rows = []
    for number in range(1, n_pages + 1):
        data = jpeg + f"page {number}".encode()
        rows.append(record(number, data, side))
        path = root / rows[-1].image_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    write_pages(workspace.pages_table, rows)
    print(f"{n_pages} pages of {len(jpeg) / 1000:.0f} kB, {side} x {side} pixels", flush=True)
    return workspace


def serve(delay_s: float, port: Any) -> None:
    reply = good()

    def answer(_request: dict[str, Any]) -> Reply:
        return reply

    with FakeServer(default=answer, delay_s=delay_s, keep_requests=False) as server:
        port.send(server.port)
        port.recv()


class Server:
    """The fake server in a process of its own."""

    def __init__(self, delay_s: float) -> None:
        self._here, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=serve, args=(delay_s, there), daemon=True)

    def __enter__(self) -> str:
        self._process.start()
        return f"http://127.0.0.1:{self._here.recv()}/v1"

    def __exit__(self, *_: object) -> None:
        self._here.send("end")
        self._process.join(10)


async def bare(base_url: str, paths: list[Path]) -> float:
    """Seconds that a client takes which does nothing but send."""
    import httpx2

    waiting = iter(paths)
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx2.AsyncClient(timeout=120, limits=limits) as client:

        async def work() -> None:
            for path in waiting:
                url = "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
                content = [{"type": "text", "text": "read"}, {"type": "image_url", "image_url": {"url": url}}]
                body = {"model": "fake", "messages": [{"role": "user", "content": content}]}
                reply = await client.post(f"{base_url}/chat/completions", json=body)
                json.loads(reply.json()["choices"][0]["message"]["content"])

        started = time.monotonic()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return time.monotonic() - started


def analyze(workspace: Workspace, base_url: str) -> tuple[float, list[float], float]:
    """Seconds by the command's own count, memory in MiB at every half second, processor seconds."""
    words = [
        sys.executable, "-m", "comix", "analyze", f"workspace={workspace.root}", "vlm=local", f"vlm.base_url={base_url}",
        "vlm.model=fake", f"vlm.concurrency={AT_ONCE}", "vlm.structured=json_schema",
    ]  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    memory = []
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status")
        if status.is_file() and (found := re.search(r"VmRSS:\s+(\d+)", status.read_text())):
            memory.append(int(found[1]) / 1024)
        time.sleep(0.5)
    out = process.stdout.read() if process.stdout else ""
    print("   ", out.strip().splitlines()[0] if out.strip() else "no output", flush=True)
    seconds = re.search(r"worked on now in ([\d.]+) s", out)
    if process.returncode or seconds is None:
        sys.exit(f"comix analyze ended with {process.returncode}")
    times = os.times()
    return float(seconds[1]), memory, times.children_user + times.children_system


def sending_time(workspace: Workspace) -> float:
    """Seconds from the first request's start to the last reply, by the ledger; the bare client is timed likewise."""
    with sqlite3.connect(workspace.root / "vlm" / "ledger.sqlite") as database:
        ((first, last),) = database.execute("SELECT MIN(started), MAX(started + seconds) FROM attempts").fetchall()
    return float(last - first)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1200)
    parser.add_argument("--kilobytes", type=int, default=300)
    parser.add_argument("--memory-pages", type=int, default=20_000)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        if options.pages:
            workspace = workspace_of(Path(folder) / "speed", options.pages, options.kilobytes * 1000)
            paths = sorted(workspace.pages_dir.rglob("*.png"))
            with Server(1.0) as base_url:
                load = os.getloadavg()[0]
                before = time.process_time()
                reference = asyncio.run(bare(base_url, paths))
                bare_processor = time.process_time() - before
                whole, _, processor = analyze(workspace, base_url)
                seconds = sending_time(workspace)
            rates = [options.pages / one for one in (reference, seconds)]
            print(f"bare client {rates[0]:.1f} pages/s, comix analyze {rates[1]:.1f} pages/s: {rates[1] / rates[0]:.3f}")
            print(f"{whole:.0f} s of work for the command, {seconds:.0f} s from the first request to the last reply")
            each = [1000 * one / options.pages for one in (bare_processor, processor)]
            print(f"processor {each[0]:.1f} and {each[1]:.1f} ms a page (the command's start included), load before {load:.1f}")
            failed |= rates[1] < 0.9 * rates[0]
        if options.memory_pages:
            workspace = workspace_of(Path(folder) / "memory", options.memory_pages, 2000)
            with Server(0.0) as base_url:
                seconds, memory, _ = analyze(workspace, base_url)
            quarter, end = memory[len(memory) // 4], max(memory[-max(2, len(memory) // 10) :])
            print(f"{options.memory_pages} pages in {seconds:.0f} s; {quarter:.0f} MiB after a quarter, {end:.0f} at the end")
            failed |= end - quarter > 64
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
