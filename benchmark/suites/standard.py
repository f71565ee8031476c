"""The standard suite: every model of the catalogue on one task of each kind, at equal compute."""

from __future__ import annotations

from dataclasses import replace

from ... import metrics
from ...baselines import MODELS
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES
from .panels import COPIES, DISTANCE, LIKELIHOOD, PICTURE_STEPS, SPREAD, STATES, STEPS, TRUTH
from .spaces import spaces_of
from .suite import Suite

TASKS = (
    "ring-8",
    "checkerboard",
    "mixture-16",
    "digits",
    "nltcs",
    "california-housing",
    "hmm-64",
    "hypergrid-8x8",
)
DIGITS = ("digits",)
REST = tuple(task for task in TASKS if task not in DIGITS)

STANDARD = Suite(
    name="standard",
    summary="Every model on one task of each kind, one core-minute of training per cell, three "
    "seeds: fourteen hours on 2 cores without a GPU.",
    tasks=TASKS,
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
    probes=(
        *DEFAULT_PROBES,
        *(replace(probe, tasks=REST) for probe in STEPS),
        *(replace(probe, tasks=DIGITS) for probe in PICTURE_STEPS),
    ),
    spaces=spaces_of(MODELS),
)
