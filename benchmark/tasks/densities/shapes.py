r"""Known densities with a difficulty of their own: a funnel, a banana, heavy tails.

    funnel      v ~ N(0, 3^2),  x_i | v ~ N(0, e^v)        Neal 2003, Slice sampling, section 8
    banana      u ~ N(0, 2^2),  x | u ~ N((u^2 - 4) / 2, 1)after Haario et al. 1999
    student-t   x = z / sqrt(g / nu),  z ~ N(0, I),  g ~ chi^2_nu,  nu = 3

All entropies are closed forms.
"""

from __future__ import annotations

import math

import torch
from scipy.special import digamma
from torch import Tensor
from torch.distributions import Chi2

from ...contract.task import Card
from ..outline import Outline
from .law import Law, law_task

LOG_2PI = math.log(2 * math.pi)


def normal_log_prob(x: Tensor, mean: Tensor | float, log_std: Tensor | float) -> Tensor:
    """Returns log N(x; mean, exp(log_std)^2) in nats, elementwise."""
    z = (x - mean) * torch.exp(-torch.as_tensor(log_std).to(x))
    return -0.5 * z.square() - log_std - 0.5 * LOG_2PI


class Funnel(Law):
    """Neal's funnel: the first coordinate is the log variance of all the others.

    Args:
        dim: Number D of coordinates.
    """

    scale = 3.0

    def __init__(self, dim: int = 10) -> None:
        self.dim = dim

    def sample(self, n: int) -> Tensor:
        v = self.scale * torch.randn(n, 1)
        return torch.cat([v, (v / 2).exp() * torch.randn(n, self.dim - 1)], 1)

    def log_prob(self, x: Tensor) -> Tensor:
        v, rest = x[:, :1], x[:, 1:]
        head = normal_log_prob(v[:, 0], 0.0, math.log(self.scale))
        return head + normal_log_prob(rest, 0.0, v / 2).sum(1)

    def entropy(self) -> float:
        """Of v, and of the others given v, whose log scale v / 2 is 0 on average."""
        return self.dim * (1 + LOG_2PI) / 2 + math.log(self.scale)


class Banana(Law):
    """A Gaussian bent along a parabola by a shear, which keeps volumes and so the entropy."""

    dim = 2
    scale = 2.0
    bend = 0.5

    def ridge(self, u: Tensor) -> Tensor:
        """Returns the mean of the second coordinate given the first."""
        return self.bend * (u.square() - self.scale**2)

    def sample(self, n: int) -> Tensor:
        u, eps = torch.randn(n, 2).unbind(1)
        u = self.scale * u
        return torch.stack([u, self.ridge(u) + eps], 1)

    def log_prob(self, x: Tensor) -> Tensor:
        u, y = x.unbind(1)
        return normal_log_prob(u, 0.0, math.log(self.scale)) + normal_log_prob(
            y, self.ridge(u), 0.0
        )

    def entropy(self) -> float:
        return 1 + LOG_2PI + math.log(self.scale)


class StudentT(Law):
    """Multivariate Student t with unit scale matrix.

    Args:
        dim: Number D of coordinates.
        df: Degrees of freedom nu; moments of order nu and above do not exist.
    """

    def __init__(self, dim: int = 2, df: float = 3.0) -> None:
        self.dim, self.df = dim, df
        half = (df + dim) / 2
        self.log_norm = (
            math.lgamma(half) - math.lgamma(df / 2) - dim / 2 * math.log(df * math.pi)
        )  # the density at 0

    def sample(self, n: int) -> Tensor:
        g = Chi2(torch.tensor(self.df)).sample((n, 1))
        return torch.randn(n, self.dim) * (self.df / g).sqrt()

    def log_prob(self, x: Tensor) -> Tensor:
        half = (self.df + self.dim) / 2
        return self.log_norm - half * torch.log1p(x.square().sum(1) / self.df)

    def entropy(self) -> float:
        """E[log(1 + x'x / nu)] is a difference of two digamma values."""
        half = (self.df + self.dim) / 2
        return float(half * (digamma(half) - digamma(self.df / 2)) - self.log_norm)


def funnel() -> Outline:
    """Returns `funnel`: D = 10."""
    card = Card(
        summary="Neal's funnel in 10 dimensions: scales from e^-5 to e^5 in one law.",
        citation="Neal 2003, Slice sampling, Annals of Statistics 31, section 8",
        pitfalls="The narrow neck holds half of the mass and no distance between samples sees it: "
        "read the NLL. Second moments are dominated by a few rows.",
    )
    heavy = "Fourth moments are e^9 times a Gaussian's of the same variance: no error bar settles."
    law = Funnel()
    return law_task(
        "funnel",
        law,
        card,
        refuses={"frechet_distance": heavy},
        log_reward=law.log_prob,
        log_z=0.0,
    )


def banana() -> Outline:
    """Returns `banana`."""
    card = Card(
        summary="A Gaussian bent along a parabola, in the plane.",
        citation="after Haario, Saksman & Tamminen 1999, Computational Statistics 14",
        pitfalls="Constants of the banana differ from paper to paper.",
    )
    return law_task("banana", Banana(), card)


def student_t() -> Outline:
    """Returns `student-t`: the plane, 3 degrees of freedom."""
    card = Card(
        summary="Student t with 3 degrees of freedom, in the plane.",
        citation="Kotz & Nadarajah 2004, Multivariate t Distributions and Their Applications",
        pitfalls="A flow with a Gaussian base has lighter tails than the data, whatever its depth "
        "(Jaini et al. 2020, arXiv:1907.04481).",
    )
    heavy = "Fourth moments do not exist, so its standard error does not either."
    return law_task("student-t", StudentT(), card, refuses={"frechet_distance": heavy})
