"""Rewards: GFlowNets and samplers, beside models that learn from exact draws of the same laws."""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from .panels import (
    CONTROLS,
    DISTANCE,
    GFLOWNETS,
    LIKELIHOOD,
    SAMPLERS,
    STATES,
    TRUTH,
    WEIGHTS,
    named,
)
from .spaces import spaces_of
from .suite import Suite

MODELS = named(
    *GFLOWNETS,
    *SAMPLERS,
    "made",
    "masked-diffusion",
    "nsf",
    "flow-matching",
    "gaussian",
    "histogram",
    "chow-liu",
    *CONTROLS,
)

REWARD = Suite(
    name="reward",
    summary="Grids, bit sequences, spins, sets, graphs and continuous targets with a reward; one "
    "core-minute of training per cell, three seeds: six hours on 2 cores without a GPU.",
    tasks=(
        "hypergrid-8x8",
        "hypergrid-8x8x8x8",
        "hypergrid-8x8x8x8-sparse",
        "bit-sequences-4",
        "ising-4x4",
        "subsets-30-20",
        "structures-5",
        "gaussians-40",
        "many-well-32",
        "funnel",
    ),
    models=MODELS,
    metrics={
        **DISTANCE,
        "mode_coverage": metrics.ModeCoverage,
        **LIKELIHOOD,
        **TRUTH,
        **STATES,
        **WEIGHTS,
    },
    budget=Budget(steps=1000, batch_size=64, timeout=900.0),
    core_minutes=1.0,
    samples=20_480,
    seeds=(0, 1, 2),
    spaces=spaces_of(MODELS),
)
