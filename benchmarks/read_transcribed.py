"""Analyses of transcribed pages with their true panels, for ``comix evaluate target=text``: what reading alone gets wrong.

    python benchmarks/read_transcribed.py --truth hand_transcripts.json,hand_panels.json --images pages --output OUT
    comix evaluate target=text truth=[hand_transcripts.json,hand_panels.json] analyses=OUT/ocr missing=leave_out
    comix evaluate target=text truth=[hand_transcripts.json,hand_panels.json] analyses=OUT/lines missing=leave_out

Writes ``OUT/ocr`` (`vlm=ocr`) and ``OUT/lines`` (the engine's raw lines) from one run of the engine, leaves finished pages
alone, and prints processor seconds per page, with one thread. ``--every 3`` takes every third page.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from comix.bench.transcripts import TranscriptPage, read_transcripts
from comix.core.page import PageRecord
from comix.io.analysis import analysis_path, write_analysis
from comix.io.images import read_bgr
from comix.vlm.balloons import balloons_of
from comix.vlm.lines import LineEngine
from comix.vlm.ocr import analysis_of, kept_lines, lines_analysis, well_spelled


def record_of(page: TranscriptPage) -> PageRecord:
    values: dict[str, Any] = {one.name: "" if one.type == "str" else 0 for one in fields(PageRecord)}
    direction = "rtl" if page.language == "ja" else "ltr"
    return PageRecord(**(values | {"page_id": page.key, "reading_direction": direction}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", required=True, help="transcripts, comma-separated")
    parser.add_argument("--images", type=Path, required=True, help="folder that their paths begin in")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--language", default="")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    engine, spent = LineEngine(), []
    pages = read_transcripts([Path(one) for one in options.truth.split(",")], options.language)[:: options.every]
    for page in pages:
        target = analysis_path(options.output / "ocr", page.key)
        if target.is_file():
            continue
        image, record = read_bgr(options.images / page.file_name), record_of(page)
        panels = [page.panels[number] for number in sorted(page.panels)]
        start = time.process_time()
        lines = engine.lines(image)
        balloons = well_spelled(balloons_of(image, kept_lines(lines, 0.5)))
        spent.append(time.process_time() - start)
        height, width = image.shape[:2]
        write_analysis(analysis_path(options.output / "lines", page.key), lines_analysis(lines, panels, record, width, height))
        write_analysis(target, analysis_of(balloons, panels, record, width, height))
    print(f"{len(pages)} pages, {len(spent)} read now" + (f", {sum(spent) / len(spent):.2f} CPU s a page" if spent else ""))


if __name__ == "__main__":
    main()
