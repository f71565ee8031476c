"""Decodes many small PNGs of one size at once: data sets of 60,000 thumbnails in a second.

PNG filters each row by its neighbours to the left and above (PNG specification, section 9). One
image at a time that is a loop over bytes; over thousands of images it is a loop over the pixels of
one. Only the plain layout (8 bits, grey or RGB, not interlaced) is read; everything else is left
to Pillow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3}  # by PNG's colour type
TOGETHER = 4096
MOST_PIXELS = 2**20  # larger pictures are left to Pillow, one by one

Pixels = NDArray[np.uint8]


def header(png: bytes) -> tuple[int, int, int] | None:
    """Returns (height, width, channels) of a plain PNG, None for anything else."""
    if png[:8] != SIGNATURE or len(png) < 33:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    plain = depth == 8 and colour in CHANNELS and not interlaced
    plain = plain and 0 < width * height <= MOST_PIXELS
    return (height, width, CHANNELS[colour]) if plain else None


def filtered(png: bytes) -> bytes:
    """Returns the filtered rows of a PNG.

    Raises:
        zlib.error, struct.error: The data are damaged or cut short.
    """
    data, place = b"", len(SIGNATURE)
    while place < len(png):
        size, kind = struct.unpack(">I4s", png[place : place + 8])
        if kind in (b"tRNS", b"eXIf", b"acTL"):
            raise zlib.error("Expected no transparency, no orientation, no animation.")
        if kind == b"IDAT":
            data += png[place + 8 : place + 8 + size]
        place += 12 + size
    return zlib.decompress(data)


def decode(pngs: Sequence[bytes]) -> Pixels | None:
    """Returns the pixels of PNGs, shape `(N, H, W, C)`, or None where they are not all plain.

    Args:
        pngs: Contents of PNG files.
    """
    shapes = {header(png) for png in pngs}
    if len(shapes) != 1 or None in shapes:
        return None
    ((height, width, channels),) = shapes  # type: ignore[misc]
    pixels = np.empty((len(pngs), height, width, channels), np.uint8)
    for i in range(0, len(pngs), TOGETHER):
        part = pixels[i : i + TOGETHER]
        try:
            rows = b"".join(filtered(png) for png in pngs[i : i + TOGETHER])
        except (zlib.error, struct.error):
            return None
        if len(rows) != len(part) * height * (1 + width * channels):
            return None
        _unfilter(np.frombuffer(rows, np.uint8).reshape(len(part), height, -1), part)
    return pixels


def _unfilter(rows: Pixels, pixels: Pixels) -> None:
    """Undoes the filters of rows `(N, H, 1 + W C)`, first the filter's number, into pixels."""
    above = np.zeros_like(pixels[:, 0])
    for r in range(rows.shape[1]):
        line = rows[:, r, 1:].reshape(above.shape).copy()
        for kind in np.unique(rows[:, r, 0]):
            mine = rows[:, r, 0] == kind
            line[mine] = _row(int(kind), line[mine], above[mine])
        pixels[:, r] = above = line


def _row(kind: int, x: Pixels, above: Pixels) -> Pixels:
    """Undoes one filter for one row of N images, shape `(N, W, C)`; bytes wrap around at 256."""
    if kind == 0:
        return x
    if kind == 1:
        return np.add.accumulate(x, axis=1, dtype=np.uint8)
    if kind == 2:
        return x + above
    predict = _average if kind == 3 else _paeth
    left = corner = np.zeros_like(x[:, 0])
    for c in range(x.shape[1]):
        x[:, c] += predict(left, above[:, c], corner)
        left, corner = x[:, c], above[:, c]
    return x


def _average(left: Pixels, above: Pixels, corner: Pixels) -> Pixels:
    return ((left.astype(np.int16) + above) // 2).astype(np.uint8)


def _paeth(left: Pixels, above: Pixels, corner: Pixels) -> Pixels:
    """The neighbour nearest to left + above - corner; ties in this order."""
    a, b = above.astype(np.int16) - corner, left.astype(np.int16) - corner
    to_left, to_above, to_corner = np.abs(a), np.abs(b), np.abs(a + b)
    beyond = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, beyond)
