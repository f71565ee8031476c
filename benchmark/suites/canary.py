"""The canary suite: one cheap cell per family, trained again whenever the code is tested.

Its committed records hold several seeds; a change of code that moves a family's numbers out of
their spread is noticed before a table is.
"""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from .panels import DISTANCE, LIKELIHOOD, named
from .suite import Suite

# An exemplar of each family, and the controls that frame every table.
NAMES = (
    "vae",
    "gan",
    "nsf",
    "made",
    "ddpm",
    "flow-matching",
    "ebm",
    "gmmn",
    "gfn-tb",
    "reverse-kl",
    "gmm",
    "kde",
    "oracle",
    "memoriser",
    "noise",
)

CANARY = Suite(
    name="canary",
    summary="One cheap cell per family, which ranks nobody: two minutes on 2 cores.",
    tasks=("ring-8", "hypergrid-8x8"),
    models=named(*NAMES),
    metrics={
        **DISTANCE,
        **LIKELIHOOD,
        "l1_distance": metrics.L1Distance,
        "empirical_total_variation": metrics.EmpiricalTotalVariation,
    },
    budget=Budget(steps=150, batch_size=128, timeout=120.0),
    samples=1024,
    chosen_in="quick",
)
