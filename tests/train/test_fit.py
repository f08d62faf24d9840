"""Training runs: same numbers twice, resumed or not; bad gradients; the learning rate; checkpoints."""

from __future__ import annotations

import signal
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
from comix.train.keeper import TrainingInterruptedError
from comix.train.settings import Optimisation
from comix.train.state import LAST
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


@pytest.mark.parametrize(
    ("stop_at", "more"),
    [
        (8, {}),
        (6, {"every": 2}),
        (4, {"every": 1, "accumulate": 2, "batch_size": 2}),
        (5, {"every": 2, "accumulate": 4, "batch_size": 1}),
        (5, {"every": 1, "limit": 2}),
    ],
    ids=str,
)
def test_resume_equals_the_undisturbed_run(
    train_small: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int, more: dict[str, int]
) -> None:
    monkeypatch.setattr("comix.train.keeper._BETWEEN_EPOCHS_S", -1.0)
    how = {name: value for name, value in more.items() if name != "every"}
    whole, undisturbed = train_small("denoise_context", "whole", epochs=4, **how)
    with monkeypatch.context() as patch:
        from comix.train.task import ClosureTask

        original = ClosureTask.on_train_batch_start

        def stopping(self: ClosureTask, batch: Any, batch_idx: int) -> None:
            original(self, batch, batch_idx)
            if (
                self.global_step == stop_at
                and batch_idx % self.trainer.accumulate_grad_batches == self.trainer.accumulate_grad_batches - 1
            ):
                raise Stop

        patch.setattr(ClosureTask, "on_train_batch_start", stopping)
        with pytest.raises(Stop):
            train_small("denoise_context", "cut", epochs=4, **more)
    resumed, history = train_small("denoise_context", "resumed", epochs=4, resume=tmp_path / "cut" / LAST, **how)
    assert [row["step"] for row in history.history] == [row["step"] for row in undisturbed.history]
    for one, other in zip(numbers(history.history), numbers(undisturbed.history), strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    assert torch.allclose(weights(resumed), weights(whole), atol=1e-6)
    assert resumed.untrained == whole.untrained


def test_every_batch_of_an_epoch_counts_where_batches_are_limited(train_small: Callable[..., Any]) -> None:
    _, fitted = train_small("base", epochs=3, limit=2)
    assert [row["step"] for row in fitted.history] == [2, 4, 6]


def test_ctrl_c_saves_the_state_and_the_run_goes_on_as_if_undisturbed(
    train_small: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, undisturbed = train_small("base", "whole", epochs=3)
    with monkeypatch.context() as patch:
        from comix.train.task import ClosureTask

        original = ClosureTask.training_step

        def interrupted(self: ClosureTask, batch: Any, batch_idx: int) -> Any:
            if self.global_step == 5:
                signal.raise_signal(signal.SIGINT)
            return original(self, batch, batch_idx)

        patch.setattr(ClosureTask, "training_step", interrupted)
        with pytest.raises(TrainingInterruptedError):
            train_small("base", "cut", epochs=3)
    assert torch.load(tmp_path / "cut" / LAST, weights_only=True)["global_step"] == 6
    resumed, history = train_small("base", "resumed", epochs=3, resume=tmp_path / "cut" / LAST)
    assert numbers(history.history) == [pytest.approx(row, rel=1e-6) for row in numbers(undisturbed.history)]
    assert torch.allclose(weights(resumed), weights(whole), atol=1e-6)


@pytest.mark.parametrize("other", [{"batch_size": 4}, {"split": 3}, {"accumulate": 2}], ids=str)
def test_a_state_of_other_batches_is_refused(train_small: Callable[..., Any], tmp_path: Path, other: dict[str, int]) -> None:
    train_small("base", "first", epochs=1)
    with pytest.raises(FileFormatError, match="other pages, another split or other batches"):
        train_small("base", "second", epochs=2, resume=tmp_path / "first" / LAST, **other)


def test_a_kill_while_the_state_is_written_leaves_the_older_one(
    train_small: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comix.train.keeper._BETWEEN_EPOCHS_S", -1.0)
    with monkeypatch.context() as patch:
        save, times = torch.save, [0]

        def torn(value: Any, stream: Any, *more: Any, **options: Any) -> None:
            times[0] += 1
            if times[0] == 2:
                stream.write(b"half of a sta")
                raise Stop
            save(value, stream, *more, **options)

        patch.setattr(torch, "save", torn)
        with pytest.raises(Stop):
            train_small("base", "cut", epochs=4)
    assert torch.load(tmp_path / "cut" / LAST, weights_only=True)["epoch"] == 0
    _, fitted = train_small("base", "resumed", epochs=2, resume=tmp_path / "cut" / LAST)
    assert len(fitted.history) == 2


def test_what_starts_from_nothing_learns_at_the_full_rate(train_small: Callable[..., Any]) -> None:
    task, _ = train_small("denoise_context", epochs=1)
    names = {id(value): name for name, value in task.model.named_parameters()}
    rates = {names[id(one)]: group["lr"] for group in task._groups() for one in group["params"]}
    fast = {name.split(".")[0] for name, rate in rates.items() if rate == 3e-3}
    assert fast == {"next_panel", "composition", "denoise"}
    assert {rate for name, rate in rates.items() if name.split(".")[0] not in fast} == {3e-3 * 0.1}


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


def test_bf16_clips_fused_steps_too(train_small: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: Lightning's own clipping refuses a fused optimiser there."""
    plain = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, lr, fused: plain(groups, lr=lr, fused=True))
    clipped: list[float] = []
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda parameters, norm: (clipped.append(norm), clip(parameters, norm))[1]
    )
    _, fitted = train_small("denoise_context", epochs=6, precision="bf16-mixed")
    assert set(clipped) == {1.0}
    assert not fitted.bad_steps
    assert all(np.isfinite(row["loss"]) for row in fitted.history)
