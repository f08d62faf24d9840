"""Composed comic pages with known panels and reading order, to train and measure on.

Each page depends on the settings, the seed and its number only: any number of workers and shares give the same bytes, and a
longer series begins with a shorter one. Drawings come from the panels of pages that you have: this workspace's, or those of
any COCO file.

Examples:
  comix synth n_pages=200 save_vis=20
  comix synth art=panels.json pages=my_pages n_pages=20000 seed=1 name=train workers=8
  comix synth in_sequence=true dataspec=true name=open n_pages=2000    # real panels with their words, to train on
  comix synth art=hand_panels.json pages=pages split=experiments/panels_open/split.yaml half=tune name=open
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import detections_of, finish, plain, run_options, workspace_of
from comix.core.errors import UsageError
from comix.synth.factory import Factory
from comix.synth.pack import open_pack, packed_art
from comix.synth.settings import factory_settings
from comix.synth.source import ArtSource, read_split
from comix.synth.specs import write_specs
from comix.synth.stage import PageMaker, run_synth

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.core.workspace import Workspace


def build_worker(factory: dict[str, Any], pack: Path, seed: int, long_side: int, in_sequence: bool) -> PageMaker:
    """The worker, made inside each worker process."""
    return PageMaker(Factory(factory_settings(factory), open_pack(pack), seed, long_side, in_sequence))


def art_source(cfg: DictConfig, workspace: Workspace) -> ArtSource:
    """Where the drawings come from.

    Raises:
        UsageError: ``art=`` without ``pages=``, or the other way round.
    """
    if bool(cfg.art) != bool(cfg.pages):
        raise UsageError("art= and pages= go together: art=PANELS.json pages=FOLDER, its file names relative to the folder")
    books = read_split(Path(cfg.split), cfg.half) if cfg.split else ()
    if cfg.art:
        return ArtSource(Path(cfg.art), Path(cfg.pages), books)
    return ArtSource(workspace.require_predictions(detections_of(cfg, workspace)), workspace.root, books)


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    factory = plain(cfg.factory)
    factory_settings(factory)
    if cfg.dataspec and (cfg.art or not cfg.in_sequence):
        raise UsageError(
            "dataspec=true goes with in_sequence=true and the workspace's own pages (no art=), whose words it takes"
        )
    source = art_source(cfg, workspace)
    settings = {"factory": factory, "seed": cfg.seed, "long_side": cfg.long_side, "in_sequence": cfg.in_sequence}
    settings["art"] = source.fingerprint()
    pack = packed_art(source, cfg.long_side, workspace.root / "synth" / ".art")
    build = partial(build_worker, factory, pack, cfg.seed, cfg.long_side, cfg.in_sequence)
    options = run_options(cfg)
    summary = run_synth(workspace, cfg.name, build, cfg.n_pages, settings, cfg.save_vis, options)
    if cfg.dataspec and options.shard.is_all and not summary.interrupted:
        summary.notes.append(write_specs(workspace, cfg.name, cfg.n_pages))
    return finish(summary, workspace)
