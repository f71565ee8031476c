"""Binary vectors in their published splits: test log-likelihoods that compare with papers."""

from __future__ import annotations

from functools import partial

from ... import metrics
from ...baselines.classical.gmm import GMM
from ...baselines.flows.nsf import NSF
from ..contract.model import Budget
from .panels import COPIES, DISTANCE, SAMPLE_MODELS, SAMPLE_SPACES
from .suite import Suite

BINARY = Suite(
    name="binary",
    summary="Thirteen sets of 16 to 1,359 bits: 20 minutes on 2 cores without a GPU.",
    tasks=(
        "nltcs",
        "plants",
        "baudio",
        "jester",
        "bnetflix",
        "accidents",
        "mushrooms",
        "pumsb-star",
        "dna",
        "nips",
        "moviereview",
        "bbc",
        "voting",
    ),
    # A full covariance costs D^2 a row and iteration; two values need few bins of a spline.
    models={
        **SAMPLE_MODELS,
        "gmm": partial(GMM, restarts=2),
        "nsf": partial(NSF, transforms=2, bins=4),
    },
    metrics={
        **DISTANCE,
        **COPIES,
        "nll": metrics.NLL,
    },
    budget=Budget(steps=1000, batch_size=128, timeout=1800.0),
    samples=2048,
    spaces={name: space for name, space in SAMPLE_SPACES.items() if name != "nsf"},
)
