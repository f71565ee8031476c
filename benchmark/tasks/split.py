"""Fixed splits: the same rows in the same order on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Rows(TypedDict, total=False):
    """Rows of each split of a task, as `Task` takes them."""

    train: Tensor
    val: Tensor
    test: Tensor
    holdout: Tensor


def tensors(parts: Mapping[str, NDArray[Any]]) -> Rows:
    """Returns arrays by split as tensors that share their memory."""
    rows: Rows = {}
    for split, part in parts.items():
        if split not in Rows.__annotations__:
            raise ValueError(f"Expected splits {list(Rows.__annotations__)}, got {split!r}.")
        rows[split] = torch.from_numpy(part)  # type: ignore[literal-required]
    return rows


def permutation(n: int, seed: int = 0) -> NDArray[np.int64]:
    """Returns a fixed permutation of 0..n-1; NumPy promises never to change this stream."""
    return np.random.RandomState(seed).permutation(n)


def cut(n: int, sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Returns a fixed random partition of the rows 0..n-1 into parts of the given sizes.

    Nothing but chance decides the parts, so each is to any other as fresh rows are: what the
    oracle shows (holdout) is neither more nor less like test than independent rows would be.

    Raises:
        ValueError: The sizes do not add up to the number of rows.
    """
    if sum(sizes) != n:
        raise ValueError(f"Expected sizes that add up to {n} rows, got {list(sizes)}.")
    return np.split(permutation(n), np.cumsum(sizes)[:-1])
