"""The quick suite: every family on a plane, on small images and on an enumerable reward."""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES
from .panels import (
    CLASSICAL,
    CONTROLS,
    COPIES,
    DISTANCE,
    EXEMPLARS,
    FLOORS,
    LIKELIHOOD,
    SPREAD,
    STATES,
    STEPS,
    TRUTH,
    named,
)
from .spaces import spaces_of
from .suite import Suite

QUICK = Suite(
    name="quick",
    summary="Real work, small: three minutes on 2 cores without a GPU.",
    tasks=("ring-8", "digits", "hypergrid-8x8"),
    models=named(*EXEMPLARS, "gfn-tb", *CLASSICAL, *FLOORS, *CONTROLS),
    metrics={
        "frechet_distance": metrics.FrechetDistance,
        **DISTANCE,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
        **TRUTH,
        **STATES,
    },
    budget=Budget(steps=700, batch_size=128, timeout=120.0),
    samples=2048,
    probes=(*DEFAULT_PROBES, *STEPS),
    spaces=spaces_of(named(*EXEMPLARS, "gfn-tb")),
)
