"""`stacked-mnist`: three digits as the colours of one image, 1,000 modes (Metz et al. 2017)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...contract.task import Card, Domain, Modes
from ..outline import Loaded, Outline
from ..readers.array_cache import cached
from ..split import tensors
from .cards import OTHER_WRITERS
from .parquet_sets import classify_mnist, image_task, pair, read_pair

# Stacks of each split, made of the digits of the same split of `mnist`.
STACKS = {"train": 128_000, "val": 5_000, "test": 26_000, "holdout": 26_000}


def stack(digits: NDArray[np.uint8], count: int, seed: int) -> NDArray[np.uint8]:
    """Returns `count` stacks of three digits drawn with replacement, `(count, 3, 28, 28)`."""
    index = np.random.RandomState(seed).randint(len(digits), size=(count, 3))
    return digits[:, 0][index]


def classify(images: Tensor) -> Tensor:
    """Returns the mode 0..999, the three digits read as one number: `(N, 3, 28, 28)` to `(N,)`."""
    digits = classify_mnist(images.flatten(0, 1).unsqueeze(1)).view(-1, 3)
    return 100 * digits[:, 0] + 10 * digits[:, 1] + digits[:, 2]


def _read(*paths: Path) -> Loaded:
    def build() -> dict[str, NDArray[np.uint8]]:
        digits, _ = read_pair("mnist", paths, "stacked-mnist")
        return {k: stack(digits[k], n, i) for i, (k, n) in enumerate(STACKS.items())}

    found = cached("stacked-mnist", paths, build)
    return Loaded(tensors(found.arrays), found.checksum)


def stacked_mnist() -> Outline:
    """Returns `stacked-mnist`: 128,000 train, 5,000 val, 26,000 test, 26,000 held out."""
    card = Card(
        summary="Three handwritten digits as the red, green and blue of one 28x28 image.",
        source="ylecun/mnist on the Hugging Face hub",
        licence="CC BY-SA 3.0, as commonly stated",
        citation="Metz et al. 2017, arXiv:1611.02163; Srivastava et al. 2017, arXiv:1705.07761",
        pitfalls="Modes are counted by a classifier of our own; papers use theirs, 26,000 "
        "samples, and stacks of train and test digits together. Of 26,000 real stacks all 1,000 "
        f"modes are seen. {OTHER_WRITERS}",
    )
    modes = Modes(1000, classify, over="all")
    domain = Domain((3, 28, 28), levels=256)
    task = image_task(
        "stacked-mnist",
        domain,
        STACKS["test"],
        card,
        modes=modes,
        feature_map="stacked-mnist-cnn",
        version=2,
    )
    # Papers count its modes by the classifier alone.
    counted = {k: v for k, v in task.refuses.items() if k != "modes_captured"}
    return Outline(replace(task, refuses=counted), STACKS, _read, pair("mnist"))
