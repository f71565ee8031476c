"""Binary vectors in their published splits: test log-likelihoods that compare with papers."""

from __future__ import annotations

from functools import partial

from ... import metrics
from ...baselines.classical.gmm import GMM
from ..contract.model import Budget
from .panels import COPIES, DISTANCE, SAMPLE_MODELS, named
from .spaces import spaces_of
from .suite import Suite

# Models beside the exemplars whose likelihood or bound of bits compares with papers.
DISCRETE = named("transformer", "nade", "masked-diffusion", "rbm")

BINARY = Suite(
    name="binary",
    summary="Thirteen sets of 16 to 1,359 bits, two core-minutes of training per cell; 1,000 "
    "steps where no recipe has been measured: seven hours on 2 cores without a GPU.",
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
    # A full covariance costs D^2 a row and iteration.
    models={
        **SAMPLE_MODELS,
        **DISCRETE,
        "gmm": partial(GMM, components=(4, 16), restarts=1),
    },
    metrics={
        **DISTANCE,
        **COPIES,
        "nll": metrics.NLL,
    },
    budget=Budget(steps=1000, batch_size=128, timeout=1800.0),
    core_minutes=2.0,
    samples=2048,
    spaces=spaces_of({**SAMPLE_MODELS, **DISCRETE}),
)
