"""Densities of the plane: modes, rings, spirals and tails, all with an exact log p(x)."""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES
from .panels import (
    COPIES,
    DISTANCE,
    LIKELIHOOD,
    SAMPLE_MODELS,
    SPREAD,
    STEPS,
    TRUTH,
)
from .spaces import spaces_of
from .suite import Suite

TOY2D = Suite(
    name="toy2d",
    summary="Fourteen densities of the plane, two core-minutes of training per cell: three "
    "hours on 2 cores without a GPU.",
    tasks=(
        "ring-8",
        "grid-25",
        "veegan-ring",
        "veegan-grid",
        "8-gaussians",
        "moons",
        "circles",
        "rings",
        "two-spirals",
        "swiss-roll",
        "pinwheel",
        "checkerboard",
        "banana",
        "student-t",
    ),
    models=SAMPLE_MODELS,
    metrics={
        **DISTANCE,
        "sliced_wasserstein": metrics.SlicedWasserstein,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
        **TRUTH,
    },
    budget=Budget(steps=1500, batch_size=128, timeout=300.0),
    core_minutes=2.0,
    samples=2048,
    probes=(*DEFAULT_PROBES, *STEPS),
    spaces=spaces_of(SAMPLE_MODELS),
)
