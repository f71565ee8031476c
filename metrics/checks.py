"""Checks of the tensors that users hand to a metric."""

from __future__ import annotations

import torch
from torch import Tensor


def in_double(x: Tensor) -> Tensor:
    """Returns `x` in float64 on its device; of MPS, which has no float64, on the processor."""
    return (x.cpu() if x.device.type == "mps" else x).to(torch.float64)


def as_points(name: str, x: Tensor, least: int = 2) -> Tensor:
    """Returns `x` as float64 rows, shape `(N, D)`.

    Args:
        name: The argument's name, for the message.
        x: Points, shape `(N, *shape)` or `(N,)`; any real or integer dtype.
        least: The fewest points that the caller can work with.

    Raises:
        ValueError: Not a tensor of points, too few points, or rows that are NaN or infinite.
    """
    if not isinstance(x, Tensor) or x.ndim == 0 or x.is_complex() or x[:1].numel() == 0 < len(x):
        got = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"Expected {name} to be a real tensor of shape (N, *shape), got {got}.")
    if len(x) < least:
        raise ValueError(f"Expected at least {least} points in {name}, got {len(x)}.")
    points = in_double(x.reshape(len(x), x[:1].numel()))
    if not bool(points.sum().isfinite()):  # one pass; a sum can also overflow
        bad = int((~points.isfinite()).any(dim=1).sum())
        if bad:
            raise ValueError(
                f"Expected finite {name}, got {bad} of {len(x)} rows with NaN or infinity."
            )
    return points


def as_pair(samples: Tensor, reference: Tensor, least: int = 2) -> tuple[Tensor, Tensor]:
    """Returns both sides as float64 rows of one width, shapes `(N, D)` and `(M, D)`.

    Raises:
        ValueError: See `as_points`; or the event shapes or the devices differ.
    """
    x, y = as_points("samples", samples, least), as_points("reference", reference, least)
    one_width(samples[0], reference[0])
    if x.device != y.device:
        raise ValueError(f"Expected both sides on one device, got {x.device} and {y.device}.")
    return x, y


def one_width(sample: Tensor, other: Tensor) -> None:
    """Checks that one point of `samples` and one of `reference` have one shape.

    Raises:
        ValueError: They do not.
    """
    if sample.shape != other.shape:
        raise ValueError(
            f"Expected samples and reference of one event shape, "
            f"got {tuple(sample.shape)} and {tuple(other.shape)}."
        )
