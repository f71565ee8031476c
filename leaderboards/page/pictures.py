"""Small pictures as PNG data URIs, drawn on arrays because a page holds dozens of them."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

_PIXELS = 256 * 256  # of one picture before it is enlarged, so that a page stays small
_WIDTH = 300  # pixels that a picture is enlarged to, by whole factors, so that pixels stay square
_DENSITY = (70, 110, 200)
_POINT = (228, 88, 26)
# Five points of the viridis map (van der Walt & Smith, 2015): even in lightness, safe for
# colour-blind readers, legible on white and on black.
_VIRIDIS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=float
)


def image_grid(samples: np.ndarray, levels: int | None, low: float, high: float) -> str:
    """Draws the first images in a square with a gap of one pixel.

    Args:
        samples: Shape `(n, C, H, W)` with n >= 1; one channel is grey, three are colours.
        levels: Number of levels; None takes `low` as black and `high` as white.
        low: Black, where `levels` is None.
        high: White, where `levels` is None.

    Returns:
        A PNG data URI.
    """
    if levels is not None:
        low, high = 0.0, max(levels - 1.0, 1.0)
    height, width = samples.shape[-2:]
    side = min(max(math.isqrt(_PIXELS // (height * width)), 3), 6, math.isqrt(len(samples)))
    shown = samples[: side * side].astype(float)
    shown = shown if samples.shape[1] == 3 else shown[:, :1]
    scaled = np.clip((shown - low) / max(high - low, 1e-12), 0, 1)
    tiles = np.full((side * side, height + 1, width + 1, shown.shape[1]), 127, dtype=np.uint8)
    tiles[:, :height, :width] = (np.nan_to_num(scaled) * 255).round().transpose(0, 2, 3, 1)
    rows = tiles.reshape(side, side, height + 1, width + 1, -1).transpose(0, 2, 1, 3, 4)
    grid = rows.reshape(side * (height + 1), side * (width + 1), -1)[:-1, :-1]
    times = max(1, _WIDTH // grid.shape[1])
    large = grid.repeat(times, 0).repeat(times, 1)
    return _uri(Image.fromarray(large[..., 0] if large.shape[-1] == 1 else large))


def density(values: np.ndarray) -> str:
    """Draws a density as one colour, the more opaque the denser (square root).

    Args:
        values: Shape `(H, W)`, row 0 at the lowest y.
    """
    top = max(float(np.nan_to_num(values).max()), 1e-300)
    alpha = np.sqrt(np.clip(np.nan_to_num(values) / top, 0, 1)) * 190
    return _tinted(alpha[::-1], _DENSITY)


def scatter(points: np.ndarray, extent: tuple[float, float, float, float], size: int = 300) -> str:
    """Draws points on a transparent square.

    Args:
        points: Shape `(n, 2)`.
        extent: x0, x1, y0, y1 of the square.
        size: Its side in pixels.
    """
    x0, x1, y0, y1 = extent
    inside = points[inside_extent(points, extent)]
    column = ((inside[:, 0] - x0) / (x1 - x0) * (size - 1)).round().astype(int)
    row = ((y1 - inside[:, 1]) / (y1 - y0) * (size - 1)).round().astype(int)
    counts = np.zeros((size + 2, size + 2))
    for down, right in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        np.add.at(counts, (row + 1 + down, column + 1 + right), 1)
    return _tinted((1 - 0.2 ** counts[1:-1, 1:-1]) * 255, _POINT)


def inside_extent(points: np.ndarray, extent: tuple[float, float, float, float]) -> np.ndarray:
    """Returns which points `(n, 2)` lie in the square, shape `(n,)`."""
    x0, x1, y0, y1 = extent
    x, y = points[:, 0], points[:, 1]
    return (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)


def heat(law: np.ndarray, top: float) -> str:
    """Draws probabilities of a grid, first coordinate to the right and second one upwards.

    Args:
        law: Shape `(K, L)`.
        top: Probability of the brightest colour; larger ones are cut off.
    """
    share = np.clip(np.nan_to_num(law.T[::-1]) / max(top, 1e-300), 0, 1) * (len(_VIRIDIS) - 1)
    knots = np.arange(len(_VIRIDIS))
    colours = [np.interp(share, knots, _VIRIDIS[:, channel]) for channel in range(3)]
    return _uri(Image.fromarray(np.stack(colours, -1).round().astype(np.uint8)))


def _tinted(alpha: np.ndarray, colour: tuple[int, int, int]) -> str:
    height, width = alpha.shape
    image = Image.frombytes("P", (width, height), alpha.round().astype(np.uint8).tobytes())
    image.putpalette(colour * 256)
    return _uri(image, transparency=bytes(range(256)))


def _uri(image: Image.Image, **options: bytes) -> str:
    out = io.BytesIO()
    image.save(out, format="PNG", **options)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
