"""Time the four-variant sweep on a copy of a workspace: first with no features cached, then the same command again.

Usage: python benchmarks/train_sweep.py WORKSPACE [key=value ...]

Prints seconds of both and the comparison table. The first may take 180 s on two cores.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VARIANTS = "mpm_variant=base,denoise,context_recon,denoise_context"
LIMIT_S = 180.0


def timed(*words: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "comix", *words], check=True)
    return time.perf_counter() - started


def main() -> int:
    source, more = Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        shutil.copytree(source, workspace, ignore=shutil.ignore_patterns("cache", "runs", "models", "embeddings"))
        words = ("train", "-m", VARIANTS, f"workspace={workspace}", *more)
        first, again = timed(*words), timed(*words)
        subprocess.run([sys.executable, "-m", "comix", "compare", f"workspace={workspace}"], check=True)
    print(f"sweep: {first:.1f} s with features to compute (limit {LIMIT_S:.0f} s), {again:.1f} s again")
    return int(first > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
