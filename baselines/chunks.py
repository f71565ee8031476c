"""Rows a chunk at a time, so that memory is bounded and results are not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NUMBERS = 2**24  # that the largest tensor of a chunk holds: 64 MiB in float32


def in_chunks(
    f: Callable[[Tensor], Tensor], x: Tensor, each: int, numbers: int = NUMBERS
) -> Tensor:
    """Returns f of rows `(N, *shape)`, computed chunk by chunk: shape `(N,)`.

    Args:
        f: Maps rows `(B, *shape)` to `(B,)`.
        x: The rows.
        each: Numbers that one row takes in the largest tensor of f.
        numbers: Numbers of that tensor at most.
    """
    return torch.cat([f(part) for part in x.split(max(1, numbers // each))])
