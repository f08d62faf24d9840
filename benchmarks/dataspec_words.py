"""Words of the hand transcripts found in the DataSpecs, from image files to DataSpec through the command line.

    uv run python benchmarks/dataspec_words.py [--data ../shared/data] [--workspace DIR]

Copies the transcribed pages into a library folder, runs ``comix pipeline`` with its defaults (detected panels, not given
ones), and compares all words of each page's DataSpec (panels and unassigned text) with the transcript: bag of words per
page, pooled over all pages. Prints recall and precision per source and pooled.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from comix.metrics.text import WordScore, word_score

REPOSITORY = Path(__file__).resolve().parent.parent


def transcript_texts(page: dict) -> list[str]:
    texts = [text["text"] for panel in page["panels"] for text in panel["texts"]]
    return texts + [text["text"] for text in page["outside_panels"]]


def dataspec_texts(spec: dict) -> list[str]:
    texts = [item["text"] for panel in spec["panels"] for item in panel["texts"]]
    return texts + [item["text"] for item in spec["unassigned_text"]]


def run_pipeline(data: Path, files: list[str], folder: Path) -> Path:
    library, workspace = folder / "library", folder / "workspace"
    for name in files:
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "pages" / name, library / name)
    words = [sys.executable, "-m", "comix", "pipeline", f"library={library}", f"workspace={workspace}", "until=curate"]
    finished = subprocess.run(words, check=False)
    if finished.returncode:
        sys.exit(f"the pipeline ended with {finished.returncode}")
    return workspace


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("COMIX_DATA", REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    arguments = parser.parse_args()
    path = arguments.data / "ground_truth" / "hand_transcripts.json"
    transcripts = {page["file_name"]: page for page in json.loads(path.read_text(encoding="utf-8"))["pages"]}
    totals: dict[str, WordScore] = {}
    with tempfile.TemporaryDirectory() as folder:
        workspace = run_pipeline(arguments.data, sorted(transcripts), Path(folder))
        pages = pd.read_parquet(workspace / "pages.parquet")
        for row in pages.itertuples():
            spec = json.loads((workspace / "dataspec" / f"{row.page_id}.json").read_text(encoding="utf-8"))
            score = word_score(transcript_texts(transcripts[f"{row.container}/{row.member}"]), dataspec_texts(spec))
            for name in (row.container, "all"):
                totals[name] = totals.get(name, WordScore(0, 0, 0)) + score
    print(f"{len(pages)} pages; words pooled over pages")
    for name, total in sorted(totals.items()):
        print(f"{name:<16} {total.n_reference:5d} words  recall {total.recall:.3f}  precision {total.precision:.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
