"""Checks of the tensors that users hand to a metric.

On a CPU by NumPy: to wake the threads of torch takes up to ten milliseconds where they sleep, as
they do in a program that calls a metric now and then.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_OF_NUMPY = {torch.float16, torch.float32, torch.float64, torch.bool, torch.uint8}
_OF_NUMPY |= {torch.int8, torch.int16, torch.int32, torch.int64}


def in_double(x: Tensor) -> Tensor:
    """Returns `x` in float64, detached, on its device; MPS has no float64: on the processor."""
    x = x.detach().resolve_neg()
    if x.device.type == "mps":
        x = x.cpu()
    if x.device.type != "cpu" or x.dtype not in _OF_NUMPY:
        return x.to(torch.float64)
    return torch.from_numpy(x.numpy().astype(np.float64, copy=False))


def as_points(name: str, x: Tensor, least: int = 2, single: bool = False) -> Tensor:
    """Returns `x` as float64 rows (float32, where it is `single`), shape `(N, D)`.

    Args:
        name: The argument's name, for the message.
        x: Points, shape `(N, *shape)` or `(N,)`; any real or integer dtype.
        least: The fewest points that the caller can work with.
        single: Leaves float32 as it is, for a caller that makes double of it block by block.

    Raises:
        ValueError: Not a tensor of points, too few points, or rows that are NaN or infinite.
    """
    if not isinstance(x, Tensor) or x.ndim == 0 or x.is_complex() or x[:1].numel() == 0 < len(x):
        got = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"Expected {name} to be a real tensor of shape (N, *shape), got {got}.")
    if len(x) < least:
        raise ValueError(f"Expected at least {least} points in {name}, got {len(x)}.")
    points = x.detach().resolve_neg().reshape(len(x), x[:1].numel())
    if not (single and x.dtype == torch.float32 and x.device.type != "mps"):
        points = in_double(points)
    if points.device.type == "cpu":
        with np.errstate(over="ignore", invalid="ignore"):
            total = points.numpy().sum(dtype=np.float64)
    else:
        total = points.sum(dtype=torch.float64)
    if not math.isfinite(total):  # one pass; a sum can also overflow
        bad = int((~points.isfinite()).any(dim=1).sum())
        if bad:
            raise ValueError(
                f"Expected finite {name}, got {bad} of {len(x)} rows with NaN or infinity."
            )
    return points


def as_pair(
    samples: Tensor, reference: Tensor, least: int = 2, single: bool = False
) -> tuple[Tensor, Tensor]:
    """Returns both sides as rows of one width, as `as_points` does, `(N, D)` and `(M, D)`.

    Args:
        samples: See `as_points`.
        reference: See `as_points`.
        least: See `as_points`.
        single: See `as_points`.

    Raises:
        ValueError: See `as_points`; or the event shapes or the devices differ.
    """
    x = as_points("samples", samples, least, single)
    y = as_points("reference", reference, least, single)
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
