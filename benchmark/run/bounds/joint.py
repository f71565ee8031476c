r"""A decoder's joint law p(z) p(x | z), with noise where it has none.

A VAE has a law. A generator without noise has none, and no likelihood: it gets a Gaussian
observation around its output whose one variance is fitted on validation rows, as in Wu, Burda,
Salakhutdinov & Grosse, ICLR 2017, arXiv:1611.04273. The likelihood is then that of the model with
this noise, of dequantised data where the data are integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ....metrics.likelihood.annealing import Annealed, Sandwich, ais, bdmc
from ....metrics.likelihood.schedules import geometric_schedule
from ....metrics.likelihood.transitions import HMC
from ...contract.joint import Generator, Joint

SCALES = np.geomspace(0.03, 1.0, 7)  # of the noise, in scaled coordinates
CLOSER = np.linspace(-1, 1, 9)[1:-1]  # then between the neighbours of the best one
VAL_ROWS, VAL_STEPS, VAL_CHAINS = 16, 50, 4


def joint_of(model: Any, val: Tensor | None) -> Joint | None:
    """Returns the joint law of a model's decoder, or None where it offers none (`joint`).

    Args:
        model: A trained model.
        val: Validation rows, by which the noise of a generator is fitted.

    Raises:
        ValueError: A generator has no validation rows.
    """
    offered = getattr(model, "joint", None)
    found = offered() if callable(offered) else None
    if not isinstance(found, Generator):
        return found
    if val is None or len(val) < 2:
        raise ValueError("Expected validation rows to fit the noise of a generator, got none.")
    rows = val[:: max(1, len(val) // VAL_ROWS)][:VAL_ROWS].to(found.device)
    seen = found.seen(rows)

    def mean(scale: float) -> float:
        joint = found.with_noise(float(scale))
        return float(annealed(joint, seen, VAL_STEPS, VAL_CHAINS).value.mean())

    best = max(SCALES, key=mean)
    apart = SCALES[1] / SCALES[0]
    return found.with_noise(float(max(best * apart**CLOSER, key=mean)))


def annealed(joint: Joint, seen: Tensor, steps: int, chains: int) -> Annealed:
    """Returns AIS of seen points: C chains that are weighted, and pilots beside them."""
    kernel = HMC()
    every = chains + kernel.pilots
    start = joint.sample_prior(every * len(seen)).reshape(every, len(seen), joint.latent)
    return ais(
        joint.log_prior,
        lambda z: joint.log_prior(z) + joint.log_conditional(seen, z),
        start,
        geometric_schedule(steps),
        kernel,
    )


def simulated(joint: Joint, points: int, steps: int, chains: int) -> Sandwich:
    """Returns both bounds on data that the joint law makes itself, the certificate of `annealed`.

    Args:
        joint: The law.
        points: Number of points that are simulated.
        steps: Steps of the path.
        chains: Chains of each point that are weighted.
    """
    return bdmc(
        joint.sample_prior,
        joint.log_prior,
        joint.simulate,
        joint.log_conditional,
        points=points,
        chains=chains,
        betas=geometric_schedule(steps),
    )
