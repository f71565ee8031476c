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


def stratified(labels: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Returns a fixed order of the rows in which every run of rows has the classes' proportions.

    The j-th row of a class of n, in random order, is put at the quantile (j + 1/2) / n; rows are
    then sorted by quantile, ties in random order.

    Args:
        labels: Class of each row, shape `(N,)`.
        seed: Of the random order.
    """
    order = permutation(len(labels), seed)
    quantile = np.empty(len(labels))
    for label in np.unique(labels):
        place = np.flatnonzero(labels[order] == label)
        quantile[place] = (np.arange(len(place)) + 0.5) / len(place)
    return order[np.argsort(quantile, kind="stable")]


def cut(order: NDArray[np.int64], sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Returns consecutive parts of an order, of the given sizes, each in a fixed random order.

    A part is shuffled because its rows must be exchangeable: blocks of rows that alternate between
    the classes would differ less than random ones do, and a block jackknife would be too sure.

    Raises:
        ValueError: The sizes do not add up to the number of rows.
    """
    if sum(sizes) != len(order):
        raise ValueError(f"Expected sizes that add up to {len(order)} rows, got {list(sizes)}.")
    parts = np.split(order, np.cumsum(sizes)[:-1])
    return [part[permutation(len(part), seed=1)] for part in parts]
