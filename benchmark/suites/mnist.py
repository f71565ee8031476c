"""Handwritten digits: of 256 levels, binarised, and stacked to a thousand modes."""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from .panels import COPIES, DISTANCE, LIKELIHOOD, PIXEL_MODELS, PIXEL_SPACES, SPREAD
from .suite import Suite

MNIST = Suite(
    name="mnist",
    summary="MNIST in three ways, by multilayer perceptrons: 40 minutes on 2 cores without a GPU.",
    tasks=("mnist", "binary-mnist-dynamic", "stacked-mnist"),
    models=PIXEL_MODELS,
    metrics={
        "frechet_distance": metrics.FrechetDistance,
        "kernel_distance": metrics.KernelDistance,
        **DISTANCE,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
    },
    budget=Budget(steps=500, batch_size=128, timeout=1800.0),
    samples=2048,
    spaces=PIXEL_SPACES,
)
