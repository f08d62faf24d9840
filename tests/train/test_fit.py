"""Training runs: same numbers twice, resumed or not; bad gradients; the learning rate; checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from comix.core.errors import FileFormatError, MissingInputError
from comix.data.features import PanelFeatures
from comix.data.page import PageExample
from comix.train.checkpoint import load_model, save_model
from comix.train.fit import LAST
from comix.train.settings import Optimisation
from comix.train.task import TrainingFailedError


def weights(task: Any) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in task.model.state_dict().values()])


def numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def test_same_seed_same_numbers_and_every_part_falls(train_small: Callable[..., Any]) -> None:
    one, first = train_small("denoise_context", "one", epochs=12)
    two, second = train_small("denoise_context", "two", epochs=12)
    assert numbers(first.history) == numbers(second.history)
    assert torch.equal(weights(one), weights(two))
    for part in ("loss", "loss_rpp", "loss_pop", "loss_mpm"):
        assert first.history[-1][part] < first.history[0][part], part
    assert {"val_rpp_next_accuracy", "val_pop_auc", "val_mpm_retrieval", "score"} <= set(first.history[0])
    assert (one.best.keys()) == one.model.state_dict().keys()


class Stop(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize(("stop_at", "every"), [(8, 0), (6, 2)])
def test_resume_equals_the_undisturbed_run(
    train_small: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int, every: int
) -> None:
    monkeypatch.setattr("comix.train.fit._SAVE_EVERY_S", -1.0)
    whole, undisturbed = train_small("denoise_context", "whole", epochs=4)
    with monkeypatch.context() as patch:
        from comix.train.task import ClosureTask

        original = ClosureTask.on_train_batch_start

        def stopping(self: ClosureTask, batch: Any, batch_idx: int) -> None:
            original(self, batch, batch_idx)
            if self.global_step == stop_at:
                raise Stop

        patch.setattr(ClosureTask, "on_train_batch_start", stopping)
        with pytest.raises(Stop):
            train_small("denoise_context", "cut", epochs=4, every=every)
    resumed, history = train_small("denoise_context", "resumed", epochs=4, resume=tmp_path / "cut" / LAST)
    assert [row["step"] for row in history.history] == [row["step"] for row in undisturbed.history]
    for one, other in zip(numbers(history.history), numbers(undisturbed.history), strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    assert torch.allclose(weights(resumed), weights(whole), atol=1e-6)


def test_more_epochs_do_not_raise_the_learning_rate_again(train_small: Callable[..., Any], tmp_path: Path) -> None:
    train_small("base", "five", epochs=3)
    _, fitted = train_small("base", "eleven", epochs=7, resume=tmp_path / "five" / LAST)
    rates = [row["lr"] for row in fitted.history]
    assert len(rates) == 7
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(rates[2:]))


def test_a_state_of_another_variant_is_refused(train_small: Callable[..., Any], tmp_path: Path) -> None:
    train_small("base", "base", epochs=1)
    with pytest.raises(FileFormatError, match="another model or variant"):
        train_small("denoise", "other", epochs=2, resume=tmp_path / "base" / LAST)
    with pytest.raises(MissingInputError, match=r"wanted last\.ckpt"):
        train_small("base", "none", epochs=2, resume=tmp_path / "nothing.ckpt")
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    with pytest.raises(FileFormatError, match="not a state of Lightning"):
        train_small("base", "junk", epochs=2, resume=tmp_path / "junk.ckpt")


def test_a_poisoned_page_is_left_out_counted_and_named(
    train_small: Callable[..., Any], pages: list[PageExample], features: PanelFeatures, tmp_path: Path
) -> None:
    image = features.image.copy()
    image[0] = np.nan
    poisoned = replace(features, image=image)
    task, fitted = train_small("base", "poisoned", epochs=3, features=poisoned)
    assert len(fitted.bad_steps) == 3
    assert all(pages[0].page_id in step["page_ids"] for step in fitted.bad_steps)
    assert torch.isfinite(weights(task)).all()
    assert np.isfinite(fitted.history[-1]["loss"])
    assert (tmp_path / "poisoned" / "bad_steps.json").is_file()
    with pytest.raises(TrainingFailedError, match="gradients that are no numbers"):
        train_small("base", "worse", epochs=3, features=poisoned, optimisation=Optimisation(max_bad_steps=1))
    assert (tmp_path / "worse" / "bad_steps.json").is_file()


def test_checkpoint_round_trip_and_its_errors(train_small: Callable[..., Any], tmp_path: Path) -> None:
    task, _ = train_small("context_recon", epochs=1)
    folder = tmp_path / "models" / "mine"
    model_hash = save_model(folder, task.model, {"name": "mine", "variant": "context_recon", "seed": 0})
    loaded = load_model(folder / "model.safetensors")
    assert loaded.model_hash == model_hash
    assert loaded.config["variant"] == "context_recon"
    assert not loaded.model.training
    assert all(torch.equal(one, loaded.model.state_dict()[name]) for name, one in task.model.state_dict().items())

    card = yaml.safe_load((folder / "model.yaml").read_text())

    def rewritten(**changes: Any) -> Path:
        (folder / "model.yaml").write_text(yaml.safe_dump(card | changes))
        return folder

    with pytest.raises(FileFormatError, match="newer than this CoMix"):
        load_model(rewritten(format=99))
    with pytest.raises(FileFormatError, match="different checkpoints"):
        load_model(rewritten(sha256="0"))
    with pytest.raises(FileFormatError, match="another model's checkpoint"):
        load_model(rewritten(model=card["model"] | {"dim": 32}))
    with pytest.raises(FileFormatError, match="made with the encoders"):
        load_model(rewritten(encoders={"image": "resnet", "text": "bert"}))
    with pytest.raises(FileFormatError, match="not a model card"):
        load_model(rewritten(format="x"))
    with pytest.raises(MissingInputError, match="comix train"):
        load_model(tmp_path / "nowhere")
