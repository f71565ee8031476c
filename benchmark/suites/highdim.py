"""Known densities in 10 to 1,200 dimensions: what happens to a method as D grows."""

from __future__ import annotations

from functools import partial

from ... import metrics
from ...baselines.classical.gmm import GMM
from ..contract.model import Budget
from .panels import COPIES, DISTANCE, LIKELIHOOD, SAMPLE_MODELS, SPREAD, TRUTH
from .spaces import spaces_of
from .suite import Suite

HIGHDIM = Suite(
    name="highdim",
    summary="Eight known densities in up to 1,200 dimensions; 1,000 steps for all until "
    "`tune` has chosen recipes of two core-minutes: hours on 2 cores without a GPU.",
    tasks=(
        "funnel",
        "gaussian-16",
        "gaussian-64",
        "gaussian-256",
        "mixture-16",
        "mixture-64",
        "mixture-256",
        "veegan-1200",
    ),
    # A full covariance costs D^2 a row and iteration.
    models={**SAMPLE_MODELS, "gmm": partial(GMM, components=(4, 16), floors=(1e-4,), restarts=2)},
    metrics={
        "frechet_distance": metrics.FrechetDistance,
        **DISTANCE,
        "sliced_wasserstein": metrics.SlicedWasserstein,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
        **TRUTH,
    },
    budget=Budget(steps=1000, batch_size=128, timeout=2400.0),
    core_minutes=2.0,
    samples=2048,
    spaces=spaces_of(SAMPLE_MODELS),
)
