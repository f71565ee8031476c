"""Handwritten digits: of 256 levels, binarised, and stacked to a thousand modes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ... import metrics
from ..contract.model import Budget
from ..contract.probe import Probe
from .panels import COPIES, DISTANCE, LIKELIHOOD, PICTURE_STEPS, PIXEL_MODELS, SPREAD, named
from .spaces import spaces_of
from .suite import Suite

# Models beside the exemplars whose pictures, or whose likelihood of pixels, compares with papers.
PICTURES = named(
    *("iwae", "iaf-vae", "vampprior-vae", "vq-vae", "glow", "nade", "pixelcnn", "transformer"),
    *("edm", "ot-cfm", "consistency", "meanflow", "drifting", "r3gan"),
)
PLAYERS: Mapping[str, Callable[..., Any]] = {**PIXEL_MODELS, **PICTURES}

MNIST = Suite(
    name="mnist",
    summary="MNIST in three ways, 15 core-minutes of training per cell; 500 steps where no recipe "
    "has been measured: eighteen hours on 2 cores without a GPU.",
    tasks=("mnist", "binary-mnist-dynamic", "stacked-mnist"),
    models=PLAYERS,
    metrics={
        "frechet_distance": metrics.FrechetDistance,
        "kernel_distance": metrics.KernelDistance,
        **DISTANCE,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
    },
    budget=Budget(steps=500, batch_size=128, timeout=3600.0),
    core_minutes=15.0,
    samples=2048,
    # Of all 10,000 test rows an importance-weighted bound would cost more than training.
    probes=(Probe("samples"), Probe("likelihood", n=512), *PICTURE_STEPS),
    spaces=spaces_of(PLAYERS),
)
