r"""What a net predicts of a point on a path, and the other predictions that follow from it.

With x_t = alpha x + sigma e and its velocity v = alpha' x + sigma' e, each of data x, noise e and
velocity v gives the two others. Where alpha or the determinant alpha sigma' - alpha' sigma is 0
the conversion has no solution, and what it divides by is 0.

EDM preconditions a net F so that its inputs and targets have unit variance at every noise level
(Karras et al. 2022, arXiv:2206.00364, table 1):

    D(x; sigma) = c_skip x + c_out F(c_in x; c_noise).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Rates(NamedTuple):
    """The coefficients of a path at some times, each of a shape that broadcasts with points."""

    alpha: Tensor
    sigma: Tensor
    d_alpha: Tensor
    d_sigma: Tensor


def data_of_noise(x: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """Returns the data behind x_t when its noise is known."""
    return (x - sigma * noise) / alpha


def noise_of_data(x: Tensor, data: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """Returns the noise in x_t when its data are known."""
    return (x - alpha * data) / sigma


def velocity_of_data(x: Tensor, data: Tensor, rates: Rates) -> Tensor:
    """Returns the velocity at x_t when its data are known."""
    noise = noise_of_data(x, data, rates.alpha, rates.sigma)
    return rates.d_alpha * data + rates.d_sigma * noise


def data_of_velocity(x: Tensor, velocity: Tensor, rates: Rates) -> Tensor:
    """Returns the data behind x_t when its velocity is known."""
    determinant = rates.alpha * rates.d_sigma - rates.d_alpha * rates.sigma
    return (rates.d_sigma * x - rates.sigma * velocity) / determinant


def score_of_noise(noise: Tensor, sigma: Tensor) -> Tensor:
    """Returns the score of p(x_t) when the mean of the noise given x_t is known."""
    return -noise / sigma


class Preconditioning(NamedTuple):
    """EDM's coefficients, each of the shape of sigma."""

    skip: Tensor
    out: Tensor
    into: Tensor
    noise: Tensor


def preconditioning(sigma: Tensor, sigma_data: float | Tensor = 0.5) -> Preconditioning:
    """Returns EDM's c_skip, c_out, c_in and c_noise.

    Args:
        sigma: Noise level.
        sigma_data: Standard deviation of the data.
    """
    total = sigma**2 + sigma_data**2
    return Preconditioning(
        skip=sigma_data**2 / total,
        out=sigma * sigma_data / total.sqrt(),
        into=1 / total.sqrt(),
        noise=sigma.log() / 4,
    )


def independent(data: Tensor) -> Tensor:
    """Draws the noise of each data point by itself: the coupling of all papers before OT-CFM."""
    return torch.randn_like(data)
