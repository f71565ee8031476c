"""The standard suite: every model of the catalogue on one task of each kind, at equal compute."""

from __future__ import annotations

from ... import metrics
from ...baselines import MODELS
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES
from .panels import COPIES, DISTANCE, LIKELIHOOD, SPREAD, STATES, TRUTH, in_steps
from .spaces import spaces_of
from .suite import Suite

# Digits show quality against evaluations, of the exemplars and of the models of few steps.
FEW = in_steps(
    *("ddpm", "flow-matching"),
    counts=(1, 5, 25),
    metrics=("mmd", "energy_distance"),
    tasks=(
        "ring-8",
        "checkerboard",
        "mixture-16",
        "nltcs",
        "california-housing",
        "hmm-64",
        "hypergrid-8x8",
    ),
    n=512,
)
DIGITS = in_steps(
    *("ddpm", "flow-matching", "consistency", "meanflow"),
    counts=(1, 2, 5, 10, 25, 50, 100),
    metrics=("frechet_distance", "mmd", "energy_distance"),
    tasks=("digits",),
    n=512,
)

STANDARD = Suite(
    name="standard",
    summary="Every model on one task of each kind, one core-minute of training per cell, three "
    "seeds: fourteen hours on 2 cores without a GPU.",
    tasks=(
        "ring-8",
        "checkerboard",
        "mixture-16",
        "digits",
        "nltcs",
        "california-housing",
        "hmm-64",
        "hypergrid-8x8",
    ),
    models=MODELS,
    metrics={
        "frechet_distance": metrics.FrechetDistance,
        **DISTANCE,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
        **TRUTH,
        **STATES,
    },
    budget=Budget(steps=2000, batch_size=256, timeout=600.0),
    core_minutes=1.0,
    samples=2048,
    seeds=(0, 1, 2),
    probes=(*DEFAULT_PROBES, *FEW, *DIGITS),
    spaces=spaces_of(MODELS),
)
