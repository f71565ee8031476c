"""`digits`: the 1,797 handwritten digits that scikit-learn carries, 8x8 pixels of 17 levels."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...contract.task import Card, Domain, Modes, Task
from ..outline import Loaded, Outline
from ..readers.data_root import sha256, verify
from ..refusals import CLASSIFIED
from ..split import cut, tensors

SIZES = {"train": 797, "val": 200, "test": 400, "holdout": 400}
SHA256 = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"

CARD = Card(
    summary="A handwritten digit, 8x8 pixels of 17 levels of grey.",
    source="scikit-learn `load_digits`: test part of Optical Recognition of Handwritten Digits, "
    "UCI",
    licence="CC BY 4.0",
    citation="Alpaydin & Kaynak 1998, doi:10.24432/C50P49; Kaynak 1995",
    pitfalls="797 training images: a model can learn them by heart, so read the memorisation "
    "column first. Thirteen writers are in all splits. The Frechet distance is in the features "
    "of a small network of our own and compares with no published one.",
)


def _classify(images: Tensor) -> Tensor:
    """Returns the classes 0..9 of images `(N, 1, 8, 8)` by the digits classifier, `(N,)`."""
    from ....metrics.features.digits_cnn import DigitsCNN

    return DigitsCNN.on_cpu().classify(images).to(images.device)


def _read() -> Loaded:
    """Returns the rows of each split from what scikit-learn carries."""
    from sklearn.datasets import load_digits  # slow to import, and other tasks do without

    images = load_digits().images.astype(np.uint8)
    checksum = verify("digits", SHA256, sha256(images))
    parts = zip(SIZES, cut(len(images), list(SIZES.values())), strict=True)
    rows = {split: images[part][:, None].astype(np.int64) for split, part in parts}
    return Loaded(tensors(rows), checksum)


def digits() -> Outline:
    """Returns the `digits` task, split at random, so that test and holdout rows are alike.

    A split that keeps the classes' proportions would make the parts more alike than independent
    draws are: the oracle's distances to test would come out below 0.
    """
    task = Task(
        name="digits",
        version=2,  # 1 was split by class
        domain=Domain((1, 8, 8), levels=17),
        kind="image",
        modes=Modes(10, _classify, over="all"),
        feature_map="digits-cnn",
        primary="frechet_distance",
        refuses=CLASSIFIED,
        card=CARD,
    )
    return Outline(task, SIZES, _read)
