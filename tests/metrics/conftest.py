"""Pairs of samples, and the folder of other libraries in sight of the tests that compare."""

from __future__ import annotations

import math
import sys

import pytest
import torch
import torchmetrics  # noqa: F401  (imports torch-fidelity wherever it sees it: it goes first)
from dgmbench.benchmark.speed.worker import PEERS


@pytest.fixture(autouse=True)
def peers_in_sight(request, monkeypatch):
    """For tests marked `peers`, and no module that rests on a stand-in torchvision after them."""
    if request.node.get_closest_marker("peers") is None:
        yield
        return
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path, str(PEERS)])
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"torchvision", "torch_fidelity", "pytorch_fid"}:
            del sys.modules[name]


@pytest.fixture
def pair():
    """Draws n correlated points and m standard normal ones in d dimensions, at an offset."""

    def draw(n, m, d, offset=0.0):
        generator = torch.Generator().manual_seed(n + d)
        x, y, mix = (
            torch.randn(k, d, generator=generator, dtype=torch.float64) for k in (n, m, d)
        )
        mix = 1.1 * torch.eye(d, dtype=torch.float64) + 0.3 * mix / math.sqrt(d)
        return x @ mix + 0.3 + offset, y + offset

    return draw
