"""Sequences of tokens: text, chorales, and hidden Markov chains whose likelihood is exact."""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from .panels import COPIES, DISTANCE, EXEMPLARS, SAMPLE_MODELS, STATES, TRUTH, named
from .spaces import spaces_of
from .suite import Suite

SEQUENCES = Suite(
    name="sequences",
    summary="Four sets of token sequences, two core-minutes of training per cell: one hour on 2 "
    "cores without a GPU.",
    tasks=("hmm-8", "hmm-64", "tinyshakespeare", "jsb-chorales"),
    models={**SAMPLE_MODELS, **named("transformer", "masked-diffusion")},
    metrics={
        **DISTANCE,
        "prdc": metrics.PRDC,
        **COPIES,
        "nll": metrics.NLL,
        **TRUTH,
        **{name: metric for name, metric in STATES.items() if name != "log_z_error"},
    },
    budget=Budget(steps=1500, batch_size=128, timeout=600.0),
    core_minutes=2.0,
    samples=2048,
    spaces=spaces_of(named(*EXEMPLARS, "transformer", "masked-diffusion")),
)
