"""Rows in an order of their own, so that no result depends on the order in which they came."""

from __future__ import annotations

import torch
from torch import Tensor

_MIX = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)  # the odd multipliers of SplitMix64


def content_keys(x: Tensor) -> Tensor:
    """Returns a 64-bit hash of each row's content; equal rows have equal keys.

    Args:
        x: Rows, shape `(N, *shape)`, any real or integer dtype.

    Returns:
        Keys, int64, shape `(N,)`.
    """
    rows = x.reshape(len(x), x[:1].numel())
    d = max(rows.shape[1], 1)
    generator = torch.Generator().manual_seed(0)
    columns = torch.randint(-(2**62), 2**62, (d,), generator=generator).to(x.device) * 2 + 1
    step = max(1, 2**16 // d)  # stays in cache
    return torch.cat([_row_keys(b, columns[: rows.shape[1]]) for b in rows.split(step)])


def mix(bits: Tensor) -> Tensor:
    """Returns 64-bit integers scrambled one by one (a bijection)."""
    for multiplier in _MIX:
        bits = (bits ^ (bits >> 29)) * multiplier
    return bits ^ (bits >> 32)


def _row_keys(rows: Tensor, columns: Tensor) -> Tensor:
    bits = (rows.to(torch.float64) + 0.0).view(torch.int64)  # + 0.0: one zero, not two
    return mix((mix(bits) * columns).sum(dim=1))


def content_order(x: Tensor) -> Tensor:
    """Returns the indices that sort the rows by a hash of their content.

    Two tensors that hold the same rows in different orders come out the same. Equal rows stand
    next to each other: shuffle (`shuffled_order`) before rows are dealt out to blocks or folds.

    Args:
        x: Rows, shape `(N, *shape)`, any real or integer dtype.

    Returns:
        Indices, shape `(N,)`, on the device of `x`.
    """
    return content_keys(x).argsort(stable=True)


def shuffled_order(x: Tensor, seed: int = 0) -> Tensor:
    """Returns a random order of the rows that depends on their content and the seed only.

    Args:
        x: Rows, shape `(N, *shape)`.
        seed: Seed of the shuffle; the caller's random state is left alone.

    Returns:
        Indices, shape `(N,)`, on the device of `x`.
    """
    generator = torch.Generator().manual_seed(seed)
    deal = torch.randperm(len(x), generator=generator).to(x.device)
    return content_order(x)[deal]
