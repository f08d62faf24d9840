"""A checkpoint as `embed` uses it: alone, also that of a model with trained encoders; each page decoded once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
import yaml

from comix.core.files import read_json

NAME = "closure_lite_simple-denoise_context"


def tiny_roberta(folder: Path) -> Path:
    """A RoBERTa of two small layers with random weights, and its tokenizer, as transformers saves them."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(["nobody will believe me"], 300, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    folder.mkdir()
    bpe.save_model(str(folder))
    tokenizer = RobertaTokenizerFast(vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def simple(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with Closure-Lite Simple trained from a local text model, which is gone afterwards."""
    from comix.cli import main

    workspace = tmp_path_factory.mktemp("simple") / "w"
    shutil.copytree(finished, workspace)
    text = tiny_roberta(workspace.parent / "roberta")
    words = ["model=closure_lite_simple", "model.vision=test_vit", "model.vision_weights=none", f"model.text={text}"]
    small = [
        f"name={NAME}",
        "model.dim=64",
        "epochs=1",
        "batch_size=2",
        "dataset.val_fraction=0.3",
        "mpm_variant=denoise_context",
    ]
    assert main(["train", f"workspace={workspace}", *words, *small]) == 0
    facts = read_json(workspace / "models" / NAME / "metrics.json")
    assert facts["validation"]["rpp_next_accuracy"] is not None
    assert facts["untrained"]["loss"] > 0
    assert set(facts["baselines"]) == {"chance", "centre", "rows", "cut", "graph"}  # no frozen features to compare with
    shutil.rmtree(text)
    return workspace


def test_simple_is_trained_embedded_and_searched(
    simple: Path, comix: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = yaml.safe_load((simple / "models" / NAME / "model.yaml").read_text())
    assert card["reader"]["image_size"] == 160
    assert (simple / "models" / NAME / "tokenizer" / "tokenizer.json").is_file()
    decoded: list[Path] = []
    from comix.data import features

    read = features.read_image_bytes
    monkeypatch.setattr(features, "read_image_bytes", lambda path: (decoded.append(path), read(path))[1])
    shutil.rmtree(simple / "cache")
    assert comix("embed", f"workspace={simple}").code == 0
    assert len(decoded) == len(set(decoded)) > 0
    store = xr.open_zarr(simple / "embeddings" / NAME / "embeddings.zarr").load()
    assert store.sizes["embedding_dim"] == 64
    assert bool(store.page_embeddings.notnull().all("embedding_dim").values[store.status.values == 1].all())
    assert comix("index", f"workspace={simple}").code == 0
    page_id = str(store.page_id.values[store.status.values == 1][0])
    for query in ("the witch", f"like={page_id}", f"like={page_id}:1"):
        found = comix("search", query, f"workspace={simple}", "top_k=2")
        assert (found.code, "2 results" in found.out) == (0, True), found.out + found.err


def test_an_old_checkpoint_without_its_tokenizer_says_where_to_put_it(
    simple: Path, comix: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(simple / "models" / NAME, folder, ignore=shutil.ignore_patterns("tokenizer"))
    ran = comix("embed", f"workspace={simple}", f"checkpoint={folder}", "name=old")
    assert ran.code == 2
    assert str(folder / "tokenizer") in ran.err
