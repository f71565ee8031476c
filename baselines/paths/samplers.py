r"""Samplers of diffusion: pure functions of a path and of a guess of the data.

All step through times t_0 > ... > t_N from noise to data, given the guess x^ = E[x | x_t] and with
it the guess of the noise e^ = (x_t - alpha x^) / sigma.

| name | step from t to s | source |
|---|---|---|
| ancestral | mean and variance of q(x_s given x_t, x^) | Ho et al. 2020, arXiv:2006.11239, eq. 7 |
| ddim | alpha_s x^ + sigma_s e^ | Song et al. 2021, arXiv:2010.02502, eq. 12 |
| euler, heun | of dx/dt = alpha' x^ + sigma' e^ | Karras et al. 2022, arXiv:2206.00364, alg. 1 |
| dpm++ | second order in log(alpha / sigma), the last guess kept | arXiv:2211.01095, alg. 2 |
| pc | ancestral, then a Langevin step | Song et al. 2021, arXiv:2011.13456, alg. 1 |

Each evaluates the guess once a step, heun and pc twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from .path import Path

# Maps x_t `(B, D)` and times `(B,)` to the guess of the data `(B, D)`.
Guess = Callable[[Tensor, Tensor], Tensor]
SNR = 0.16  # signal to noise of a corrector's step (arXiv:2011.13456, appendix G)


def sample(
    name: str, path: Path, guess: Guess, x: Tensor, times: Sequence[float] | Tensor
) -> Tensor:
    """Carries points from the first time to the last.

    Args:
        name: A key of `SAMPLERS`.
        path: The path; data are at its smaller times.
        guess: See `Guess`.
        x: Points at the first time, shape `(B, D)`.
        times: From noise to data, strictly falling.

    Returns:
        Points at the last time, shape `(B, D)`.

    Raises:
        ValueError: There is no sampler of that name, or there are fewer than two times.
    """
    if name not in SAMPLERS:
        raise ValueError(f"Expected one of {', '.join(SAMPLERS)} as sampler, got {name!r}.")
    if len(times) < 2:
        raise ValueError(f"Expected at least two times, got {len(times)}.")
    return SAMPLERS[name](path, guess, x, [float(t) for t in times])


def velocity(path: Path, guess: Guess, x: Tensor, t: Tensor) -> Tensor:
    """Returns dx/dt of the probability flow at times `(B,)`, shape `(B, D)`."""
    data = guess(x, t)
    noise = (x - path.alpha(t)[:, None] * data) / path.sigma(t)[:, None]
    return path.velocity(data, noise, t)


def ddim(path: Path, guess: Guess, x: Tensor, times: Sequence[float]) -> Tensor:
    """Keeps the guesses of data and of noise on the way."""
    for t, s in _pairs(x, times):
        data = guess(x, t)
        noise = (x - path.alpha(t)[:, None] * data) / path.sigma(t)[:, None]
        x = path.point(data, noise, s)
    return x


def ancestral(path: Path, guess: Guess, x: Tensor, times: Sequence[float]) -> Tensor:
    """Draws x_s from its law given x_t and the guess; the last step adds no noise."""
    for k, (t, s) in enumerate(_pairs(x, times), 2):
        mean, variance = back(path, x, guess(x, t), t, s)
        x = mean if k == len(times) else mean + variance.sqrt() * torch.randn_like(x)
    return x


def back(path: Path, x: Tensor, data: Tensor, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean `(B, D)` and variance `(B, 1)` of q(x_s | x_t, data) of a Gaussian path."""
    a_t, a_s = path.alpha(t)[:, None], path.alpha(s)[:, None]
    v_t, v_s = path.sigma(t)[:, None].square(), path.sigma(s)[:, None].square()
    step = v_t - (a_t / a_s).square() * v_s  # variance of q(x_t | x_s)
    mean = (a_t / a_s) * v_s / v_t * x + a_s * step / v_t * data
    return mean, step * v_s / v_t


def euler(path: Path, guess: Guess, x: Tensor, times: Sequence[float]) -> Tensor:
    """Steps along the probability flow."""
    for t, s in _pairs(x, times):
        x = x + (s - t)[:, None] * velocity(path, guess, x, t)
    return x


def heun(path: Path, guess: Guess, x: Tensor, times: Sequence[float]) -> Tensor:
    """Euler's step, corrected by the slope at its end; the last step is Euler's."""
    for k, (t, s) in enumerate(_pairs(x, times), 2):
        slope, gap = velocity(path, guess, x, t), (s - t)[:, None]
        y = x + gap * slope
        if k < len(times):
            y = x + gap * (slope + velocity(path, guess, y, s)) / 2
        x = y
    return x


def dpm_solver(path: Path, guess: Guess, x: Tensor, times: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M): the change of the guess is carried on from the step before."""
    before, last = x.new_zeros(0), x.new_zeros(0)
    for k, (t, s) in enumerate(_pairs(x, times)):
        data = guess(x, t)
        h = _half_log_snr(path, s) - _half_log_snr(path, t)
        used = data
        # The last step, to where the noise ends, is of first order (section 3.4 there).
        if 0 < k < len(times) - 2:
            ratio = last / h
            used = (1 + 0.5 / ratio) * data - 0.5 / ratio * before
        scale = (path.sigma(s) / path.sigma(t))[:, None]
        x = scale * x - path.alpha(s)[:, None] * torch.expm1(-h) * used
        before, last = data, h
    return x


def predictor_corrector(path: Path, guess: Guess, x: Tensor, times: Sequence[float]) -> Tensor:
    """Ancestral steps, after each a step of Langevin dynamics at the level that it reached."""
    for k, (t, s) in enumerate(_pairs(x, times), 2):
        mean, variance = back(path, x, guess(x, t), t, s)
        if k == len(times):
            return mean
        x = mean + variance.sqrt() * torch.randn_like(x)
        sigma = path.sigma(s)[:, None]
        score = (path.alpha(s)[:, None] * guess(x, s) - x) / sigma.square()
        e = torch.randn_like(x)
        step = 2 * (SNR * e.norm(dim=1).mean() / score.norm(dim=1).mean()).square()
        x = x + step * score + (2 * step).sqrt() * e
    return x


def _half_log_snr(path: Path, t: Tensor) -> Tensor:
    """Returns log(alpha / sigma), shape `(B, 1)`."""
    return (path.alpha(t) / path.sigma(t)).log()[:, None]


def _pairs(x: Tensor, times: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
    """Returns the times of each step as tensors `(B,)`."""
    full = [x.new_full((len(x),), t) for t in times]
    return list(pairwise(full))


SAMPLERS: dict[str, Callable[[Path, Guess, Tensor, Sequence[float]], Tensor]] = {
    "ancestral": ancestral,
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "dpm++": dpm_solver,
    "pc": predictor_corrector,
}
