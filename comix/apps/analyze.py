"""Text of every page: literal words per panel, as one analysis JSON per page.

``vlm=ocr`` (the offline default) reads the page with an OCR engine whose models come inside a Python package, joins lines
into balloons and attaches them to the panels. ``vlm=openrouter``, ``openai`` and ``local`` ask a vision-language model,
``vlm=transformers`` runs one in this process, ``vlm=hybrid`` keeps OCR's words and takes speakers and descriptions from a
model; prompt=... says what is asked. A key is read from an environment variable that the config names. What costs money
needs vlm.max_usd; dry_run=true says beforehand what a job costs. Finished pages are left alone, replies are never paid twice.

Examples:
  comix analyze
  comix analyze limit=20 workers=4
  comix analyze vlm=replay vlm.path=analyses_made_elsewhere
  comix analyze vlm=openrouter vlm.preset=gemma-3-12b-it:free
  comix analyze vlm=openrouter vlm.preset=gemini-2.5-flash-lite prompt=guided dry_run=true
  comix analyze vlm=openai vlm.max_usd=5 vlm.batch=submit
  comix analyze vlm=local vlm.preset=ollama vlm.model=gemma3:4b
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import detections_of, finish, plain, run_options, say, workspace_of
from comix.build import instantiate
from comix.core.errors import UsageError
from comix.core.shard import parse_shard
from comix.core.workspace import Workspace
from comix.paths import conf_dir
from comix.vlm.api.ledger import Ledger
from comix.vlm.api.place import Place
from comix.vlm.api.reader import ApiReader
from comix.vlm.stage import PageReader, jobs_to_do, run_analyze

if TYPE_CHECKING:
    from omegaconf import DictConfig


def build_worker(reader: dict[str, Any]) -> PageReader:
    """The worker, made inside each worker process."""
    return PageReader(instantiate(reader))


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    settings = plain(cfg.vlm)
    reader = instantiate(settings)
    if cfg.dry_run:
        return dry_run(cfg, reader)
    workspace = workspace_of(cfg)
    output = Path(cfg.output) if cfg.output else None
    shaping: Any = settings
    if isinstance(reader, ApiReader):
        reader.at(place_of(cfg, workspace)).require_limit()
        shaping = reader.shaping
    worker = partial(build_worker, settings)
    summary = run_analyze(workspace, worker, reader, shaping, detections_of(cfg, workspace), run_options(cfg), output)
    return finish(summary, workspace)


def place_of(cfg: DictConfig, workspace: Workspace) -> Place:
    """Where a reader that asks a service works."""
    prices = Path(cfg.prices) if cfg.prices else None
    log = Path(cfg.error_log_dir) if cfg.error_log_dir else None
    return Place(workspace.root, conf_dir() / "prices.yaml", prices, log, parse_shard(cfg.shard))


def dry_run(cfg: DictConfig, reader: Any) -> int:
    """Print what the job would take; nothing is sent and nothing written."""
    from comix.vlm.api.forecast import forecast

    if not isinstance(reader, ApiReader):
        raise UsageError("dry_run: only readers that ask a service cost anything; this one works on this machine")
    workspace = Workspace(Path(cfg.workspace))
    reader.at(place_of(cfg, workspace))
    jobs = jobs_to_do(workspace, reader, reader.shaping, detections_of(cfg, workspace), cfg.limit)
    batch = bool(reader.batch)
    found = forecast(jobs, reader.prompt, reader.endpoint, reader.price, batch, mean_reply(reader))
    for line in found.lines(reader.endpoint.model, reader.price):
        say(line)
    return 0


def mean_reply(reader: ApiReader) -> float | None:
    """Mean tokens of this model's accepted replies to this prompt in this workspace; None without any."""
    place = reader.place
    if not place.ledger.is_file():
        return None
    with Ledger(place.ledger, place.other_ledgers) as ledger:
        prompt = f"{reader.prompt.id}/{reader.prompt.version}"
        totals = ledger.totals(model=reader.endpoint.model, prompt=prompt, accepted=True)
    return totals.completion_tokens / totals.n if totals.n and totals.completion_tokens else None
