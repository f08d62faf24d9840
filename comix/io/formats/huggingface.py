"""Hugging Face data sets: ``imagefolder`` (``metadata.jsonl`` beside the images) and Parquet shards with declared features.

Written by hand after the documented formats: the `datasets` library is not needed to write or read them, and opens both.

Source: Hugging Face Datasets documentation, "Create an image dataset" (metadata.jsonl, file_name) and the ``huggingface``
key of a Parquet file's schema metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import json_bytes
from comix.io.formats.exchange import PageEntry
from comix.io.formats.flatpage import page_from_row

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = "metadata.jsonl"
_TEXTS = ("file_name", "page_id", "book_id", "title", "series", "volume", "issue", "language", "licence", "sha256",
          "reading_direction", "page_type")  # fmt: skip


def write_metadata(stream: IO[bytes], rows: Iterable[dict[str, Any]]) -> int:
    """``metadata.jsonl``, one row a page; the number of rows."""
    number = 0
    for row in rows:
        stream.write(json_bytes(row))
        number += 1
    return number


def read_metadata(path: Path) -> Iterator[PageEntry]:
    """Pages of an imagefolder's ``metadata.jsonl`` (or of the folder that holds it).

    Raises:
        MissingInputError: no such file.
        FileFormatError: a line is not a row; says which.
    """
    source = path / METADATA if path.is_dir() else path
    try:
        with source.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield page_from_row(f"{source}: line {number}", _parsed(source, number, line))
    except FileNotFoundError:
        raise MissingInputError(f"{source}: no such file; wanted the {METADATA} of an imagefolder") from None
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{source}: not UTF-8 text ({error})") from error


def _parsed(source: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileFormatError(f"{source}: line {number} is not valid JSON ({error})") from error


def schema(with_images: bool) -> pa.Schema:
    """The Arrow schema of a shard, with the features that `datasets` reads from its metadata."""
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    region = pa.struct([
        ("category", pa.string()), ("bbox", numbers), ("polygon", pa.list_(numbers)), ("score", pa.float64()),
        ("order", pa.int32()), ("id", pa.string()), ("characters", pa.list_(pa.string())), ("description", pa.string()),
    ])  # fmt: skip
    words = pa.struct([
        ("text", pa.string()), ("kind", pa.string()), ("bbox", numbers), ("polygon", pa.list_(numbers)),
        ("speaker", pa.string()), ("confidence", pa.float64()), ("panel", pa.int32()), ("region", pa.int32()),
        ("is_outside", pa.bool_()),
    ])  # fmt: skip
    fields = [pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))] if with_images else []
    fields += [pa.field(name, pa.string()) for name in _TEXTS]
    fields += [pa.field("page_num", pa.int32()), pa.field("width", pa.int32()), pa.field("height", pa.int32())]
    fields += [pa.field("is_ordered", pa.bool_()), pa.field("margin", pa.float64())]
    fields += [pa.field("regions", pa.list_(region)), pa.field("texts", pa.list_(words))]
    features = {field.name: _feature(field.type, field.name) for field in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: Any, name: str = "") -> Any:
    """An Arrow type in the notation of ``datasets.Features``: a list of structs is a list around a mapping."""
    import pyarrow as pa

    if name == "image":
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {kind.field(index).name: _feature(kind.field(index).type) for index in range(kind.num_fields)}
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return [inner]
    names = {"double": "float64", "int32": "int32", "bool": "bool", "string": "string"}
    return {"dtype": names[str(kind)], "_type": "Value"}


def write_shard(stream: IO[bytes], rows: Iterable[dict[str, Any]], with_images: bool, batch: int = 64) -> int:
    """One Parquet shard, row groups of ``batch`` rows, so that memory holds no more of it; the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout = schema(with_images)
    number = 0
    with pq.ParquetWriter(stream, layout) as writer:
        held: list[dict[str, Any]] = []
        for row in rows:
            held.append(row)
            if len(held) == batch:
                writer.write_table(pa.Table.from_pylist(held, schema=layout))
                number, held = number + len(held), []
        if held or not number:
            writer.write_table(pa.Table.from_pylist(held, schema=layout))
    return number + len(held)


def read_shard(path: Path) -> Iterator[PageEntry]:
    """Pages of one Parquet shard; image bytes are never loaded.

    Raises:
        FileFormatError: not Parquet, or not of these columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if name != "image"]
        if "regions" not in names:
            raise FileFormatError(f"{path}: no column 'regions'; wanted a Parquet shard as comix export writes it")
        for batch in file.iter_batches(batch_size=256, columns=names):
            for row in batch.to_pylist():
                yield page_from_row(f"{path}: page {row.get('page_id')!r}", row)
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path}: not a readable Parquet file ({error})") from error
