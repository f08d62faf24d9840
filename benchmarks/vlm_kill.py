"""Kill -9 `comix analyze` at random moments while it asks a service: no accepted reply is lost or paid twice.

    uv run python benchmarks/vlm_kill.py [--kills 40] [--pages 2400] [--seed 0]

One workspace, one local server that takes 0.1 s for a reply. The command is started, killed a random time after its first
request of that start, and started again; the last start runs to its end. After every kill the ledger is read. Exits 1 unless

- every accepted reply that was in the ledger stays there, and no request is accepted twice;
- every request the server saw beyond one for a page is a row that a kill left on the wire;
- the ledger's known cost and what is at risk cover what the server billed, and the known cost is that of the kept replies.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "vlm"))

from drawn_pages import drawn_workspace
from fakeserver import FakeServer


def rows(ledger: Path, query: str) -> list[tuple[str, int]]:
    if not ledger.is_file():
        return []
    with sqlite3.connect(ledger) as database:
        return database.execute(query).fetchall()


def start(words: list[str]) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--pages", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    faults = 0
    with tempfile.TemporaryDirectory() as folder, FakeServer(delay_s=0.1, keep_requests=False) as server:
        workspace, images = drawn_workspace(Path(folder) / "w", options.pages)
        ledger = workspace.root / "vlm" / "ledger.sqlite"
        prices = "models: {fake: {prompt_usd: 0.5, completion_usd: 10, image_tokens: 500}}\n"  # the server bills 0.001
        (workspace.root / "prices.yaml").write_text(prices, encoding="utf-8")
        words = [
            sys.executable, "-m", "comix", "analyze", f"workspace={workspace.root}", "vlm=openrouter", "vlm.max_usd=1000",
            "vlm.model=fake",
            f"vlm.base_url={server.base_url}", "vlm.concurrency=8", "vlm.structured=json_schema", "vlm.api_key_env=FAKE_KEY",
        ]  # fmt: skip
        os.environ["FAKE_KEY"] = "not-a-real-key"
        kept: set[str] = set()
        n_killed = 0
        for n in range(options.kills):
            before, process = sum(server.seen.values()), start(words)
            while process.poll() is None and sum(server.seen.values()) == before:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.8))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                n_killed += 1
            process.wait()
            accepted = Counter(key for key, _ in rows(ledger, "SELECT key, id FROM attempts WHERE accepted = 1"))
            lost, twice = kept - set(accepted), [key for key, n in accepted.items() if n > 1]
            faults += bool(lost) + bool(twice)
            kept = set(accepted)
            print(f"kill {n + 1}: {len(kept)} replies kept, {len(lost)} lost, {len(twice)} accepted twice", flush=True)
        code = start(words).wait()
        seen = {f"book/{number:04}": server.seen[image] for number, image in enumerate(images, 1)}
        on_wire = dict(rows(ledger, "SELECT page_id, COUNT(*) FROM attempts WHERE class = 'lost' GROUP BY page_id"))
        unexplained = {page: n for page, n in seen.items() if n - 1 > on_wire.get(page, 0)}
        ((n_accepted, cost, risk),) = rows(ledger, "SELECT SUM(accepted), SUM(cost_usd), SUM(at_risk_usd) FROM attempts")
    print(f"{n_killed} kills; {options.pages} pages, the last run ended with {code}; {n_accepted} accepted replies")
    print(f"{sum(seen.values())} requests, {sum(on_wire.values())} rows lost on the wire, {len(unexplained)} pages paid twice")
    print(f"server billed {server.billed:.3f}; ledger {cost:.3f} known, {risk:.3f} at risk")
    exact = abs(cost - 0.001 * n_accepted) < 1e-6 and cost <= server.billed + 1e-6 <= cost + risk + 1e-6
    return int(bool(faults or unexplained or code or n_accepted != options.pages or not exact))


if __name__ == "__main__":
    sys.exit(main())
