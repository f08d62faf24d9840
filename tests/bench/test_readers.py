"""``comix compare readers=``: agreement both ways, cost and failures out of journal and ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comix.core.journal import Journal, Row
from comix.core.workspace import Workspace
from comix.vlm.api.ledger import Attempt, Ledger
from comix.vlm.reply import Exchange, Verdict


def test_readers_side_by_side(tmp_path: Path, comix: Callable[..., Any]) -> None:
    """One page read by both, one by the first alone; the second failed there and cost half a dollar a request."""
    said = {
        "plain": {"b/0001": ["HELLO THERE", "GO"], "b/0002": ["NO"]},
        "asked": {"b/0001": ["HELLO THERE", "STOP"]},
    }  # fmt: skip
    workspace = Workspace(tmp_path / "ws")
    for reader, pages in said.items():
        for page_id, texts in pages.items():
            panel = {"panel_number": 1, "dialogue": [{"text": text} for text in texts]}
            path = workspace.analysis_dir(reader) / f"{page_id}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            document = {"page_id": page_id, "reader": {"name": reader}, "panel_source": "given", "panels": [panel]}
            path.write_text(json.dumps(document))
    workspace.journal("analyze").parent.mkdir(parents=True)
    with Journal(workspace.journal("analyze"), "asked") as journal:
        rows = [Row("b/0001", "done", seconds=9.0), Row("b/0002", "failed", reason="refused")]
        journal.record([(row, ()) for row in rows])
    with Ledger(workspace.root / "vlm/ledger.sqlite") as ledger:
        for page, cls in (("b/0001", "ok"), ("b/0002", "refused")):
            row = ledger.begin(Attempt("asked", "service", "model", page, "", "page/1", page, "json", 1.0))
            ledger.finish(row, Verdict(cls), Exchange(status=200, body=b"{}", seconds=2.0), 0.5, 0.0)
    ran = comix("compare", "readers=plain,asked", f"workspace={workspace.root}")
    assert ran.code == 0, ran.err
    assert "asked: 1 page failed: refused, 1 reply ok, 1 reply refused" in ran.out
    document = json.loads((workspace.root / "analysis/compare_readers.json").read_text())
    plain, asked = (row["figures"] for row in document["readers"])
    assert (plain["n_texts"], plain["n_words"], plain.get("cost_usd")) == (3, 4, None)
    assert (asked["n_failed"], asked["requests"], asked["cost_usd"], asked["seconds"]) == (1, 2, 1.0, 4.0)
    (both,) = document["agreement"]
    assert (both["name"], both["n_pages"]) == ("plain = asked", 1)
    assert (both["figures"]["words_recall"], both["figures"]["whole"]) == (2 / 3, 0.5)
    for words, message in ((["readers=plain"], "two or more"), (["readers=plain,other"], "nothing read by other")):
        ran = comix("compare", *words, f"workspace={workspace.root}")
        assert ran.code == 2
        assert message in ran.err
