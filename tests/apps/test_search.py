"""``comix train``, ``embed``, ``index`` and ``search`` on the six-page workspace, and what people get wrong with them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import xarray as xr
from markupsafe import escape

from comix.apps.pipeline import embedded_anew
from comix.cli import main
from comix.compose import compose
from comix.core.workspace import Workspace
from comix.io.images import read_bgr
from comix.io.tables import read_pages
from comix.launch import named_text

Run = Callable[..., "object"]

pytestmark = pytest.mark.skipif(importlib.util.find_spec("comix.apps.train") is None, reason="comix train is not here yet")


@pytest.fixture(scope="module")
def searchable(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six-page workspace after train, embed and index; read only."""
    workspace = tmp_path_factory.mktemp("searchable") / "finished, 100%"
    shutil.copytree(finished, workspace)
    assert main(["train", f"workspace={workspace}", "epochs=1", "name=base"]) <= 1
    assert main(["embed", f"workspace={workspace}", "batch_size=2"]) <= 1
    assert main(["index", f"workspace={workspace}"]) == 0
    return workspace


@pytest.fixture
def changeable(searchable: Path, tmp_path: Path) -> Path:
    """A copy to change at will."""
    target = tmp_path / "copy"
    shutil.copytree(searchable, target)
    return target


def store_of(workspace: Path) -> Path:
    return workspace / "embeddings" / "base" / "embeddings.zarr"


def test_the_store_opens_with_plain_xarray(searchable: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = xr.open_zarr(store_of(searchable)).load()
    pages = read_pages(Workspace(searchable).pages_table)
    assert sorted(str(one) for one in found.page_id.values) == sorted(page.page_id for page in pages)
    assert found.panel_embeddings.shape == (len(pages), 12, 384)
    row = found.sel(page_id=pages[0].page_id)
    assert (str(row.series.values), int(row.page_num)) == (pages[0].series, pages[0].page_num)
    assert (searchable / str(row.image_path.values)).is_file()
    assert (searchable / str(row.manifest_path.values)).is_file()
    assert (found.status.values == np.where(found.panel_mask.any("panel_id"), 1, 3)).all()
    order = found.reading_order.where(found.panel_mask, -2).values
    for line, n in zip(order, found.panel_mask.sum("panel_id").values, strict=True):
        assert all(-1 <= follower < n and follower != slot for slot, follower in enumerate(line[:n]))


def test_counts_add_up_and_a_second_run_has_nothing_to_do(searchable: Path, comix: Run) -> None:
    ran = comix("embed", f"workspace={searchable}")
    assert "(0 to do)" in ran.out
    assert "model base (the only one in models/)" in ran.out
    assert "(0 to do)" in comix("index", f"workspace={searchable}").out


def test_text_is_an_ordinary_argument(searchable: Path, comix: Run) -> None:
    ran = comix("search", "NO! don't even think, about it = [5] (x) ${y}", f"workspace={searchable}", "top_k=2")
    assert ran.code == 0
    assert "Don't even" in ran.out
    page = Path(ran.out.strip().splitlines()[-1].split("; ", 1)[1])
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/webp;base64,") == 2
    assert "http" not in html.replace("http-equiv", "")


def test_words_that_stand_nowhere_are_told(searchable: Path, comix: Run) -> None:
    ran = comix("search", "the zeppelin thinkk", f"workspace={searchable}", "top_k=1")
    assert "on no page: 'zeppelin', 'thinkk' (there is 'think'" in ran.out
    assert "on no page" not in comix("search", "don't even think", f"workspace={searchable}", "top_k=1").out


TEXTS = ("null", "日本語", "a=b", "--", "~x", "x,y", "'", '"', "#", "a\\", "@[]{}:", "-1", "true", "a\nb", "${x}")


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_reaches_the_search_unchanged(text: str) -> None:
    assert compose("search", named_text(["top_k=1", text])).text.strip() == text


def test_a_bad_copy_of_a_panel_finds_the_panel(searchable: Path, comix: Run, tmp_path: Path) -> None:
    found = xr.open_zarr(store_of(searchable)).load()
    row = int(found.panel_mask.values.sum(axis=1).argmax())
    x, y, w, h = (int(value) for value in found.panel_coordinates.values[row, 1])
    image = read_bgr(searchable / str(found.image_path.values[row]))
    copy = tmp_path / "bad copy, 1.jpg"
    cv2.imwrite(str(copy), image[y + h // 20 : y + h, x + w // 20 : x + w], [cv2.IMWRITE_JPEG_QUALITY, 50])
    ran = comix("search", f"image={copy}", f"workspace={searchable}", "top_k=3")
    html = Path(ran.out.strip().splitlines()[-1].split("; ", 1)[1]).read_text(encoding="utf-8")
    assert f"{escape(str(found.page_id.values[row]))} · panel 2" in html


def test_like_finds_others_of_its_kind(searchable: Path, comix: Run) -> None:
    page_id = next(page.page_id for page in read_pages(Workspace(searchable).pages_table) if "Pepper" in page.page_id)
    assert comix("search", f"like={page_id}", f"workspace={searchable}", "top_k=2").code == 0
    assert comix("search", f"like={page_id}:1", f"workspace={searchable}", "series=pepper&carrot").code == 0


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["search"], "the text is empty"),
        (["search", ""], "the text is empty"),
        (["search", "a", "image=x.jpg"], "text= and image="),
        (["search", "two", "texts"], "wanted one"),
        (["search", "topk=3"], "did you mean 'top_k'"),
        (["search", "a", "top_k=0"], "top_k=0"),
        (["search", "a", "level=pages"], "did you mean 'page'"),
        (["search", "a", "name=other"], "this workspace has: base"),
        (["search", "a", "series=Pepper"], "Pepper&Carrot"),
        (["search", "a", "page_type=interir"], "did you mean 'interior'?); there are: interior"),
        (["search", "image=missing.jpg"], "no such file"),
        (["search", f"image={__file__}"], "no decoder accepts it"),
        (["search", "like=Peper/0001"], "no such page"),
        (["embed", "checkpoint=bas"], "did you mean 'base'"),
        (["embed", "max_panels=4"], "max_panels=12, asked for 4"),
        (["embed", "shard=5/4"], "shard=5/4"),
        (["embed", "name=../x"], "plain folder name"),
        (["embed", "list=nowhere.txt"], "no such list file"),
        (["index", "name=other"], "this workspace has: base"),
    ],
)
def test_mistakes_are_one_clear_line(searchable: Path, comix: Run, words: list[str], wanted: str) -> None:
    ran = comix(*words, f"workspace={searchable}")
    assert ran.code == 2
    assert wanted in ran.err
    assert ran.err.strip().count("\n") == 0


