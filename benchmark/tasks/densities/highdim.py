r"""Known densities in many dimensions, and VEEGAN's 1200-dimensional mixture.

    gaussian-D   N(0, S), S_ij = rho^|i - j|, rho = 0.9        log det S = (D - 1) log(1 - rho^2)
    mixture-D    8 Gaussians of sd 1 on a circle of radius 6 in a random plane of R^D
    veegan-1200  N(c_k 1, diag(1, ..., 1, 0, ..., 0)), 700 ones, ten values c_k

The hidden plane makes the entropy of `mixture-D` exact in any D: that of the ring in its plane (a
quadrature, see `Mixture.entropy`) plus (D - 2) / 2 log(2 pi e) for the directions across.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...contract.model import seeded
from ...contract.task import Card, Domain, Modes, Task
from ..outline import Outline
from ..refusals import KNOWN_LAW
from .law import Law, drawn, law_task
from .mixtures import VEEGAN, Mixture, circle

PLANE_SEED = 811_000_100


class CorrelatedGaussian(Law):
    """N(0, S) with S_ij = rho^|i - j|: the stationary autoregression x_i = rho x_(i-1) + eps.

    Args:
        dim: Number D of coordinates.
        rho: Correlation of neighbouring coordinates.
    """

    def __init__(self, dim: int, rho: float = 0.9) -> None:
        self.dim, self.rho = dim, rho
        gap = torch.arange(dim, dtype=torch.float64)
        self.covariance = rho ** (gap[:, None] - gap).abs()
        self.log_scale = (dim - 1) / 2 * math.log(1 - rho**2)  # half of log det S

    def sample(self, n: int) -> Tensor:
        factor = torch.linalg.cholesky(self.covariance).float()
        return torch.randn(n, self.dim) @ factor.T

    def log_prob(self, x: Tensor) -> Tensor:
        step = (x[:, 1:] - self.rho * x[:, :-1]) / math.sqrt(1 - self.rho**2)
        square = x[:, 0].square() + step.square().sum(1)
        return -square / 2 - self.log_scale - self.dim / 2 * math.log(2 * math.pi)

    def entropy(self) -> float:
        return self.dim / 2 * (1 + math.log(2 * math.pi)) + self.log_scale


class HiddenRing(Mixture):
    """Gaussians of sd 1 on a circle in a random plane.

    Args:
        dim: Number D >= 2 of coordinates.
        count: Number of Gaussians.
        radius: Radius of the circle.
    """

    def __init__(self, dim: int, count: int = 8, radius: float = 6.0) -> None:
        with seeded(PLANE_SEED + dim):
            plane, _ = torch.linalg.qr(torch.randn(dim, 2, dtype=torch.float64))
        ring = circle(count, radius)
        self.across = (dim - 2) / 2 * (1 + math.log(2 * math.pi))
        self.in_plane = Mixture(ring, 1.0)
        super().__init__(ring @ plane.T, 1.0)

    def entropy(self) -> float:
        return (self.in_plane.entropy() or 0.0) + self.across


def gaussian(dim: int) -> Outline:
    """Returns `gaussian-D`, the correlated Gaussian: closed-form entropy."""
    card = Card(
        summary=f"A Gaussian in {dim} dimensions, correlation 0.9 between neighbours.",
        pitfalls="A full-covariance Gaussian is the right model: whoever beats it is lucky.",
    )
    return law_task(f"gaussian-{dim}", CorrelatedGaussian(dim), card)


def mixture(dim: int) -> Outline:
    """Returns `mixture-D`, Gaussians on a circle in a random plane: entropy by quadrature."""
    law = HiddenRing(dim)
    card = Card(
        summary=f"8 Gaussians of sd 1 on a circle of radius 6 in a hidden plane of R^{dim}.",
        pitfalls="Neighbouring modes are 4.6 sd apart and overlap a little. The other "
        "directions are pure noise, so distances between samples see the modes less and less as "
        "D grows.",
    )
    return law_task(f"mixture-{dim}", law, card, modes=law.modes())


SHIFTS = (-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5)
NOISY, FLAT = 700, 500
NOISE_BOUND = 3.0


def veegan_1200_draw(n: int) -> Tensor:
    """Returns n exact draws of `veegan-1200`, shape `(n, 1200)`, from torch's random state."""
    shift = torch.tensor(SHIFTS)[torch.randint(len(SHIFTS), (n,))]
    noise = torch.cat([torch.randn(n, NOISY), torch.zeros(n, FLAT)], 1)
    return shift[:, None] + noise


def veegan_1200_assign(x: Tensor) -> Tensor:
    """Returns the mode 0..9 of points `(N, 1200)`, else -1.

    The nearest c_k by the mean of all coordinates is the mode. A point is of it if the root mean
    square of its deviation is within 3 standard deviations of what the mode's own points have:
    that square sums to chi^2 of 700 degrees, mean 700 and standard deviation sqrt(1400).
    """
    shifts = torch.tensor(SHIFTS).to(x)
    k = (x.mean(1, keepdim=True) - shifts).abs().argmin(1)
    square = (x - shifts[k][:, None]).square().sum(1)
    bound = NOISE_BOUND * math.sqrt(2 * NOISY)
    return torch.where((square - NOISY).abs() <= bound, k, -1)


def veegan_1200() -> Outline:
    """Returns `veegan-1200`: ten 700-D Gaussians in 1200 dimensions, without a density."""
    singular = "The last 500 coordinates are equal: the law has no density in 1200 dimensions."
    card = Card(
        summary="One of ten 700-dimensional Gaussians of sd 1, embedded in 1200 dimensions.",
        source="constants as in the code of PacGAN, arXiv:1712.04086",
        citation=VEEGAN,
        pitfalls="Three of the ten centres are 0.25 apart from a neighbour in each coordinate, "
        "a distance of 8.7 in all. No model has a finite likelihood for it in the limit. The "
        "papers do not say how they count high quality; here it is by the chi-square law of a "
        "mode's points.",
    )
    task = Task(
        name="veegan-1200",
        version=2,  # 1 had 10,000 training rows
        domain=Domain((NOISY + FLAT,)),
        kind="vector",
        draw=veegan_1200_draw,
        modes=Modes(len(SHIFTS), veegan_1200_assign),
        primary="mmd",
        refuses={**KNOWN_LAW, "nll": singular, "kl_to_truth": singular},
        card=card,
    )
    return drawn(task, veegan_1200_draw)
