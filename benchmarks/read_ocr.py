"""How well the OCR reader reads: words, whole balloons, right panels, order, kinds, seconds. Panels are the true ones.

    python benchmarks/read_ocr.py [--data DIR] [--pages 8] [--threads 2]

Sources: ``hand`` = 15 English pages transcribed by hand per panel; ``anda`` = English balloons of a published ACBF
comic; ``mantra`` = Japanese balloons of OpenMantra (evenly spaced pages of the last two). Figures:

- words: bag-of-words recall and precision pooled over all words (`comix.metrics.text.word_score`); for Japanese the
  recall of characters.
- whole: share of transcript texts that come out as one balloon: character error rate at most 0.2 against some balloon
  of the page (case, punctuation ignored), each balloon used once. ``strict`` counts punctuation too.
- panel: of the texts found at all (error rate at most 0.5), the share that lies in the true panel (or in none).
- order: of pairs of found texts in one true panel, the share in the true order.
- kind: speech and thought as dialogue or thought, captions as narration, sound effects as sfx.
- s/page: wall clock with ``--threads`` threads; CPU seconds beside it: with one thread, the cost per core.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from comix.core.geometry import Box
from comix.core.page import TEXT_KINDS, PageRecord
from comix.io.analysis import Analysis
from comix.io.images import read_bgr
from comix.metrics.text import WordScore, character_error_rate, character_recall, edit_distance, word_score
from comix.vlm.ocr import OcrReader

KINDS = {
    "speech": "dialogue", "thought": "dialogue", "caption": "narration", "commentary": "narration", "sfx": "sfx",
    "sound": "sfx",
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """A text of the transcript or of the reader: ``panel`` is an index, None outside all panels; kind "" is unknown."""

    panel: int | None
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Page:
    """One transcribed page."""

    file_name: str
    panels: list[Box]
    texts: list[Text]
    direction: str
    japanese: bool = False


@dataclass
class Totals:
    """Sums over pages; every list holds one number or flag per text or pair."""

    words: WordScore = field(default_factory=lambda: WordScore(0, 0, 0))
    characters: tuple[int, int] = (0, 0)
    error_rates: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    strict: list[bool] = field(default_factory=list)
    panel: list[bool] = field(default_factory=list)
    order: list[bool] = field(default_factory=list)
    kind: list[bool] = field(default_factory=list)
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)


def panels_of(coco: dict[str, Any]) -> dict[str, list[Box]]:
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    found: dict[str, list[Box]] = {name: [] for name in names.values()}
    for annotation in sorted(coco["annotations"], key=lambda one: one["order"]):
        found[names[annotation["image_id"]]].append(Box.from_xywh(annotation["bbox"]))
    return found


def hand_pages(truth: Path) -> list[Page]:
    boxes = panels_of(json.loads((truth / "hand_panels.json").read_text(encoding="utf-8")))
    pages = []
    for entry in json.loads((truth / "hand_transcripts.json").read_text(encoding="utf-8"))["pages"]:
        texts = [
            Text(panel["order"], text["text"], KINDS.get(text["type"], ""))
            for panel in entry["panels"]
            for text in panel["texts"]
        ]
        texts += [Text(None, text["text"]) for text in entry["outside_panels"]]
        pages.append(Page(entry["file_name"], boxes[entry["file_name"]], texts, "ltr"))
    return pages


def coco_pages(path: Path, key: str, n_pages: int, japanese: bool = False) -> list[Page]:
    coco = json.loads(path.read_text(encoding="utf-8"))
    boxes = panels_of(coco)
    pages = []
    for image in coco["images"]:
        panels, texts = boxes[image["file_name"]], []
        for text in coco["texts"]:
            if text["image_id"] == image["id"] and text.get("lang", "en") == "en" and text.get(key):
                shares = [panel.intersection(Box.from_xywh(text["bbox"])) for panel in panels]
                owner = int(np.argmax(shares)) if shares and max(shares) > 0 else None
                texts.append(Text(owner, text[key], KINDS.get(text.get("type", ""), "")))
        if texts and panels:
            pages.append(Page(image["file_name"], panels, texts, image["reading_direction"], japanese))
    return pages[:: max(1, len(pages) // n_pages)][:n_pages]


def texts_of(analysis: Analysis) -> list[Text]:
    found = [
        Text(panel.panel_number - 1, item.text, kind)
        for panel in analysis.panels
        for kind in TEXT_KINDS
        for item in getattr(panel, kind)
    ]
    return found + [Text(None, item.text, item.kind) for item in analysis.unassigned]


def matches(page: Page, found: Sequence[Text]) -> dict[int, tuple[int, float]]:
    """Transcript text -> (read text, error rate): best pairs first, each used once; a pair in one panel wins ties."""
    pairs = []
    for index, wanted in enumerate(page.texts):
        for other, got in enumerate(found):
            rate = character_error_rate(wanted.text, got.text, spaces=not page.japanese)
            pairs.append((rate, wanted.panel != got.panel, index, other))
    chosen: dict[int, tuple[int, float]] = {}
    used: set[int] = set()
    for rate, _, index, other in sorted(pairs):
        if rate <= 0.5 and index not in chosen and other not in used:
            chosen[index] = (other, rate)
            used.add(other)
    return chosen


def strict_rate(wanted: str, got: str) -> float:
    wanted, got = " ".join(wanted.casefold().split()), " ".join(got.casefold().split())
    return edit_distance(wanted, got) / max(1, len(wanted))


def add_page(totals: Totals, page: Page, analysis: Analysis) -> list[tuple[str, str]]:
    """Adds a page to the sums; gives the texts that did not come out whole with their nearest reading."""
    found = texts_of(analysis)
    totals.words += word_score([text.text for text in page.texts], [text.text for text in found])
    n_matched, n_characters = character_recall([text.text for text in page.texts], [text.text for text in found])
    totals.characters = (totals.characters[0] + n_matched, totals.characters[1] + n_characters)
    chosen = matches(page, found)
    missed = []
    for index, wanted in enumerate(page.texts):
        other, rate = chosen.get(index, (-1, 1.0))
        totals.error_rates.append(min(1.0, rate))
        totals.whole.append(rate <= 0.2)
        totals.strict.append(other >= 0 and strict_rate(wanted.text, found[other].text) <= 0.2)
        if rate > 0.2:
            missed.append((wanted.text, found[other].text if other >= 0 else "-"))
        if other >= 0:
            if wanted.panel != found[other].panel:
                missed.append((f"{wanted.text} in panel {wanted.panel}", f"in {found[other].panel}"))
            totals.panel.append(wanted.panel == found[other].panel)
            if wanted.kind:
                totals.kind.append(wanted.kind == found[other].kind)
                totals.confusion[wanted.kind, found[other].kind] += 1
    add_order(totals, page, analysis, {index: found[other] for index, (other, _) in chosen.items()})
    return missed


def add_order(totals: Totals, page: Page, analysis: Analysis, chosen: dict[int, Text]) -> None:
    """Pairs of texts of one kind and panel, the only order an analysis states."""
    ranks = {
        (panel.panel_number - 1, kind, item.text): rank
        for panel in analysis.panels
        for kind in TEXT_KINDS
        for rank, item in enumerate(getattr(panel, kind))
    }
    for first, one in chosen.items():
        for second, two in chosen.items():
            same = first < second and one.panel is not None and page.texts[first].panel == page.texts[second].panel
            if same and (one.panel, one.kind) == (two.panel, two.kind) and one.text != two.text:
                left, right = (one.panel, one.kind, one.text), (two.panel, two.kind, two.text)
                totals.order.append(ranks[left] < ranks[right])


def record_of(page: Page) -> PageRecord:
    values: dict[str, Any] = {one.name: "" if one.type == "str" else 0 for one in fields(PageRecord)}
    direction = page.direction if page.direction in ("ltr", "rtl") else ""
    return PageRecord(**(values | {"page_id": page.file_name, "reading_direction": direction}))


def share(flags: Sequence[bool]) -> str:
    return f"{sum(flags) / len(flags):.3f} ({len(flags)})" if flags else "-"


def report(name: str, totals: Totals, n_pages: int, seconds: tuple[float, float]) -> None:
    characters = totals.characters[0] / max(1, totals.characters[1])
    print(
        f"{name:8s} pages {n_pages:3d}  words recall {totals.words.recall:.3f} precision {totals.words.precision:.3f}"
        f"  characters {characters:.3f}  CER {np.mean(totals.error_rates):.3f}"
        f"  whole {share(totals.whole)} strict {share(totals.strict)}"
        f"  panel {share(totals.panel)}  order {share(totals.order)}  kind {share(totals.kind)}"
        f"  {seconds[0] / max(1, n_pages):.2f} s/page, {seconds[1] / max(1, n_pages):.2f} CPU s/page"
    )


def sources(data: Path, n_pages: int) -> dict[str, list[Page]]:
    truth = data / "ground_truth"
    return {
        "hand": hand_pages(truth),
        "anda": coco_pages(truth / "acbf_anda_coco.json", "text", n_pages),
        "mantra": coco_pages(truth / "openmantra_coco.json", "text_ja", n_pages, japanese=True),
    }


def run(data: Path, n_pages: int, read: Callable[[Page], Analysis], verbose: bool) -> None:
    for name, pages in sources(data, n_pages).items():
        totals, seconds = Totals(), (0.0, 0.0)
        for page in pages:
            start = time.perf_counter(), time.process_time()
            analysis = read(page)
            seconds = (seconds[0] + time.perf_counter() - start[0], seconds[1] + time.process_time() - start[1])
            for wanted, got in add_page(totals, page, analysis):
                if verbose:
                    print(f"  {page.file_name}\n    wanted {wanted}\n    got    {got}")
        report(name, totals, len(pages), seconds)
        if verbose:
            print("  kinds (true, guessed):", dict(totals.confusion))


def main() -> None:
    default = os.environ.get("COMIX_DATA") or Path(__file__).resolve().parents[1] / "../shared/data"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pages/ and ground_truth/")
    parser.add_argument("--pages", type=int, default=8, help="pages of each of the larger sources")
    parser.add_argument("--threads", type=int, default=2, help="threads of the OCR networks")
    parser.add_argument("--verbose", action="store_true", help="print each text that did not come out whole")
    options = parser.parse_args()
    reader = OcrReader(n_threads=options.threads)

    def read(page: Page) -> Analysis:
        image = read_bgr(options.data / "pages" / page.file_name)
        return reader.read(image, page.panels, record_of(page))

    run(options.data, options.pages, read, options.verbose)


if __name__ == "__main__":
    main()
