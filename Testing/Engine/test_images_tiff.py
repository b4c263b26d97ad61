"""TIFF files of every layout show the picture that a viewer shows, or say why not."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from HandmadeFiles import tiff
from prostreg.errors import InputError
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import read_xray_image

ROWS, COLUMNS = 40, 56


def picture(kind: str = "<u2") -> NDArray[np.generic]:
    """Not square, and different under every flip and turn."""
    v, u = np.mgrid[:ROWS, :COLUMNS]
    return (3.0 * u + 1.0 * v + np.where((u < 10) & (v < 6), 40.0, 0.0)).astype(kind)


def read(tmp_path: Path, content: bytes) -> NDArray[np.float32]:
    (tmp_path / "x.tif").write_bytes(content)
    return read_xray_image(tmp_path / "x.tif").pixels


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "sample_format"),
    [("u1", 1), ("u2", 1), ("u4", 1), ("i1", 2), ("i2", 2), ("i4", 2), ("f2", 3), ("f4", 3), ("f8", 3)],
)
def test_depths_and_byte_orders(tmp_path: Path, order: str, kind: str, sample_format: int) -> None:
    stored = picture(order + kind)
    content = tiff([stored.tobytes()], stored.shape, order, t258=8 * stored.itemsize, t339=sample_format)
    np.testing.assert_array_equal(read(tmp_path, content), stored.astype(np.float32))


@pytest.mark.parametrize(
    ("orientation", "stored_as"),
    [
        (1, lambda p: p),
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (4, lambda p: p[::-1]),
        (5, lambda p: p.T),
        (6, lambda p: np.rot90(p, 1)),
        (7, lambda p: p[::-1, ::-1].T),
        (8, lambda p: np.rot90(p, -1)),
    ],
)
def test_orientation_is_applied(tmp_path: Path, orientation: int, stored_as: object) -> None:
    stored = np.ascontiguousarray(stored_as(picture()))  # type: ignore[operator]
    content = tiff([stored.tobytes()], stored.shape, t274=orientation)
    np.testing.assert_array_equal(read(tmp_path, content), picture())


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("apart", [False, True])
def test_grey_and_alpha(tmp_path: Path, kind: str, apart: bool) -> None:
    grey = picture("<" + kind)
    both = np.stack([grey, np.full_like(grey, 255)], axis=0 if apart else -1)
    blocks = [plane.tobytes() for plane in both] if apart else [both.tobytes()]
    content = tiff(blocks, grey.shape, t258=[8 * grey.itemsize] * 2, t277=2, t284=2 if apart else 1, t338=2)
    np.testing.assert_array_equal(read(tmp_path, content), grey)


@pytest.mark.parametrize("compression", [1, 8])
def test_tiles_of_16_bits(tmp_path: Path, compression: int) -> None:
    tiles = []
    padded = np.pad(picture(), ((0, 8), (0, 8)), mode="edge")
    for row in range(0, ROWS, 16):
        for column in range(0, COLUMNS, 16):
            tile = padded[row : row + 16, column : column + 16].tobytes()
            tiles.append(zlib.compress(tile) if compression == 8 else tile)
    lengths = [len(tile) for tile in tiles]
    offsets = [8 + sum(length + length % 2 for length in lengths[:index]) for index in range(len(tiles))]
    tags = {"t273": [], "t279": [], "t278": [], "t322": 16, "t323": 16, "t324": offsets, "t325": lengths}
    content = tiff(tiles, (ROWS, COLUMNS), t259=compression, **tags)
    np.testing.assert_array_equal(read(tmp_path, content), picture())


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_compressions(tmp_path: Path, compression: str, kind: str) -> None:
    Image.fromarray(picture(kind)).save(tmp_path / "x.tif", compression=compression)
    np.testing.assert_array_equal(read_xray_image(tmp_path / "x.tif").pixels, picture(kind))


def test_white_is_zero_is_turned_over(tmp_path: Path) -> None:
    stored = (65535 - picture().astype(np.int64)).astype("<u2")
    np.testing.assert_array_equal(read(tmp_path, tiff([stored.tobytes()], stored.shape, t262=0)), picture())


def test_differences_of_neighbours(tmp_path: Path) -> None:
    """Predictor 2."""
    stored = np.diff(picture("<u2"), axis=1, prepend=np.zeros((ROWS, 1), "<u2")).astype("<u2")
    content = tiff([zlib.compress(stored.tobytes())], stored.shape, t259=8, t317=2)
    np.testing.assert_array_equal(read(tmp_path, content), picture())


def test_what_is_not_read_says_what_to_do(tmp_path: Path) -> None:
    for tags, words in (({"t259": 7}, "Deflate"), ({"t258": 12}, "8 or 16 bits"), ({"t262": 6}, "grey values")):
        with pytest.raises(InputError, match=words):
            read(tmp_path, tiff([picture().tobytes()], (ROWS, COLUMNS), **tags))


@pytest.mark.parametrize(("name", "mode"), [("x.jpg", "L"), ("x.jpg", "RGB"), ("x.bmp", "L"), ("x.bmp", "RGB")])
def test_frame_grabbers(tmp_path: Path, name: str, mode: str) -> None:
    Image.fromarray(picture("u1")).convert(mode).save(tmp_path / name, **({"quality": 98} if "jpg" in name else {}))
    read_back = read_xray_image(tmp_path / name).pixels
    assert np.abs(read_back - picture("u1")).max() <= (8 if "jpg" in name else 0)


@pytest.mark.parametrize("shape", [(8, 481), (481, 8), (8, 800), (20, 1600)])
def test_narrow_images_with_a_dark_edge(shape: tuple[int, int]) -> None:
    pixels = np.full(shape, 3000.0, np.float32) + np.arange(shape[1], dtype=np.float32)
    pixels[:, : max(2, shape[1] // 4)] = 0
    assert prepare_xray(pixels).size == shape[::-1]
