"""Report a page: its image, boxes, order, settings and versions in one folder that a developer can make a test of.

The page comes out as CoMix has it now: every detector's boxes, the publisher's own panels where the book has them, and
``expected.json`` to put right by hand. The image is in it: look at its licence before you publish it. Nothing else leaves.

Examples:
  comix fixture page="Baffling Mysteries/Baffling Mysteries #009 (1952)/0003"
  comix fixture page=Anda/0019 note="the inset is read too early" zip=true
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import detections_of, say
from comix.apps.status import existing_workspace
from comix.bench.fixture import collect_fixture, write_fixture
from comix.core.errors import UsageError
from comix.core.ids import escape
from comix.core.page import PageRecord
from comix.core.workspace import Workspace
from comix.io.tables import iter_pages
from comix.schema import STAGES, TEXT_LEAVES

if TYPE_CHECKING:
    from omegaconf import DictConfig

_MAKERS = ("demo", "pipeline", "detect", "order")
_PRIVATE = frozenset({"workspace", "library", "source", "output", "boxes", "title", *TEXT_LEAVES})


def main(cfg: DictConfig) -> int:
    """Save the page; 0."""
    workspace = existing_workspace(cfg)
    page = _page(workspace, cfg.page)
    detections = detections_of(cfg, workspace)
    fixture = collect_fixture(workspace, page, detections, cfg.note, _settings(workspace))
    folder = Path(cfg.output) if cfg.output else workspace.root / "fixtures"
    path = write_fixture(fixture, folder / escape(page.page_id).replace("/", "--"), cfg.zip)
    say(f"fixture: {page.page_id}, {fixture.n_boxes} boxes of {detections}; {path}")
    for name in sorted(fixture.files):
        say(f"  {name}")
    say(f"The page image is in it; its licence: {fixture.licence}. Publish it only if that allows it.")
    return 0


def _page(workspace: Workspace, page_id: str) -> PageRecord:
    known = []
    for page in iter_pages(workspace.require_pages()):
        if page.page_id == page_id:
            return page
        known.append(page.page_id)
    near = get_close_matches(page_id, known, n=3, cutoff=0.3)
    hint = f"; near: {', '.join(near)}" if near else ""
    raise UsageError(f"page={page_id}: no such page in {workspace.pages_table} ({len(known)} pages){hint}")


def _settings(workspace: Workspace) -> dict[str, Any]:
    """The newest run's settings of every stage that shapes boxes and order, without paths."""
    from omegaconf import OmegaConf

    found = {}
    for stage in _MAKERS:
        records = sorted((workspace.root / "runs" / stage).glob("*/.hydra/config.yaml"))
        if records and stage in STAGES:
            saved: Any = OmegaConf.to_container(OmegaConf.load(records[-1]), resolve=False)
            found[stage] = _without_paths(saved)
    return found


def _without_paths(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_paths(one) for key, one in value.items() if key not in _PRIVATE}