def test_stages_in_the_wrong_order_name_the_command(finished: Path, changeable: Path, comix: Run) -> None:
    assert "comix embed" in comix("search", "a", f"workspace={finished}").err
    assert "comix train" in comix("embed", f"workspace={finished}").err
    shutil.rmtree(changeable / "embeddings" / "base" / "index")
    assert "comix index" in comix("search", "a", f"workspace={changeable}").err


def test_what_fails_is_counted_and_listed(changeable: Path, comix: Run) -> None:
    pages = read_pages(Workspace(changeable).pages_table)
    listed = changeable / "lists" / "dataspec_all_list.txt"
    lines = listed.read_text(encoding="utf-8").splitlines()
    listed.write_text("\n".join([*lines, lines[1], "../dataspec/nowhere/0001.json"]) + "\n", encoding="utf-8")
    (changeable / pages[0].image_path).unlink()
    ran = comix("embed", f"workspace={changeable}", "name=again")
    assert ran.code == 1
    assert f"{len(lines) + 1} pages" in ran.out
    assert "name a page again" in ran.out
    failures = comix("failures", "stage=embed", f"workspace={changeable}", "format=csv").out
    assert "image_missing" in failures
    assert "missing_input" in failures
    assert f"dataspec/{pages[0].page_id}.json" in failures  # the file, not the page alone
    few = comix("embed", f"workspace={changeable}", "name=few", "limit=2").out
    assert "embed: 2 pages = 1 done + 1 failed + 0 skipped" in few


def test_another_checkpoint_is_refused_and_wrong_files_too(changeable: Path, comix: Run, tmp_path: Path) -> None:
    card = changeable / "models" / "base" / "model.yaml"
    assert embedded_anew(Workspace(changeable)) == {}
    card.write_text(card.read_text().replace("sha256: ", "sha256: 0000"))
    assert "another model" in comix("embed", f"workspace={changeable}").err
    assert embedded_anew(Workspace(changeable)) == {"overwrite": True}  # what `pipeline` then does by itself
    assert "different checkpoints" in comix("embed", f"workspace={changeable}", "name=new").err
    card.write_text("just: words\n")
    assert "not a model card" in comix("embed", f"workspace={changeable}").err


def test_killed_and_started_again_gives_the_same_store(searchable: Path, changeable: Path) -> None:
    shutil.rmtree(changeable / "embeddings")
    (changeable / "journal" / "embed.sqlite").unlink()
    command = [sys.executable, "-m", "comix", "embed", f"workspace={changeable}", "batch_size=2"]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    deadline = time.monotonic() + 60
    while not (store_of(changeable) / "zarr.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert main(command[3:]) <= 1
    one, other = (xr.open_zarr(store_of(workspace)).load() for workspace in (changeable, searchable))
    xr.testing.assert_identical(one.drop_vars([name for name in one if name.endswith("_norm")]), other[list(one)])
