"""Sizes read from JPEG headers: those of the decoder, or none."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from comix.io.images import inspect_image
from comix.io.jpegheader import plain_jpeg_size


def encoded(mode: str, **more: object) -> bytes:
    target = io.BytesIO()
    Image.new(mode, (37, 53)).save(target, "JPEG", **more)
    return target.getvalue()


@pytest.mark.parametrize("data", [encoded("RGB"), encoded("L"), encoded("RGB", progressive=True, comment=b"x" * 60_000)])
def test_plain_ones(data: bytes) -> None:
    assert plain_jpeg_size(data) == (37, 53)
    assert plain_jpeg_size(memoryview(data)) == (37, 53)
    assert inspect_image(data, decode=False) == inspect_image(memoryview(data), decode=False)


def test_what_is_unusual_is_left_to_the_decoder() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded("RGB", exif=exif)
    assert plain_jpeg_size(turned) is None
    assert (inspect_image(turned, decode=False).width, inspect_image(turned, decode=False).height) == (53, 37)
    assert plain_jpeg_size(encoded("CMYK")) is None
    for length in range(0, 200, 7):
        assert plain_jpeg_size(encoded("RGB")[:length]) in (None, (37, 53))
    assert plain_jpeg_size(b"") is None
