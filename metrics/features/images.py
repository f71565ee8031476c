"""Images of a task as the 8-bit RGB images that the published networks were trained on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def to_rgb(x: Tensor, levels: int | None = 256) -> Tensor:
    """Returns images as 8-bit RGB.

    Args:
        x: Images, shape `(N, C, H, W)`, C = 1 (repeated) or 3.
        levels: Number K of levels of the domain: values are 0..K-1 and are spread over 0..255.
            None: real values in [0, 1].

    Returns:
        uint8, shape `(N, 3, H, W)`.

    Raises:
        ValueError: Another shape, or values that are not finite or outside the range.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"Expected images of shape (N, 1 or 3, H, W), got {tuple(x.shape)}.")
    top = 1 if levels is None else levels - 1
    inside = ((x >= 0) & (x <= top)).flatten(1).all(1)
    if not bool(inside.all()):
        bad = int((~inside).sum())
        raise ValueError(f"Expected pixels within 0..{top}, got {bad} of {len(x)} images outside.")
    if x.dtype != torch.uint8 or top != 255:
        x = (x.double() * (255 / top)).round().to(torch.uint8)
    return x.expand(-1, 3, -1, -1)


def normalised(rgb: Tensor, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Returns images resized to a square by an antialiased bicubic filter, then standardised.

    Args:
        rgb: uint8 images, shape `(N, 3, H, W)`.
        size: Height and width that the network expects.
        mean: Mean of each channel of images in [0, 1].
        std: Standard deviation of each channel.

    Returns:
        float32, shape `(N, 3, size, size)`.
    """
    x = rgb.float() / 255
    x = F.interpolate(x, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    centre, scale = x.new_tensor(mean).view(3, 1, 1), x.new_tensor(std).view(3, 1, 1)
    return (x - centre) / scale
