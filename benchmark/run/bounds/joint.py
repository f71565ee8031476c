r"""A decoder's joint law p(z) p(x | z), whatever model it belongs to.

A VAE has one. A generator without noise (GAN, GMMN) has none, and no likelihood: it gets a
Gaussian observation around its output whose one variance is fitted on validation rows, as in Wu,
Burda, Salakhutdinov & Grosse, ICLR 2017, arXiv:1611.04273. The likelihood is then that of the
model with this noise, of dequantised data where the data are integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....baselines.adversarial.gan import GAN
from ....baselines.latent.vae import VAE
from ....baselines.moment.gmmn import GMMN
from ....metrics.likelihood.annealing import HMC, ais, geometric_schedule

SCALES = np.geomspace(0.03, 1.0, 7)  # of the noise, in scaled coordinates
VAL_ROWS, VAL_STEPS, VAL_CHAINS = 16, 50, 4


@dataclass(frozen=True)
class Joint:
    """A decoder as functions; all log-densities in nats.

    Attributes:
        latent: Dimension L of z.
        seen: From points of the domain `(B, *shape)` to what `log_conditional` takes.
        log_conditional: log p(x | z) of seen points and of latents `(C, B, L)`, shape `(C, B)`.
        simulate: Seen points of one draw of p(x | z) for each latent `(B, L)`.
        words: What a reader must know of the law; empty where it is the model's own.
        device: Where latents must be.
    """

    latent: int
    seen: Callable[[Tensor], Tensor]
    log_conditional: Callable[[Tensor, Tensor], Tensor]
    simulate: Callable[[Tensor], Tensor]
    words: str
    device: torch.device

    def sample_prior(self, n: int) -> Tensor:
        """Draws z ~ N(0, I), shape `(n, L)`."""
        return torch.randn(n, self.latent, device=self.device)

    def log_prior(self, z: Tensor) -> Tensor:
        """Returns log N(z; 0, I), shape `(C, B)`."""
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)


def joint_of(model: Any, val: Tensor | None) -> Joint | None:
    """Returns the joint law of a model's decoder, or None where it has no decoder.

    A model of a user's may offer one by a method `joint(val)`.

    Args:
        model: A trained model.
        val: Validation rows, by which the noise of a generator is fitted.

    Raises:
        ValueError: A generator has no validation rows.
    """
    own = getattr(model, "joint", None)
    return own(val) if callable(own) else _joint(model, val)


@singledispatch
def _joint(model: Any, val: Tensor | None) -> Joint | None:
    return None


@_joint.register
def _(model: VAE, val: Tensor | None) -> Joint:
    def simulate(z: Tensor) -> Tensor:
        drawn = model.observation.sample(model.theta(z))
        return drawn.reshape(len(z), *model.domain.shape)

    return Joint(model.latent, lambda x: x, model.log_conditional, simulate, "", model.device)


@_joint.register
def _(model: GAN, val: Tensor | None) -> Joint:
    return _noisy(model, model.latent, model.generator, val)


@_joint.register
def _(model: GMMN, val: Tensor | None) -> Joint:
    def decode(z: Tensor) -> Tensor:
        uniform = torch.erf(z / 2**0.5)  # 2 Phi(z) - 1: the latents are U[-1, 1]
        y = model.generator(uniform)
        return model.decoder(y) if model.coded else y

    return _noisy(model, model.latent, decode, val)


def _noisy(
    model: Any, latent: int, decode: Callable[[Tensor], Tensor], val: Tensor | None
) -> Joint:
    """A generator with Gaussian noise of the scale that makes validation rows most likely."""
    if val is None or len(val) < 2:
        raise ValueError(
            f"Expected validation rows to fit the noise of {type(model).__name__}, got none."
        )
    rows = val[:: max(1, len(val) // VAL_ROWS)][:VAL_ROWS].to(model.device)
    seen = model.scaling.encode(rows).flatten(1)
    found = {}
    for scale in SCALES:
        joint = _with_noise(model, latent, decode, float(scale))
        found[float(scale)] = annealed(joint, seen, VAL_STEPS, VAL_CHAINS).value.mean().item()
    return _with_noise(model, latent, decode, max(found, key=found.__getitem__))


def _with_noise(
    model: Any, latent: int, decode: Callable[[Tensor], Tensor], scale: float
) -> Joint:
    constant = model.scaling.log_abs_det - model.domain.dim * (
        math.log(scale) + 0.5 * math.log(2 * math.pi)
    )

    def log_conditional(y: Tensor, z: Tensor) -> Tensor:
        mean = decode(z.flatten(0, -2)).reshape(*z.shape[:-1], -1)
        return constant - 0.5 * ((y - mean) / scale).square().sum(-1)

    def simulate(z: Tensor) -> Tensor:
        mean = decode(z)
        return mean + scale * torch.randn_like(mean)

    return Joint(
        latent,
        lambda x: model.scaling.encode(x).flatten(1),
        log_conditional,
        simulate,
        f"with Gaussian noise of scale {scale:.2g}, fitted on val, in units of the data's own",
        model.device,
    )


def annealed(joint: Joint, seen: Tensor, steps: int, chains: int) -> Any:
    """Returns AIS of seen points: `Annealed` with C chains that are weighted."""
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
