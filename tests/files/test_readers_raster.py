"""PNG, JPEG and BMP: depths, alpha, palettes, orientation, names."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.raster import decode_samples
from orgseg_app.files.readers.registry import read_header, read_images


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(rows: np.ndarray, width: int, *, depth: int, colour_type: int, extra: bytes = b"") -> bytes:
    """A PNG of already packed rows ``(height, bytes)``."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def encode(path: Path, pixels: np.ndarray, *options: int) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, pixels, list(options))[1].tobytes())
    return path


def gradient(dtype: str = "uint8") -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.linspace(0, top, 12 * 15).reshape(12, 15).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_png(tmp_path, dtype):
    path = encode(tmp_path / "ein Bild µ 细胞.png", gradient(dtype))
    (image,) = read_images(path)
    assert (image.name, image.shape, image.is_rgb) == ("ein Bild µ 细胞", (1, 1, 12, 15), False)
    np.testing.assert_array_equal(image.read()[0, 0], gradient(dtype))
    assert read_header(path).dtype == dtype


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("samples", [3, 4])
def test_colour_png_in_red_green_blue_order_without_alpha(tmp_path, dtype, samples):
    grey = gradient(dtype)
    red, green, blue, alpha = grey, grey // 2, grey // 3, grey * 0
    pixels = np.dstack([blue, green, red, alpha][:samples])
    (image,) = read_images(encode(tmp_path / "a.png", pixels))
    assert image.is_rgb
    assert image.dtype == dtype
    np.testing.assert_array_equal(image.read()[:, 0], [red, green, blue])


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
@pytest.mark.parametrize("samples", [3, 4])
def test_equal_colours_are_one_channel(tmp_path, suffix, samples):
    pixels = np.dstack([gradient()] * 3 + [np.full((12, 15), 255, np.uint8)])[..., :samples]
    (image,) = read_images(encode(tmp_path / f"a{suffix}", pixels))
    assert (image.shape, image.is_rgb) == ((1, 1, 12, 15), False)
    np.testing.assert_array_equal(image.read()[0, 0], gradient())


def test_grey_with_alpha_png(tmp_path):
    pairs = np.dstack([gradient(), np.full((12, 15), 9, np.uint8)]).reshape(12, 30)
    (tmp_path / "a.png").write_bytes(png(pairs, 15, depth=8, colour_type=4))
    (image,) = read_images(tmp_path / "a.png")
    np.testing.assert_array_equal(image.read()[:, 0], gradient()[None])


def test_one_bit_png(tmp_path):
    bits = np.eye(16, dtype=bool)
    (tmp_path / "a.png").write_bytes(png(np.packbits(bits, axis=1), 16, depth=1, colour_type=0))
    (image,) = read_images(tmp_path / "a.png")
    np.testing.assert_array_equal(image.read()[0, 0], bits * 255)
    assert read_header(tmp_path / "a.png").dtype == "bool"
    np.testing.assert_array_equal(decode_samples(tmp_path / "a.png")[0][0], bits)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("has_clear", [False, True])
def test_palette_png_is_colours_as_an_image_and_indices_as_labels(tmp_path, depth, has_clear):
    colours = 2**depth
    indices = (np.arange(16 * 16) % colours).astype(np.uint8).reshape(16, 16)
    bits = (indices[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    rows = np.packbits(bits.reshape(16, -1).astype(np.uint8), axis=1)
    table = np.random.default_rng(1).integers(0, 256, (colours, 3), dtype=np.uint8)
    extra = chunk(b"PLTE", table.tobytes()) + (chunk(b"tRNS", b"\x80") if has_clear else b"")
    path = tmp_path / "a.png"
    path.write_bytes(png(rows, 16, depth=depth, colour_type=3, extra=extra))
    (image,) = read_images(path)
    np.testing.assert_array_equal(image.read()[:, 0], np.moveaxis(table[indices], -1, 0))
    labels, _ = decode_samples(path)
    np.testing.assert_array_equal(labels[0], indices)
    assert read_header(path).is_palette


def test_four_bit_grey_labels_are_not_stretched(tmp_path):
    rows = np.arange(64, dtype=np.uint8).reshape(8, 8)
    (tmp_path / "a.png").write_bytes(png(rows, 16, depth=4, colour_type=0))
    expected = np.stack([rows >> 4, rows & 15], axis=-1).reshape(8, 16)
    np.testing.assert_array_equal(decode_samples(tmp_path / "a.png")[0][0], expected)


def test_jpeg_grey_and_colour(tmp_path):
    (grey,) = read_images(encode(tmp_path / "g.jpg", gradient(), cv2.IMWRITE_JPEG_QUALITY, 100))
    assert grey.shape == (1, 1, 12, 15)
    assert np.abs(grey.read()[0, 0].astype(int) - gradient()).max() < 6
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[..., 2] = 200
    (colour,) = read_images(encode(tmp_path / "c.jpeg", pixels))
    assert colour.is_rgb
    assert colour.read()[0].mean() > 190
    assert colour.read()[1:].mean() < 10


def test_camera_rotation_is_ignored(tmp_path):
    data = encode(tmp_path / "a.jpg", gradient()).read_bytes()
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + tag + b"\0\0\0\0"
    rotated = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    (tmp_path / "b.jpg").write_bytes(rotated)
    (plain,) = read_images(tmp_path / "a.jpg")
    (marked,) = read_images(tmp_path / "b.jpg")
    assert marked.shape == plain.shape == (1, 1, 12, 15)
    np.testing.assert_array_equal(plain.read(), marked.read())


def test_bmp(tmp_path):
    (grey,) = read_images(encode(tmp_path / "g.bmp", gradient()))
    np.testing.assert_array_equal(grey.read()[0, 0], gradient())
    pixels = np.dstack([gradient(), gradient() // 2, gradient() // 4])
    (colour,) = read_images(encode(tmp_path / "c.bmp", pixels))
    np.testing.assert_array_equal(colour.read()[:, 0], np.moveaxis(pixels[..., ::-1], -1, 0))


def test_file_changed_after_opening(tmp_path):
    path = encode(tmp_path / "a.png", gradient())
    (image,) = read_images(path)
    encode(path, np.dstack([gradient(), gradient() // 2, gradient() // 4]))
    with pytest.raises(ReadError, match="changed"):
        image.read()
