"""Tables of numbers: four that scikit-learn carries, five from the data root."""

from __future__ import annotations

from functools import partial

from ... import metrics
from ..contract.model import Budget
from .panels import COPIES, DISTANCE, SAMPLE_MODELS
from .spaces import spaces_of
from .suite import Suite

TABULAR = Suite(
    name="tabular",
    summary="Nine tables of 4 to 43 columns, two core-minutes of training per cell: two "
    "hours on 2 cores without a GPU.",
    tasks=(
        "abalone",
        "california-housing",
        "wine-quality",
        "adult",
        "miniboone-1523",
        "breast-cancer",
        "diabetes",
        "wine",
        "iris",
    ),
    models=SAMPLE_MODELS,
    metrics={
        **DISTANCE,
        "sliced_wasserstein": metrics.SlicedWasserstein,
        "c2st": partial(metrics.C2ST, folds=3),  # a third of the time of five folds
        "prdc": metrics.PRDC,
        **COPIES,
        "nll": metrics.NLL,
    },
    budget=Budget(steps=1500, batch_size=128, timeout=300.0),
    core_minutes=2.0,
    samples=2048,
    spaces=spaces_of(SAMPLE_MODELS),
)
