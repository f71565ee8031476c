r"""The discrete Gaussian chain of denoising diffusion: marginals, steps back, samplers.

Ho, Jain & Abbeel 2020 (arXiv:2006.11239): q(x_t | x_0) = N(sqrt(a_t) x_0, (1 - a_t) I) with a_t
the product of 1 - beta_s up to t (eq. 4), t = 0 is data, t = T noise. Song, Meng & Ermon 2021
(arXiv:2010.02502) step from t to any s < t with eta times the noise (eqs. 12 and 16).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Normal

# Maps x_t `(B, D)` and steps `(B,)` to the guesses of x_0 and of the noise, each `(B, D)`.
Denoiser = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Chain(nn.Module):
    """The chain of a schedule.

    Args:
        beta: beta_1..beta_T, float64.
        variance: sigma_t^2 of a step back: "large" is beta_t, "small" the posterior's (eq. 7).

    Attributes:
        T: Number of steps.
        alpha_bar: a_0 = 1, a_1, ..., a_T; float64, for 1 - a_t is small.
    """

    alpha_bar: Tensor

    def __init__(self, beta: Tensor, variance: str = "large") -> None:
        super().__init__()
        if variance not in ("large", "small"):
            raise ValueError(f"Expected 'large' or 'small' as variance, got {variance!r}.")
        self.T, self.variance = len(beta), variance
        alpha_bar = (1 - beta).cumprod(0)
        self.register_buffer("alpha_bar", torch.cat([alpha_bar.new_ones(1), alpha_bar]))

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns sqrt(a_t) and sqrt(1 - a_t), each of shape `(B, 1)`, at steps t `(B,)`."""
        a = self.alpha_bar[t].unsqueeze(1)
        return a.sqrt().float(), (1 - a).sqrt().float()

    def marginal(self, data: Tensor, t: Tensor) -> Normal:
        """q(x_t | x_0) (eq. 4) for x_0 of shape `(B, D)` and t of shape `(B,)`."""
        a, b = self.rates(t)
        return Normal(a * data, b, validate_args=False)

    def posterior_variance(self, t: int, s: int) -> Tensor:
        """Variance of q(x_s | x_t, x_0), s < t: DDPM's eq. 7 at s = t - 1, DDIM's eq. 16."""
        a, b = self.alpha_bar[t], self.alpha_bar[s]
        return (1 - b) / (1 - a) * (1 - a / b)

    def step_variance(self, t: int, s: int) -> Tensor:
        """sigma_t^2 of the step back from t to s."""
        if self.variance == "small" and s > 0:
            return self.posterior_variance(t, s)
        return 1 - self.alpha_bar[t] / self.alpha_bar[s]

    def step_mean(self, data: Tensor, noise: Tensor, t: int, s: int, eta: float = 1.0) -> Tensor:
        """Mean of x_s in DDIM's eq. 12; at eta = 1 it is the mean of q(x_s | x_t, x_0)."""
        b = self.alpha_bar[s]
        rest = 1 - b - eta**2 * self.posterior_variance(t, s)
        return b.sqrt() * data + rest.clamp_min(0).sqrt() * noise

    def times(self, steps: int) -> list[int]:
        """Returns steps + 1 times from T down to 0, spread evenly.

        Raises:
            ValueError: There are not so many steps.
        """
        if not 1 <= steps <= self.T:
            raise ValueError(f"Expected 1 to {self.T} steps, got {steps}.")
        return torch.linspace(self.T, 0, steps + 1).round().long().tolist()

    def walk(self, x: Tensor, denoise: Denoiser, times: Sequence[int], eta: float) -> Tensor:
        """Steps from noise to data: algorithm 2 of DDPM at eta = 1, DDIM at eta = 0.

        Args:
            x: x_T, shape `(B, D)`.
            denoise: See `Denoiser`.
            times: From T down to 0.
            eta: Share of the noise of each step; the last adds none.
        """
        for t, s in pairwise(times):
            data, noise = denoise(x, torch.full((len(x),), t, device=x.device))
            x = self.step_mean(data, noise, t, s, eta)
            if s > 0 and eta > 0:
                x = x + eta * self.step_variance(t, s).sqrt() * torch.randn_like(x)
        return x
