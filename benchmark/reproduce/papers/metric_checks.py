"""Published checks of metrics on real data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from scipy import stats
from torch import Tensor

from ....metrics.diversity.ndb import ndb
from ...contract.model import seeded
from ..comparison import Comparison, Finding, part
from ..published import one
from .images import MNIST, mnist_images, mnist_labels

REFERENCE, QUERIES = 45_000, 10_000
THREE = float(2 * stats.norm.sf(3))  # three standard errors, to both sides
TOLERANCE = {"ndb": 3.0, "ndb_js": 0.002}
SETS = {
    "MNIST train vs validation split of train": "val",
    "MNIST train vs test set": "test",
    "MNIST train vs validation without digit 9": "val without 9",
}


def ndb_mnist() -> Iterator[Finding]:
    """Bins of MNIST's pixels that differ: fresh rows, other writers, a digit that is missing."""
    for dataset, queries in SETS.items():
        found = part(queries, partial(_different, queries))
        for metric, (ours, error) in found.items():
            row = one("metric_validation", dataset=dataset, metric=metric)
            yield Finding(row, ours, error, TOLERANCE[metric])


def _different(queries: str) -> dict[str, tuple[float, float]]:
    reference, sets = _rows()
    found = ndb(sets[queries][:QUERIES], reference, bins=100, significance=THREE)
    return {
        "ndb": (found["ndb"].value, found["ndb"].stderr),
        "ndb_js": (found["js"].value, found["js"].stderr),
    }


def _rows() -> tuple[Tensor, dict[str, Tensor]]:
    """The 45,000 rows that make the bins, and the sets that are counted in them."""
    images, labels = mnist_images(), mnist_labels()
    with seeded(0):
        order = torch.randperm(len(labels))
    train = torch.as_tensor(images["train"]).flatten(1)[order].float() / 255
    val, digits = train[REFERENCE:], labels[order][REFERENCE:]
    test = torch.as_tensor(images["test"]).flatten(1).float() / 255
    return train[:REFERENCE], {"val": val, "test": test, "val without 9": val[digits < 9]}


NDB_MNIST = Comparison(
    "ndb-mnist",
    "Richardson & Weiss 2018, arXiv:1805.12462; README of the authors' repository",
    "Bins of MNIST's pixels, of 100, whose shares differ: of rows held out, of the test set, and "
    "where a digit is missing.",
    "four minutes",
    "Bins within 3, the Jensen-Shannon divergence within 0.002 nats.",
    "Another random split, and another start of k-means.",
    ndb_mnist,
    MNIST,
    ("metric_validation",),
)
