"""The report: counts as in the journals, nothing from outside runs, the same bytes twice, useful when half of it is missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from comix.bundled import Credit
from comix.core.errors import MissingInputError
from comix.core.journal import Journal
from comix.core.workspace import Workspace
from comix.io.tables import write_pages
from comix.report.stage import run_report

VARIANTS = {"detect": "gutter", "order": "gutter", "analyze": "hand", "align": "gutter+hand", "curate": ""}


class Page(HTMLParser):
    """Tags with attributes and the visible text of a report."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def stage_row(self, name: str) -> list[int]:
        """Inputs, done, failed, skipped of a stage, as shown."""
        row = re.search(rf'<tr data-stage="{name}">(.*?)</tr>', self.source, re.DOTALL)
        assert row, name
        cells = re.findall(r'<td class="num[^"]*">([\d,–]+)</td>', row[1])
        return [int(cell.replace(",", "").replace("–", "0")) for cell in cells[:4]]

    def total(self, label: str) -> str:
        found = re.search(rf"<dt>{label}</dt>\s*<dd>(.*?)</dd>", self.source)
        assert found, label
        return found[1]


def report(workspace: Workspace, **changes: object) -> Page:
    settings = {"detector": "gutter", "reader": "hand", "max_pages": 60, **changes}
    return Page(run_report(workspace, **settings))  # type: ignore[arg-type]


def test_counts_are_those_of_the_journals_and_add_up(aligned: Workspace) -> None:
    page, n_pages = report(aligned), len(pd.read_parquet(aligned.pages_table))
    assert n_pages == 5
    for stage, variant in VARIANTS.items():
        with Journal(aligned.journal(stage), variant) as journal:
            states = [status for key, (status, _, _) in journal.state().items() if not key.startswith("gone/")]
        inputs, done, failed, skipped = page.stage_row(f"{stage}-pages")
        assert inputs == done + failed + skipped == len(states) == n_pages
        assert (done, failed, skipped) == tuple(states.count(one) for one in ("done", "failed", "skipped")), stage
    assert page.stage_row("extract-containers") == [3, 2, 1, 0]
    assert page.stage_row("extract-members") == [7, 5, 1, 1]


def test_header_shows_what_was_found(aligned: Workspace) -> None:
    page, table = report(aligned), pd.read_parquet(aligned.alignment_dir / "alignment.parquet")
    assert page.total("Books") == "2"
    assert page.total("Panels") == str(int(table["rcnn_panels"].sum()))
    assert page.total("Words") == str(int(table["n_all_words"].sum()))
    assert page.total("DataSpecs") == "4"
    n_training = len((aligned.lists_dir / "training.txt").read_text().splitlines())
    assert page.total("Training pages") == str(n_training)


def test_subsets_are_those_of_the_list_files(aligned: Workspace) -> None:
    page = report(aligned)
    shown = dict(re.findall(r'data-subset="(\w+)">(\d+)<', page.source))
    for name, n in shown.items():
        lines = (aligned.alignment_dir / f"alignment_{name}.txt").read_text().splitlines()
        assert int(n) == len(lines), name
    assert len(shown) == 5


def test_every_step_of_the_funnel_is_explained(aligned: Workspace) -> None:
    steps = re.findall(
        r'<span class="amount">([\d,]+)</span>(.*?)</li>', report(aligned).source, re.DOTALL
    )  # fmt: skip
    amounts = [int(n) for n, _ in steps]
    assert amounts[:3] == [3, 7, 5]
    for before, (after, (_, html)) in zip(amounts[2:], zip(amounts[3:], steps[3:], strict=True), strict=False):
        lost = sum(int(n) for n in re.findall(r">−(\d+) ", html))
        gained = sum(int(n) for n in re.findall(r">\+(\d+) ", html))
        assert after == before - lost + gained, html


def test_text_and_names_from_outside_never_become_markup(aligned: Workspace) -> None:
    page = report(aligned, title="<b>bold</b> & co")
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "<script>alert" not in page.source
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "</span><script>alert(1)</script>" in page.text
    assert "<script>alert('name')<" in page.text
    assert "<b>bold</b> & co" in page.text


