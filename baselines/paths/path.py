r"""Gaussian paths between data and noise.

A path is x_t = alpha(t) x + sigma(t) e of a data point x and noise e ~ N(0, I); its velocity is
d x_t / dt = alpha'(t) x + sigma'(t) e (Lipman et al. 2023, arXiv:2210.02747, eqs. 10 and 14; Song
et al. 2021, arXiv:2011.13456, eq. 29). Each path says at which end of [0, 1] its data are.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Path(ABC):
    """The coefficients of x_t, and their derivatives; each maps times `(B,)` to `(B,)`."""

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """Returns the weight of the data."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Returns the weight of the noise."""

    @abstractmethod
    def d_alpha(self, t: Tensor) -> Tensor:
        """Returns the derivative of `alpha`."""

    @abstractmethod
    def d_sigma(self, t: Tensor) -> Tensor:
        """Returns the derivative of `sigma`."""

    def point(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Returns x_t, shape `(B, D)`, of data and noise `(B, D)` at times `(B,)`."""
        return self.alpha(t)[:, None] * data + self.sigma(t)[:, None] * noise

    def velocity(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Returns d x_t / dt, shapes as in `point`."""
        return self.d_alpha(t)[:, None] * data + self.d_sigma(t)[:, None] * noise


class Straight(Path):
    """A straight line from noise at t = 0 to data at t = 1 (Lipman et al. 2023, eq. 22).

    Args:
        sigma_min: Standard deviation of the noise that is left at the data.
    """

    def __init__(self, sigma_min: float = 0.0) -> None:
        self.sigma_min = sigma_min

    def alpha(self, t: Tensor) -> Tensor:
        return t

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - (1 - self.sigma_min) * t

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return torch.full_like(t, self.sigma_min - 1)


class VariancePreserving(Path):
    """Data at t = 0, noise at t = 1, alpha^2 + sigma^2 = 1 (Song et al. 2021, eqs. 11 and 33).

    The noise rate beta(t) rises linearly; log alpha = -t^2 (b - a) / 4 - t a / 2.

    Args:
        low: a = beta(0).
        high: b = beta(1).
    """

    def __init__(self, low: float = 0.1, high: float = 20.0) -> None:
        self.low, self.high = low, high

    def alpha(self, t: Tensor) -> Tensor:
        return (-0.25 * t**2 * (self.high - self.low) - 0.5 * t * self.low).exp()

    def sigma(self, t: Tensor) -> Tensor:
        return (-torch.expm1(2 * self.alpha(t).log())).sqrt()

    def d_alpha(self, t: Tensor) -> Tensor:
        return -0.5 * (self.low + t * (self.high - self.low)) * self.alpha(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -self.alpha(t) * self.d_alpha(t) / self.sigma(t)


class VarianceExploding(Path):
    """Data at t = 0, and noise added whose scale rises geometrically (Song et al., eq. 31).

    Args:
        low: Scale at t = 0.
        high: Scale at t = 1.
    """

    def __init__(self, low: float = 0.01, high: float = 50.0) -> None:
        self.low, self.high = low, high

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return self.low * (self.high / self.low) ** t

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.zeros_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return self.sigma(t) * math.log(self.high / self.low)


class Growing(Path):
    """Noise added whose scale is the time itself (Karras et al. 2022, arXiv:2206.00364, table 1).

    The probability flow dx/dsigma = e then turns least, so that its solvers err least.

    Args:
        high: Scale at t = 1; sigma(t) = t high.
    """

    def __init__(self, high: float = 80.0) -> None:
        self.high = high

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return self.high * t

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.zeros_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return torch.full_like(t, self.high)


def linear_schedule(T: int) -> Tensor:
    """beta_1..beta_T rising from 0.1/T to 20/T: section 4 of DDPM's 1e-4..0.02 at T = 1000."""
    return torch.linspace(0.1 / T, 20 / T, T, dtype=torch.double).clamp_max(0.999)


def cosine_schedule(T: int) -> Tensor:
    """beta_1..beta_T of Nichol & Dhariwal 2021 (arXiv:2102.09672, eq. 17)."""
    time = torch.arange(T + 1, dtype=torch.double) / T
    f = torch.cos((time + 0.008) / 1.008 * math.pi / 2).square()
    return (1 - f[1:] / f[:-1]).clamp_max(0.999)


SCHEDULES = {"linear": linear_schedule, "cosine": cosine_schedule}
