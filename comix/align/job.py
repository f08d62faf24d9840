"""One page to align, as plain values that travel to a worker process as bytes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from comix.io.detections import Packed


class PageJob(NamedTuple):
    """One page, as plain values.

    Attributes:
        image_path: as the DataSpec says it; ``images`` are the files it may be, exactly one of which must be there.
        packed: what was detected, None when the detector has not seen the page.
        analysis: file of its reading, "" when there is none; ``second`` likewise of the second reader.
        expects: page id that the reading must name, if it names one; "" where another rule joined them.
        order_source: see `DataSpec`; "" when the boxes have no order yet.
        trouble: why this page cannot be told from another one, else "".
    """

    page_id: str
    book_id: str
    image_path: str
    images: tuple[str, ...]
    width: int
    height: int
    direction: Literal["ltr", "rtl"]
    page_type: str
    container: str
    member: str
    sha256: str
    packed: Packed | None
    order_source: str
    analysis: str
    second: str
    expects: str
    trouble: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(PageJob)


def encode_job(job: PageJob) -> bytes | PageJob:
    """The job as bytes, the same for the same job; as it is where a path is no valid Unicode."""
    try:
        return _ENCODER.encode(job)
    except UnicodeEncodeError:
        return job


def decode_job(payload: bytes | PageJob) -> PageJob:
    """What `encode_job` was given."""
    return _DECODER.decode(payload) if isinstance(payload, bytes) else payload
