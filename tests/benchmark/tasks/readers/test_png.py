from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from dgmbench.benchmark.tasks.readers import png
from PIL import Image


def encode(pixels: np.ndarray, filters: list[int]) -> bytes:
    """A PNG of `(H, W, C)` pixels, row r filtered by `filters[r]`, from the specification."""
    height, width, channels = pixels.shape
    x = pixels.astype(int)
    left, above = np.zeros_like(x), np.zeros_like(x)
    left[:, 1:], above[1:] = x[:, :-1], x[:-1]
    corner = np.zeros_like(x)
    corner[1:, 1:] = x[:-1, :-1]
    rows = b""
    for r, kind in enumerate(filters):
        a, b, c = left[r], above[r], corner[r]
        pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
        paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        guess = [np.zeros_like(a), a, b, (a + b) // 2, paeth][kind]
        rows += bytes([kind]) + ((x[r] - guess) % 256).astype(np.uint8).tobytes()
    data = zlib.compress(rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    # The data are cut in two chunks, as a PNG may.
    chunks = [(b"IHDR", head), (b"IDAT", data[:20]), (b"IDAT", data[20:]), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )
    return png.SIGNATURE + body


@pytest.mark.parametrize("channels", [1, 3])
def test_every_filter_is_undone(channels):
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (20, 9, 7, channels)).astype(np.uint8)
    encoded = [encode(image, random.randint(0, 5, 9).tolist()) for image in images]
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(encoded[0]))).reshape(9, 7, -1), images[0]
    )
    assert np.array_equal(png.decode(encoded), images)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_pillow_writes_is_read(mode):
    ramp = np.add.outer(np.arange(28) * 3, np.arange(28) * 2).astype(np.uint8)
    pixels = ramp if mode == "L" else np.stack([ramp, ramp.T, 255 - ramp], -1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert np.array_equal(png.decode([buffer.getvalue()])[0].squeeze(), pixels)


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "I;16"])
def test_other_layouts_are_left_to_pillow(mode):
    buffer = io.BytesIO()
    Image.new(mode, (4, 4)).save(buffer, "PNG")
    assert png.decode([buffer.getvalue()]) is None


def test_damage_and_mixed_sizes_are_left_to_pillow():
    good = encode(np.zeros((4, 4, 1), np.uint8), [0] * 4)
    assert png.decode([good, encode(np.zeros((5, 4, 1), np.uint8), [0] * 5)]) is None
    assert png.decode([good[:-30]]) is None
    assert png.decode([b"GIF89a"]) is None
