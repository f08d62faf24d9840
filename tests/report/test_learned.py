"""Models, what a model sees, and search in the report: shown when they are there, named with their command when not."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from comix.core.workspace import Workspace
from comix.data.lists import load_pages
from comix.embed.encoder import EncodedPage, boxes_of
from comix.embed.rows import embed_inputs, row_facts
from comix.embed.stage import EmbedOptions, run_embed
from comix.embed.store import prepare_store
from comix.io.zarrstore import EmbeddingStore
from comix.report.stage import run_report
from comix.search.index import build_index

sys.path.insert(0, str(Path(__file__).parents[1] / "embed"))
from drawn import HashEncoder, vector

NAME = "drawn"


class LastPanelNext(HashEncoder):
    """Vectors as wide as the real ones; every panel but the last points to the last, which ends the page."""

    widths = (8, 1280, 384)

    def _one(self, page):  # type: ignore[no-untyped-def]
        n = len(page.boxes)
        image, text = (
            np.stack([vector(f"{width} {page.sha256} {slot}", width) for slot in range(n)]) for width in self.widths[1:]
        )
        fused = image[:, :8].copy()
        attention = np.arange(1, n + 1, dtype=np.float32)
        follow = np.array([*[n - 1] * (n - 1), -1])
        likely = np.eye(n + 1, dtype=np.float32)[follow] * 0.75 + 0.25 / (n + 1)
        return EncodedPage(
            page.page_id, fused, image, text, fused.mean(0), attention / attention.sum(), follow, likely, boxes_of(page),
            page.texts,
        )  # fmt: skip


def embed(workspace: Workspace) -> EmbeddingStore:
    """Every aligned page into a store named ``drawn``."""
    from comix.core.journal import Journal

    pages, rejected = load_pages(
        [workspace.lists_dir / "dataspec_all_list.txt"], workspace.root, None, workspace.curation_table
    )
    encoder, path = LastPanelNext(), workspace.root / "embeddings" / NAME / "embeddings.zarr"
    ids = [page.page_id for page in pages]
    images = {page.page_id: page.image for page in pages}
    rows = row_facts(ids, {}, images, [], workspace.root)
    store = prepare_store(path, encoder.model_hash, 12, lambda: encoder.widths, lambda known: [] if known else rows)
    with Journal(workspace.journal("embed"), NAME) as journal:
        run_embed(store, embed_inputs(pages, rejected, encoder.model_hash, 12), lambda: encoder, journal, EmbedOptions())
    return store


def index(workspace: Workspace) -> None:
    folder = workspace.root / "embeddings" / NAME
    build_index(EmbeddingStore(folder / "embeddings.zarr"), folder / "index", dict, {"curation": workspace.curation_table})


def write_run(workspace: Workspace, name: str, variant: str, accuracy: float, mpm: float, n_val: int = 200) -> Path:
    run = workspace.root / "runs" / "train" / "2026-01-01_00-00-00" / name
    run.mkdir(parents=True, exist_ok=True)
    validation = {"rpp_next_accuracy": accuracy, "rpp_page_exact": 0.5, "pop_auc": 0.4, "mpm_retrieval": mpm or None}
    facts = {
        "format": 1, "name": name, "variant": variant, "model": "mini", "seed": 0, "epochs": 2, "best_epoch": 2,
        "n_pages": {"train": 4, "val": n_val, "rejected": 0}, "weak_order_share": 1.0, "split_note": "",
        "final": {"loss": 0.5, "mpm": mpm, "pop": 0.7, "rpp": 0.9}, "validation": validation,
        "baselines": {"chance": {"rpp_next_accuracy": 0.25, "pop_auc": 0.5}, "cut": {"rpp_next_accuracy": 1.0}},
    }  # fmt: skip
    (run / "metrics.json").write_text(json.dumps(facts))
    with (run / "history.csv").open("w") as stream:
        writer = csv.writer(stream)
        writer.writerow(["epoch", "loss", "loss_rpp", "loss_mpm", "val_loss"])
        writer.writerows([[1, 1.5, 2.0, mpm, 1.6], [2, 0.5, 0.9, mpm, "nan"]])
    return run


def report(workspace: Workspace) -> str:
    return run_report(workspace, "gutter", "hand", 60).read_text(encoding="utf-8")


def section(html: str, name: str) -> str:
    return html.split(f'<section id="{name}"')[1].split("</section>", maxsplit=1)[0]


@pytest.fixture
def copy(aligned: Workspace, tmp_path: Path) -> Workspace:
    """An aligned workspace to change at will."""
    return Workspace(Path(shutil.copytree(aligned.root, tmp_path / "ws")))


@pytest.fixture
def embedded(copy: Workspace) -> Workspace:
    """Embedded, not indexed."""
    embed(copy)
    return copy


def test_what_is_missing_is_one_line_with_its_command(aligned: Workspace) -> None:
    html = report(aligned)
    for name, command in (("models", "comix train -m"), ("sight", "comix embed"), ("search", "comix index")):
        part = section(html, name)
        assert command in part
        assert f"workspace={aligned.root}" in part
        assert part.count("<p") == 1
    assert "<dt>Models</dt>" not in html
    assert "<dt>Embedded pages</dt>" not in html


def test_the_table_has_figures_beside_baselines_and_marks_the_best_in_words(copy: Workspace) -> None:
    write_run(copy, "a", "base", 0.5, 0.0)
    write_run(copy, "b", "denoise", 0.75, 1.25)
    part = section(report(copy), "models")
    rows = part.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]
    assert "Base Simple" in rows[0]
    assert "Denoise MPM" in rows[1]
    assert ">–</td>" in rows[0]  # no MPM head, no MPM loss
    assert "1.2500" in rows[1]
    assert "not part of it" in rows[0]
    assert rows[0].count(">best<") == 0
    assert rows[1].count(">best<") == 1  # next panel; a tie, and a POP below chance, are nothing to mark
    assert "chance 0.250" in rows[1]
    assert "cut 1.000 <i>higher</i>" in rows[1]
    assert "2 epochs, 2 kept" in rows[0]
    write_run(copy, "b", "denoise", 0.75, 1.25, n_val=2)
    assert ">best<" not in section(report(copy), "models")  # on two pages 0.25 more is chance


def test_curves_show_the_losses_that_a_variant_has(copy: Workspace) -> None:
    write_run(copy, "a", "base", 0.5, 0.0)
    write_run(copy, "b", "denoise", 0.75, 1.25)
    charts = section(report(copy), "models").split('<figure class="chart curves">')[1:]
    assert [chart.count('class="curve ') for chart in charts] == [2, 3]
    assert "MPM 1.25" not in charts[0]
    assert "MPM 1.25" in charts[1]
    assert charts[0].count('class="val"') == 1


def test_a_table_older_than_the_runs_says_so_and_a_damaged_one_is_named(copy: Workspace) -> None:
    run = write_run(copy, "a", "base", 0.5, 0.0)
    row = {"Variant": "Old", "Final Loss": 1.0, "MPM Loss": 0.0, "POP Loss": 1.0, "RPP Loss": 1.0}
    old = str(run.parents[1] / "2025-01-01_00-00-00" / "0")
    table = copy.root / "models" / "compare.json"
    table.parent.mkdir()
    table.write_text(json.dumps({"rows": [{**row, "Run": old}], "notes": ["told"]}))
    part = section(report(copy), "models")
    assert "Newer runs are not in this table (2026-01-01_00-00-00): comix compare" in part
    table.write_text("{")
    assert "comix compare workspace=" in section(report(copy), "models")


def test_attention_and_next_panels_are_those_of_the_store(embedded: Workspace) -> None:
    html = report(embedded)
    part = section(html, "sight")
    pages = part.split('<article class="seen')[1:]
    assert len(pages) == 2
    for page in pages:
        n = page.count('class="shade"')
        shares = [float(text.split("%<")[0].rsplit(">", 1)[1]) for text in page.split("</g>") if 'class="disc"' in text]
        assert n == len(shares) >= 4
        assert abs(sum(shares) - 100) <= n
        assert page.count('class="verdict right"') == 2  # the panel before the last, and the last
        assert page.count('class="verdict wrong"') == n - 2
        assert page.count('class="odds"') == n * n  # every panel but itself, and the end
        assert f">{100 * (0.75 + 0.25 / (n + 1)):.0f}</text>" in page
    assert "<dt>Embedded pages</dt>\n        <dd>4</dd>" in html
    assert 'data-stage="embed-pages"' in html


def test_a_page_that_changed_since_it_was_embedded_is_not_shown(embedded: Workspace) -> None:
    store = EmbeddingStore(embedded.root / "embeddings" / NAME / "embeddings.zarr")
    arrays = store.read_chunk(0)
    arrays["panel_coordinates"] += 50
    store.write_chunk(0, arrays)
    assert "comix embed name=drawn" in section(report(embedded), "sight")


def test_search_finds_the_line_and_the_kept_results_are_used(embedded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "comix index name=drawn" in section(report(embedded), "search")
    index(embedded)
    first = report(embedded)
    part = section(first, "search")
    assert part.count('<article class="query') == 4  # one line per book, a picture, a panel
    assert "“Nobody told that the keeper sings”" in part  # two words left out
    assert part.count('class="hit') >= 10
    for kind in ("image", "like"):
        shown = part.split(f'<article class="query {kind}">')[1].split("</article>")[0]
        assert "the one" not in shown  # the panel itself is left out
    assert "<mark>" in part
    monkeypatch.setattr("comix.report.examples.Searcher", None)  # nothing is searched again
    embedded.report.unlink()
    assert report(embedded) == first


def test_a_stale_or_damaged_index_is_a_sentence(embedded: Workspace) -> None:
    index(embedded)
    folder = embedded.root / "embeddings" / NAME / "index"
    (folder / "panels.parquet").write_bytes(b"no table")
    assert "The index is damaged" in section(report(embedded), "search")
    index(embedded)
    embedded.curation_table.unlink()
    part = section(report(embedded), "search")
    assert "older than" in part
    assert "comix index name=drawn" in part


def test_nothing_is_fetched_by_the_new_sections(embedded: Workspace) -> None:
    index(embedded)
    write_run(embedded, "a", "base", 0.5, 0.0)
    html = report(embedded)
    assert "url(" not in html
    assert "http" not in "".join(section(html, name) for name in ("models", "sight", "search"))
    assert "<script>alert" not in html
