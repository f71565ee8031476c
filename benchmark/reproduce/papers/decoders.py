r"""Decoders by annealed importance sampling: VAE, GAN and GMMN under one observation model.

Wu, Burda, Salakhutdinov & Grosse, On the Quantitative Analysis of Decoder-Based Generative Models,
ICLR 2017, arXiv:1611.04273. Digits are dequantised to y in [0, 1]^784; each decoder G has the law

    p(y) = \int N(z; 0, I) N(y; G(z), s^2 I) dz

with one scale s: learnt in the VAE, fitted on validation rows elsewhere. Log-densities are those
of y, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....baselines.adversarial.gan import GAN
from ....baselines.latent.vae import VAE
from ....baselines.moment.gmmn import GMMN
from ....baselines.nets.roles import decoder
from ....baselines.observation import EVERY, Observation
from ....baselines.scaling import Scaling
from ....metrics.likelihood.bounds import iwae_bound, kde_log_likelihood, kde_scale
from ...contract.joint import Generator, Joint
from ...contract.model import Budget, seeded
from ...contract.task import Domain, TrainingTask
from ...run.bounds.joint import annealed, joint_of, simulated
from ..comparison import Comparison, Finding, Listing, averaged, order, part
from ..published import Published, one
from .images import MNIST, mnist_images

DOMAIN = Domain((784,), 256)
TO_UNIT = 784 * math.log(256)  # from a density of integers + u to one of (integers + u) / 256
TRAIN, VAL, TEST = 50_000, 100, 20  # rows; the last two are random ones
PLACES, CHAINS, SIMULATED = 500, 16, 8  # of annealing, and points of the model's own
DRAWS, SAMPLES, BLOCK = 20_000, 100_000, 10_000  # of the IWAE bound; of windows; at a time
WINDOWS = tuple(np.geomspace(0.03, 0.5, 13))
SHAPES = {10: (64, 256, 256, 1024), 50: (1024, 1024, 1024)}
KINDS = ("VAE", "GAN", "GMMN")
AIS, IWAE, KDE = "ais_test", "iwae_bound_test", "kde_test"
FAR, APART = 100.0, 2.0  # tolerances in nats: of a likelihood, and of a gap


class Spherical(Observation):
    """N(theta_d, s^2) of dequantised, scaled coordinates; s is one number for all of them.

    Args:
        scaling: The scaling of the domain.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling, self.width = scaling, 1
        self.log_scale = nn.Parameter(torch.tensor(-1.0))

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        y = (self.scaling.encode(x) - theta.squeeze(-1)) / self.log_scale.exp()
        constant = self.log_scale + 0.5 * math.log(2 * math.pi)
        return -0.5 * y.square() - constant + self.scaling.log_abs_det / x.shape[-1]

    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        mean = theta.squeeze(-1)
        return self.scaling.decode(mean + self.log_scale.exp() * torch.randn_like(mean))


class SphericalVAE(VAE):
    """A VAE of integers whose observation is `Spherical`; arguments as in `VAE`."""

    observation: Spherical
    decoder: nn.Module

    def __init__(self, domain: Domain, latent: int, hidden: tuple[int, ...], **rest: Any) -> None:
        super().__init__(domain, latent, hidden, components=1, **rest)
        self.observation = Spherical(self.scaling)
        self.decoder = decoder(latent, domain, 1, hidden[::-1], 0)

    def generator(self) -> Generator:
        """Returns the mean of p(y | z) as functions."""
        constant = float(self.scaling.log_abs_det)
        return Generator(self.latent, self.decoder, self.scaling.encode, constant)

    def joint(self) -> Joint:
        """Returns the law of seen points that are dequantised and scaled."""
        scale = float(self.observation.log_scale.exp())
        words = f"learnt noise of scale {scale:.2g}, in scaled units"
        return replace(self.generator().with_noise(scale), words=words)


def _model(kind: str, latent: int) -> tuple[Any, Budget]:
    """An untrained model, and five minutes of training on a core, about."""
    widths = SHAPES[latent]
    small = latent == 10
    if kind == "VAE":
        model: Any = SphericalVAE(DOMAIN, latent, widths[::-1], warm_up=0.0, lr=1e-3)
        return model, Budget(10_000 if small else 5000, 100)
    if kind == "GAN":
        model = GAN(DOMAIN, latent, widths, (512, 256), lr=3e-4, pace=1.0, betas=(0.5, 0.9))
        return model, Budget(10_000 if small else 5000, 100)
    model = GMMN(DOMAIN, latent, widths, lr=1e-3)
    return model, Budget(2000 if small else 1200, 1000)


def _rows() -> tuple[Tensor, Tensor, Tensor]:
    """Digits as vectors: 50,000 to train, random ones of the rest and of the test set."""
    images = mnist_images()
    with seeded(0):
        order = torch.randperm(60_000)
        chosen = torch.randperm(10_000)[:TEST]
    train = torch.as_tensor(images["train"]).flatten(1)[order].long()
    test = torch.as_tensor(images["test"]).flatten(1)[chosen].long()
    return train[:TRAIN], train[TRAIN : TRAIN + VAL], test