def test_nothing_is_fetched(aligned: Workspace) -> None:
    maker = Credit("plain.cbz", "Plain", "Ann", "CC0", "javascript:alert(1)", "https://example.org (scan)", "none", "ink", 3)
    page = report(aligned, credits=[maker])
    links = []
    for tag, attributes in page.tags:
        if tag == "a":
            links.append(attributes["href"] or "")
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            if tag != "a" and attributes.get(name):
                assert str(attributes[name]).startswith("data:"), (tag, attributes[name])
    assert all(link.startswith("#") or link == "https://example.org" for link in links)
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert "default-src 'none'" in page.source


def test_a_link_always_leads_somewhere(aligned: Workspace) -> None:
    page = report(aligned)
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for tag, attributes in page.tags:
        if tag == "a" and str(attributes["href"]).startswith("#"):
            assert str(attributes["href"])[1:] in ids


def test_same_workspace_same_bytes(aligned: Workspace) -> None:
    first = run_report(aligned, "gutter", "hand", 60).read_bytes()
    aligned.report.unlink()
    assert run_report(aligned, "gutter", "hand", 60).read_bytes() == first


def test_failures_name_item_reason_and_hint(aligned: Workspace) -> None:
    text = report(aligned).text
    assert "3 inputs failed." in text
    for part in ("archive_damaged", "cut.cbz", "image_truncated", "timeout", "plain/0003", "wait longer"):
        assert part in text
    assert "gone/0001" not in text


def test_pages_are_spread_over_the_books(aligned: Workspace) -> None:
    page = report(aligned, max_pages=2)
    shown = [attributes for tag, attributes in page.tags if tag == "article"]
    assert len(shown) == 2
    assert len({attributes["data-book"] for _, attributes in page.tags if "data-book" in attributes}) == 2


def test_panels_texts_and_kinds_are_on_the_page(aligned: Workspace) -> None:
    page = report(aligned)
    classes = [str(attributes.get("class")) for _, attributes in page.tags]
    assert classes.count("say sfx") == 4
    assert "say dialogue" in classes
    assert "Outside panels" in page.text
    n_boxes = sum(name == "box" for name in classes)
    assert n_boxes == int(page.total("Panels"))


def test_only_extract_has_run(extracted: Workspace) -> None:
    page = report(extracted)
    assert page.total("Pages") == "5"
    assert page.total("Panels") == "–"
    assert "comix detect detector=gutter" in page.text
    assert page.stage_row("extract-members") == [7, 5, 1, 1]


def test_detected_but_not_ordered_shows_boxes_without_a_path(detected: Workspace) -> None:
    page = report(detected)
    assert 'class="box"' in page.source
    assert 'class="route"' not in page.source
    assert "not in reading order yet" in page.text


def test_another_reader_says_what_is_there(aligned: Workspace) -> None:
    page = report(aligned, reader="ocr")
    assert page.total("DataSpecs") == "–"
    assert "analyze by hand" in page.text


def test_a_data_spec_of_another_reader_is_not_shown_as_ours(aligned: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(Path(shutil.copytree(aligned.root, tmp_path / "ws")))
    for path in workspace.dataspec_dir.rglob("*.json"):
        path.write_text(path.read_text().replace('"reader":"hand"', '"reader":"other"'))
    page = report(workspace)
    assert "say sfx" not in page.source
    assert "run comix align again" in page.text


def test_lost_image_and_damaged_spec_are_said_not_raised(aligned: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(Path(shutil.copytree(aligned.root, tmp_path / "ws")))
    next(workspace.pages_dir.rglob("0001.png")).unlink()
    next(workspace.dataspec_dir.rglob("*.json")).write_text("{")
    text = report(workspace).text
    assert "cannot be shown" in text
    assert "cannot be read" in text


def test_no_pages_at_all(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="comix extract"):
        report(Workspace(tmp_path).create())
    write_pages(tmp_path / "pages.parquet", [])
    assert "has no pages" in report(Workspace(tmp_path)).text


def test_more_books_than_fit(aligned: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("books", "stage"):
        monkeypatch.setattr(f"comix.report.{module}.MAX_BOOKS", 1)
    assert "The 1 books with the most pages, of 2." in report(aligned).text


def test_the_command_prints_the_path(aligned: Workspace, comix: Callable[..., object]) -> None:
    ran = comix("report", f"workspace={aligned.root}", "reader=hand", "title=Don't, (really)")
    assert ran.code == 0  # type: ignore[attr-defined]
    assert str(aligned.report) in ran.out  # type: ignore[attr-defined]
    assert "Don&#39;t, (really)" in aligned.report.read_text(encoding="utf-8")
