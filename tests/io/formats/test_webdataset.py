"""Tar shards: equal bytes for equal pages, and shards of others only with what the user says of their boxes."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from comix.core.errors import FileFormatError
from comix.io.formats.exchange import PageEntry, Region
from comix.io.formats.flatpage import flat_row
from comix.io.formats.webdataset import as_member, read_shard, sample_json, write_shard


def shard(path: Path, name: str, value: Any) -> Path:
    with tarfile.open(path, "w") as archive:
        data = json.dumps(value).encode()
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return path


def test_a_page_comes_back_and_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    page = PageEntry(
        label="b/0001",
        page_id="b/0001",
        file_name="x.png",
        width=9,
        height=9,
        is_ordered=True,
        regions=[
            Region(category="panel", bbox=(5, 0, 4, 4), order=1),
            Region(category="panel", bbox=(0, 0, 4, 4), order=0),
        ],
    )
    value = sample_json("c00000_p001", page, flat_row(page, {"file_name": "x.png"}), "gutter")
    assert value["detections"]["gutter"]["panels"] == [[0, 0, 4, 4], [5, 0, 4, 4]]
    streams = []
    for _ in range(2):
        stream = io.BytesIO()
        assert write_shard(stream, [("c00000_p001", [("png", b"pixels"), ("json", as_member(value))])]) == 1
        streams.append(stream.getvalue())
    assert streams[0] == streams[1]
    (tmp_path / "a.tar").write_bytes(streams[0])
    assert list(read_shard(tmp_path / "a.tar")) == [page]


def test_boxes_of_others_are_read_as_the_user_says(tmp_path: Path) -> None:
    value = {
        "page_id": "c00004_p006",
        "page_class": "story",
        "detections": {"fasterrcnn": {"panels": [[1, 2, 5, 9]], "faces": []}},
    }
    path = shard(tmp_path / "a.tar", "c00004_p006.json", value)
    with pytest.raises(FileFormatError, match="box_format"):
        list(read_shard(path))
    assert [one.regions[0].bbox for one in read_shard(path, "xyxy")] == [(1, 2, 4, 7)]
    assert [one.regions[0].bbox for one in read_shard(path, "xywh")] == [(1, 2, 5, 9)]
    value["detections"]["magi"] = {}
    path = shard(tmp_path / "a.tar", "c00004_p006.json", value)
    with pytest.raises(FileFormatError, match="fasterrcnn, magi"):
        list(read_shard(path, "xywh"))
    assert [one.page_type for one in read_shard(path, "xywh", "magi")] == ["story"]


def test_what_is_no_shard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"nothing of the kind")
    for path, wanted in ((tmp_path / "a.tar", "tar shard"), (shard(tmp_path / "b.tar", "k.json", [1]), "wanted an object")):
        with pytest.raises(FileFormatError, match=wanted):
            list(read_shard(path, "xywh"))
