import cv2
import numpy as np
import pytest
from PIL import Image

from comix.core.errors import ItemError
from comix.io.images import decode_bgr, decode_reduced


def encoded(image, suffix=".jpg"):
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.fixture(scope="module")
def scene():
    columns = np.linspace(0, 1, 1600)[None, :]
    return np.ascontiguousarray(np.broadcast_to((columns * 200 + 20)[..., None], (1200, 1600, 3))).astype(np.uint8)


@pytest.mark.parametrize(("side", "shape"), [(700, (1200, 1600)), (600, (600, 800)), (290, (300, 400)), (20, (150, 200))])
def test_jpeg_is_decoded_no_larger_than_needed(scene, side, shape):
    image, size = decode_reduced(encoded(scene), side)
    assert image.shape == (*shape, 3)
    assert size == (1600, 1200)
    small = cv2.resize(scene, shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(image.astype(int) - small).mean() < 3


def test_turned_jpeg_has_its_upright_size(scene, tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene).save(path, exif=exif)
    image, size = decode_reduced(path.read_bytes(), 300)
    assert (image.shape, size) == ((400, 300, 3), (1200, 1600))


def test_other_formats_are_decoded_in_full(scene):
    image, size = decode_reduced(encoded(scene, ".png"), 100)
    assert np.array_equal(image, scene)
    assert size == (1600, 1200)


def test_transparent_png_lies_on_white():
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0] = (10, 20, 30, 255)
    pixels[1] = (10, 20, 30, 51)
    whole = decode_bgr(encoded(pixels, ".png"))
    assert whole[0].tolist() == [[10, 20, 30]] * 3
    assert np.abs(whole[1].astype(int) - [206, 208, 210]).max() <= 1


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff not a JPEG", b"\x89PNG\r\n\x1a\n....IHDR........\x08\x06"])
def test_what_is_no_image_is_said(data):
    with pytest.raises(ItemError):
        decode_reduced(data, 100)
