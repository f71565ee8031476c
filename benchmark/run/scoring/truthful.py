"""Claims of a likelihood that cannot be true: they are refused, and the row keeps the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...contract.evidence import Evidence
from ...contract.model import Likelihood
from ...contract.record import Score

ERRORS = 4.0  # standard errors that a divergence may lie below 0 by chance
MASS = 1e-3  # what an exact law may miss of 1
BOUNDED = (Likelihood.EXACT, Likelihood.LOWER_BOUND)


def trouble(evidence: Iterable[Evidence], likelihood: Likelihood, scores: Iterable[Score]) -> str:
    """Says why a claim cannot be true; empty where nothing speaks against it.

    An exact law sums to 1. The divergence of an exact likelihood from the truth is at least 0, and
    so is that of a lower bound; far below it the "density" holds more mass than 1.

    Args:
        evidence: The answers of a model.
        likelihood: What it claims.
        scores: What was measured of them.
    """
    if likelihood not in BOUNDED:
        return ""
    for law in (e.law for e in evidence if e.law is not None):
        if abs(float(law.sum()) - 1) > MASS:
            return (
                f"the claim cannot be true: its law sums to {float(law.sum()):.4g} over the "
                f"{len(law)} states, not to 1"
            )
    for score in scores:
        if score.metric == "kl_to_truth" and score.value is not None:
            error = score.stderr or 0.0
            if score.value < -ERRORS * error - 1e-6:
                return (
                    f"the claim cannot be true: its divergence from the truth is "
                    f"{score.value:.4g} ± {error:.2g} nats, and none is below 0"
                )
    return ""


def without_claim(scores: Sequence[Score], why: str) -> list[Score]:
    """Empties what rests on a claim, with the reason; the other scores stay."""
    return [
        s.model_copy(
            update={"value": None, "stderr": None, "shared": None, "reason": why, "mark": ""}
        )
        if s.estimator or s.mark
        else s
        for s in scores
    ]