def _measured(kind: str, latent: int) -> dict[str, Any]:
    """Trains a model; what each estimator says of its decoder, in nats of [0, 1]^784."""
    train, val, test = _rows()
    with seeded(latent):
        model, budget = _model(kind, latent)
        model.fit(TrainingTask(DOMAIN, train, val), budget)
        model.eval().requires_grad_(False)
        joint = joint_of(model, val)
    if joint is None:
        raise ValueError(f"Expected a model with a decoder, got {kind}.")
    means = model.generator() if isinstance(model, SphericalVAE) else model.joint()
    with seeded(0):  # the same noise in every cell of every model
        seen, judged = (Scaling(DOMAIN).encode(rows) for rows in (test, val))
    with seeded(1):
        found = annealed(joint, seen, PLACES, CHAINS)
        both = simulated(joint, SIMULATED, PLACES, CHAINS)
    result: dict[str, Any] = {
        AIS: (found.value + TO_UNIT).tolist(),
        "gap": (both.gap.value, both.gap.stderr),
        "words": "; ".join(filter(None, (joint.words, found.note, both.gap.note))),
        KDE: _parzen(means, seen, judged),
    }
    if isinstance(model, SphericalVAE):
        with seeded(1), torch.no_grad():
            bound = iwae_bound(partial(_weights, model, joint, test), seen, DRAWS, block=200)
        result[IWAE] = (bound + TO_UNIT).tolist()
    return result


def _weights(model: SphericalVAE, joint: Joint, x: Tensor, y: Tensor, draws: int) -> Tensor:
    """Log weights of the encoder's draws for integers x that are seen as y."""
    z, log_q = model.infer(x, draws)
    return joint.log_prior(z) + joint.log_conditional(y, z) - log_q


@torch.no_grad()
def _parzen(decoder: Generator, seen: Tensor, val: Tensor) -> list[float]:
    """Parzen windows around the decoder's means; their scale is chosen on validation rows."""
    drawn = [decoder.decode(torch.randn(BLOCK, decoder.latent)) for _ in range(SAMPLES // BLOCK)]
    unit, fitted, samples = ((side + 1) / 2 for side in (seen, val, torch.cat(drawn)))
    scale = kde_scale(fitted, samples[:BLOCK], WINDOWS)
    return kde_log_likelihood(unit, samples, scale).tolist()


def wu2017() -> Iterator[Finding | Listing]:
    """Table 2: six decoders, four estimators, and the orders that the paper finds."""
    found = {
        f"{kind}-{latent}": part(f"{kind}-{latent}", partial(_measured, kind, latent))
        for latent in SHAPES
        for kind in KINDS
    }
    for name, result in found.items():
        for metric in (AIS, IWAE, KDE):
            if metric in result:
                mean, error = averaged(result[metric])
                yield Finding(_row(name, metric), mean, error, FAR)
        gap, error = result["gap"]
        yield Finding(_row(name, "gap"), gap, error, APART, result["words"])
    yield from _orders(found)
    yield Listing(
        "Mean log-density of test digits in [0, 1]^784 by each estimator, nats",
        ("Decoder", "KDE", "IWAE bound", "AIS", "Gap on data of its own", "Observation"),
        [_line(name, result) for name, result in found.items()],
    )


def _orders(found: dict[str, Any]) -> Iterator[Finding]:
    """Differences whose sign the paper finds, paired over test digits."""
    pairs = [
        ((f"VAE-{latent}", AIS), (f"{kind}-{latent}", AIS))
        for latent in SHAPES
        for kind in ("GAN", "GMMN")
    ]
    for latent in SHAPES:
        name = f"VAE-{latent}"
        pairs += [((name, IWAE), (name, KDE)), ((name, AIS), (name, IWAE))]
    pairs += [(("VAE-10", KDE), ("VAE-50", KDE)), (("VAE-50", AIS), ("VAE-10", AIS))]
    for (first, its), (second, theirs) in pairs:
        rows = _row(first, its), _row(second, theirs)
        yield order(*rows, found[first][its], found[second][theirs])


def _row(name: str, metric: str) -> Published:
    full = "bdmc_gap" if metric == "gap" else f"log_likelihood_{metric}"
    return one("wu2017_ais", table="Table 2", method=name, metric=full)


def _line(name: str, result: dict[str, Any]) -> tuple[str, ...]:
    cells = []
    for metric in (KDE, IWAE, AIS):
        if metric in result:
            mean, error = averaged(result[metric])
            cells.append(f"{mean:.0f} ± {error:.0f}")
        else:
            cells.append("–")
    gap, error = result["gap"]
    return (name, *cells, f"{gap:.2g} ± {error:.1g}", result["words"])


WU2017 = Comparison(
    "wu2017",
    "Wu, Burda, Salakhutdinov & Grosse 2017, arXiv:1611.04273, table 2",
    "VAE, GAN and GMMN on MNIST under one observation model: Parzen windows, the IWAE bound and "
    "AIS, with its gap on simulated data.",
    "an hour",
    "Orders by their sign; likelihoods within 100 nats, as far as nets that were trained anew may "
    "be; gaps within 2 nats.",
    f"{TEST} test digits, {PLACES} temperatures, {SIMULATED} simulated points, {DRAWS:,} draws of "
    f"the bound and {SAMPLES:,} samples for windows, in place of 1,000, 10,000, 1,000, 200,000 "
    "and 1,000,000; five minutes of training for each decoder, with today's optimisers.",
    wu2017,
    MNIST,
    ("wu2017_ais",),
)
