"""Documents nobody would write: each is refused for its reason, and nothing but our own errors comes out."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comix.core.errors import ComixError
from comix.io.coco import read_coco, read_predictions

_FOUND = Path(__file__).parents[3] / "benchmarks" / "malformed_documents.py"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("malformed_documents", _FOUND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MALFORMED = _generator()
READERS = {**MALFORMED.READERS, "read_coco": read_coco, "read_predictions": read_predictions}
VALID = {
    "dataspec": json.dumps(MALFORMED.DATASPEC), "coco": json.dumps(MALFORMED.COCO), "comix_xml": MALFORMED.BENCHMARK_XML,
    "manga109": MALFORMED.MANGA109_XML, "acbf": MALFORMED.ACBF_XML, "json_sidecar": json.dumps(MALFORMED.GUIDED),
    "kumiko": json.dumps(MALFORMED.KUMIKO), "read_coco": json.dumps(MALFORMED.COCO), "dcm772": "8 0 0 9 9\n",
    "read_predictions": json.dumps(MALFORMED.COCO), "imagefolder": '{"regions": []}\n',
    "ebdtheque": '<svg><svg class="Panel"><polygon points="0,0 1,0 1,1"/></svg></svg>',
}  # fmt: skip
HASTY = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip


def test_there_are_120_and_each_is_refused_for_its_reason(tmp_path: Path) -> None:
    cases = MALFORMED.cases()
    assert len(cases) == 120
    assert len({case.name for case in cases}) == 120
    wrong = {case.name: said for case in cases if (said := MALFORMED.verdict(case, tmp_path))}
    assert wrong == {}


@pytest.mark.parametrize("name", VALID)
def test_what_they_were_made_from_is_accepted(name: str, tmp_path: Path) -> None:
    (tmp_path / "document").write_text(VALID[name], encoding="utf-8")
    READERS[name](tmp_path / "document")


def _only_ours(name: str, data: bytes, folder: Path) -> None:
    (folder / "document").write_bytes(data)
    try:
        READERS[name](folder / "document")
    except ComixError as error:
        assert "document" in str(error)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", VALID)
@HASTY
@given(seed=st.integers(0, 2**32), garbage=st.binary(max_size=8))
def test_damaged_bytes_raise_only_our_errors(name: str, seed: int, garbage: bytes, tmp_path: Path) -> None:
    data, dice = bytearray(VALID[name].encode()), random.Random(seed)
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(data) + 1)
        data[start : start + dice.randint(0, 6)] = garbage if dice.random() < 0.5 else data[dice.randrange(len(data) + 1) :][:6]
    _only_ours(name, bytes(data), tmp_path)


@pytest.mark.parametrize("name", [name for name, text in VALID.items() if text[0] in "[{"])
@HASTY
@given(seed=st.integers(0, 2**32), value=ANYTHING)
def test_a_wrong_value_anywhere_raises_only_our_errors(name: str, seed: int, value: Any, tmp_path: Path) -> None:
    document, dice = json.loads(VALID[name]), random.Random(seed)
    holders: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            holders.append((node, key))
            walk(inner)

    walk(document)
    holder, key = dice.choice(holders)
    holder[key] = value
    _only_ours(name, json.dumps(document).encode("utf-8", "surrogatepass"), tmp_path)
