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

# Maps x_t `(B, D)`, steps t and the steps s < t that are gone back to, `(B,)`, to the guesses of
# x_0 and of the noise, and to the variance of the step from t to s, each `(B, D)` or `(B, 1)`.
Denoiser = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


class Chain(nn.Module):
    """The chain of a schedule; steps t and s are int64 `(B,)`, what comes of them `(B, 1)`.

    Args:
        beta: beta_1..beta_T, float64.

    Attributes:
        T: Number of steps.
        alpha_bar: a_0 = 1, a_1, ..., a_T; float64, for 1 - a_t is small.
    """

    alpha_bar: Tensor

    def __init__(self, beta: Tensor) -> None:
        super().__init__()
        self.T = len(beta)
        alpha_bar = (1 - beta).cumprod(0)
        self.register_buffer("alpha_bar", torch.cat([alpha_bar.new_ones(1), alpha_bar]))

    def at(self, t: Tensor) -> Tensor:
        """Returns a_t, float64."""
        return self.alpha_bar[t].unsqueeze(1)

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns sqrt(a_t) and sqrt(1 - a_t)."""
        a = self.at(t)
        return a.sqrt().float(), (1 - a).sqrt().float()

    def marginal(self, data: Tensor, t: Tensor) -> Normal:
        """q(x_t | x_0) (eq. 4) for x_0 of shape `(B, D)`."""
        a, b = self.rates(t)
        return Normal(a * data, b, validate_args=False)

    def step_variance(self, t: Tensor, s: Tensor) -> Tensor:
        """Variance of q(x_t | x_s): beta_t at s = t - 1; float64."""
        return 1 - self.at(t) / self.at(s)

    def posterior_variance(self, t: Tensor, s: Tensor) -> Tensor:
        """Variance of q(x_s | x_t, x_0): DDPM's eq. 7 at s = t - 1, DDIM's eq. 16; float64."""
        return (1 - self.at(s)) / (1 - self.at(t)) * self.step_variance(t, s)

    def weights(self, t: Tensor, s: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
        """Returns what x_0 and the noise in x_t weigh in the mean of x_s (DDIM's eq. 12).

        At eta = 1 the sum is the mean of q(x_s | x_t, x_0).
        """
        b = self.at(s)
        rest = 1 - b - eta**2 * self.posterior_variance(t, s)
        return b.sqrt().float(), rest.clamp_min(0).sqrt().float()

    def step_mean(
        self, data: Tensor, noise: Tensor, t: Tensor, s: Tensor, eta: float = 1.0
    ) -> Tensor:
        """Mean of x_s given guesses of x_0 and of the noise, each `(B, D)`."""
        of_data, of_noise = self.weights(t, s, eta)
        return of_data * data + of_noise * noise

    def slip(self, t: Tensor, s: Tensor) -> Tensor:
        """How far an error of 1 in the guessed noise moves the mean of x_s; float64.

        The guess of x_0 moves with it: x_0 = (x_t - sqrt(1 - a_t) e) / sqrt(a_t).
        """
        a, b = self.at(t), self.at(s)
        rest = (1 - b - self.posterior_variance(t, s)).clamp_min(0).sqrt()
        return rest - (b * (1 - a) / a).sqrt()

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
        for now, then in pairwise(times):
            t, s = (torch.full((len(x),), k, device=x.device) for k in (now, then))
            data, noise, variance = denoise(x, t, s)
            x = self.step_mean(data, noise, t, s, eta)
            if then > 0 and eta > 0:
                x = x + eta * variance.sqrt() * torch.randn_like(x)
        return x
