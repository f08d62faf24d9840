"""Run a saved table again: every row from its frozen config, beside what it must come to. Exits 1 when a row does not.

Tables lie in ``experiments/``: ``panels_open`` (panel detectors) and ``order_open`` (reading order) need ``data=FOLDER`` with
``pages/`` and ``ground_truth/``. Detectors of this installation that a table does not know are measured below it. ``open_mpm``
(variants of Closure-Lite, several seeds each) makes its own workspace out of ``pages/`` in ``workspace=`` and trains there;
what is finished is not made again. Without the data a row is ``not run: data absent``, which is never a pass.
Writes ``metrics.json`` and ``table.md`` into the run folder.

Examples:
  comix reproduce table=panels_open data=DATA
  comix reproduce table=order_open data=DATA
  comix reproduce table=order_open data=DATA rows=[auto,cut]
  comix reproduce table=open_mpm data=DATA workspace=open_mpm
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import plain, say, workspace_of
from comix.bench.figures import as_table
from comix.bench.learning import LearningBench
from comix.bench.reproduce import Bench, Result
from comix.bench.table import LearningTable, TableSpec, read_table
from comix.build import instantiate
from comix.core.errors import UsageError
from comix.core.files import json_bytes, write_bytes
from comix.paths import conf_dir, experiments_dir
from comix.schema.base import listed

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the table; 1 when a row is outside its tolerance, failed or could not run."""
    from hydra.core.hydra_config import HydraConfig

    folder = (Path(cfg.experiments) if cfg.experiments else experiments_dir()) / cfg.table
    table = read_table(folder)
    only = listed(cfg.rows)
    extra = _other_detectors(table) if isinstance(table, TableSpec) else {}
    unknown = sorted(set(only) - {row.name for row in table.rows} - set(extra))
    if unknown:
        raise UsageError(f"rows={unknown[0]}: no such row; there are {', '.join([row.name for row in table.rows] + [*extra])}")
    say(f"{cfg.table}: {table.claim}")
    results: list[Result] = []
    for result in _run(cfg, table, folder, extra, only):
        results.append(result)
        say(f"  {result.row.name} ({result.row.group}): {result.state}")
    say(as_table([one.row for one in results], table.columns))
    out = Path(HydraConfig.get().runtime.output_dir)
    _write(out, cfg, table, results)
    results = [one for one in results if one.row.name not in extra or one.row.figures or one.row.name in only]
    bad = sum(not one.is_good for one in results)
    verdict = f"{bad} of {len(results)} rows do not hold" if bad else f"all {len(results)} rows hold"
    say(f"reproduce: {verdict}; {out / 'metrics.json'}")
    return int(bool(bad))


def _run(
    cfg: DictConfig, table: TableSpec | LearningTable, folder: Path, extra: dict[str, dict[str, Any]], only: list[str]
) -> Iterator[Result]:
    data = Path(cfg.data or ".")
    if isinstance(table, TableSpec):
        return Bench(table, folder, data, instantiate, cfg.n_resamples).run(extra, only)
    return LearningBench(table, folder, data, workspace_of(cfg).root, _comix, cfg.workers).run(only)


def _comix(words: Sequence[str]) -> int:
    """Run a stage in a process of its own, its output shown."""
    say(f"  comix {shlex.join(words)}")
    return subprocess.run([sys.executable, "-m", "comix", *words], check=False).returncode


def _other_detectors(table: TableSpec) -> dict[str, dict[str, Any]]:
    """Detectors of this installation that work without further settings and are in no row, by name."""
    from omegaconf import OmegaConf

    named = {Path(row.detector).stem for row in table.rows if row.detector}
    found = {}
    for path in sorted((conf_dir() / "detector").glob("*.yaml")):
        config = OmegaConf.load(path)
        lacking = [key for key in config if OmegaConf.is_missing(config, key)]
        if path.stem not in named and not lacking and "_target_" in config:
            found[path.stem] = plain(config)
    return found


def _write(folder: Path, cfg: DictConfig, table: TableSpec | LearningTable, results: list[Result]) -> None:
    from comix import __version__

    document = {
        "table": cfg.table, "comix": __version__, "claim": table.claim, "data": str(cfg.data),
        "rows": [{**asdict(one.row), "state": one.state, "is_good": one.is_good} for one in results],
    }  # fmt: skip
    write_bytes(folder / "metrics.json", json_bytes(document, indent=1))
    states = "\n".join(f"- {one.row.name} ({one.row.group}): {one.state}" for one in results)
    lines = f"{as_table([one.row for one in results], table.columns, markdown=True)}\n\n{states}\n"
    write_bytes(folder / "table.md", lines.encode())
