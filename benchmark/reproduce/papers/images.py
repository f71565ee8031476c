"""Digits that several comparisons look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...tasks.images.parquet_sets import decoded
from ...tasks.readers.data_root import data_root

MNIST = ("mnist/train.parquet", "mnist/test.parquet")


def mnist_images() -> dict[str, NDArray[Any]]:
    """Returns MNIST's "train" and "test" in their own order, uint8 `(N, 1, 28, 28)`.

    Raises:
        ValueError: A file is not in the data root, or damaged.
    """
    return dict(decoded("mnist", _paths()).arrays)


def mnist_labels() -> Tensor:
    """Returns the digits of MNIST's train, shape `(60000,)`.

    Raises:
        ValueError: The file is not in the data root.
    """
    return torch.tensor(pd.read_parquet(_paths()[0], columns=["label"])["label"].to_numpy())


def _paths() -> list[Path]:
    paths = [data_root() / file for file in MNIST]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"Expected {path}, got no such file; `fetch mnist` brings it.")
    return paths
