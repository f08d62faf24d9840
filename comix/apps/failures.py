"""What failed, why, and what to do about it.

Examples:
  comix failures
  comix failures stage=extract skipped=true
  comix failures format=csv > failures.csv
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from comix.apps.common import say, workspace_argument
from comix.apps.status import existing_workspace
from comix.core.errors import UsageError
from comix.core.journal import Row
from comix.core.overview import STAGE_ORDER, troubled_rows
from comix.schema import key_names

if TYPE_CHECKING:
    from omegaconf import DictConfig

_SHOWN = 100
"""Rows shown per reason in the table form."""
_FIELDS = ("stage", "variant", "status", "reason", "key", "detail", "hint")


def main(cfg: DictConfig) -> int:
    """Print the rows; 0."""
    workspace = existing_workspace(cfg)
    if cfg.stage and cfg.stage not in STAGE_ORDER:
        raise UsageError(f"stage={cfg.stage}: keeps no journal; wanted one of: {', '.join(STAGE_ORDER)}")
    found = list(troubled_rows(workspace, cfg.stage, cfg.skipped))
    records = [_record(stage, variant, row) for stage, variant, row in found]
    if cfg.format == "json":
        say(json.dumps(records, ensure_ascii=False, indent=1))
    elif cfg.format == "csv":
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, _FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        say(buffer.getvalue().rstrip("\n"))
    else:
        _print_grouped(found)
        if any(row.status == "failed" for _, _, row in found):
            stage = next(stage for stage, _, row in found if row.status == "failed")
            retry = " retry=failed[:REASON]" if "retry" in key_names(stage) else ""
            say(f"Try failed inputs again: comix {stage} ...{retry} {workspace_argument(workspace)}")
    return 0


def _record(stage: str, variant: str, row: Row) -> dict[str, str]:
    values = (stage, variant, row.status, row.reason, row.key, row.detail, row.hint)
    return dict(zip(_FIELDS, values, strict=True))


def _print_grouped(found: list[tuple[str, str, Row]]) -> None:
    if not found:
        say("Nothing failed.")
        return
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for stage, _, row in found:
        groups.setdefault((stage, row.status, row.reason, row.hint), []).append(row)
    for (stage, status, reason, hint), rows in sorted(groups.items(), key=lambda group: -len(group[1])):
        say(f"{stage}: {len(rows)} {status}, {reason}")
        say(f"  what to do: {hint}")
        for row in rows[:_SHOWN]:
            detail = row.detail.strip().splitlines()[-1] if row.detail.strip() else ""
            say(f"    {row.key}" + (f"  ({detail})" if detail else ""))
        if len(rows) > _SHOWN:
            say(f"    and {len(rows) - _SHOWN} more: format=csv lists all")
        say()
