r"""Annealed importance sampling: log-normalisers, bounded from both sides.

Neal, Annealed importance sampling, Statistics and Computing 11 (2001), arXiv:physics/9803008;
Grosse, Ghahramani & Adams, Sandwiching the marginal likelihood using bidirectional Monte Carlo,
2015, arXiv:1511.02543; Wu, Burda, Salakhutdinov & Grosse, On the Quantitative Analysis of
Decoder-Based Generative Models, ICLR 2017, arXiv:1611.04273.

Between a base b, which is normalised, and an unnormalised target f with normaliser Z lies the path

    f_t(z) = b(z)^(1 - beta_t) f(z)^(beta_t),     0 = beta_0 < ... < beta_T = 1.

A forward chain starts with z_0 ~ b and moves by kernels that leave f_t invariant; with

    log w = sum_t (beta_t - beta_{t-1}) (log f(z_{t-1}) - log b(z_{t-1}))

E w = Z, so that E log(mean of w over chains) <= log Z. A reverse chain starts with an exact draw
of f / Z and moves towards b; its weights have E 1/w = 1/Z, so that -log(mean of 1/w) is at least
log Z in expectation. With b the prior of a decoder and f(z) = p(z) p(x | z), Z is the marginal
likelihood p(x). An exact draw of p(z | x) is known where x itself was drawn from the model: there
the gap of the two bounds certifies both (bidirectional Monte Carlo).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..estimate import Estimate
from .schedules import checked_schedule
from .transitions import HMC, LogDensity, Transition


@dataclass(frozen=True)
class Annealed:
    """What chains along a path say of the log-normalisers of B problems.

    Attributes:
        log_weight: Log weights of the chains in nats, float64, shape `(C, B)`.
        reverse: Whether the chains ran from the target to the base.
        acceptance: Mean acceptance over the path, shape `(B,)`; None where nothing is rejected.
        points: Where the chains ended, shape `(C, B, *shape)`.
    """

    log_weight: Tensor
    reverse: bool = False
    acceptance: Tensor | None = None
    points: Tensor | None = None

    @property
    def value(self) -> Tensor:
        """Log Z in nats, shape `(B,)`: in expectation at most (in reverse at least) the truth."""
        sign = -1 if self.reverse else 1
        chains = len(self.log_weight)
        return sign * ((sign * self.log_weight).logsumexp(0) - math.log(chains))

    @property
    def stderr(self) -> Tensor:
        """Standard error of `value` from the spread of the chains, shape `(B,)`; NaN for one."""
        share = self._shares()
        chains = len(share)
        if chains < 2:
            return torch.full_like(share[0], math.nan)
        return (chains * share).std(0) / math.sqrt(chains)

    @property
    def effective_chains(self) -> Tensor:
        """Effective sample size of the weights, between 1 and C, shape `(B,)`."""
        return 1 / self._shares().square().sum(0)

    @property
    def note(self) -> str:
        """What a reader must know; empty for nothing."""
        found = []
        if self.acceptance is not None:
            low, high = float(self.acceptance.min()), float(self.acceptance.max())
            if low < 0.1 or high > 0.99:
                found.append(f"acceptance between {low:.2f} and {high:.2f}")
        poor = int((self.effective_chains < 2).sum())
        if len(self.log_weight) > 2 and poor:
            found.append(f"one chain decides for {poor} of {self.log_weight.shape[1]} points")
        return "; ".join(found)

    def _shares(self) -> Tensor:
        return ((-1 if self.reverse else 1) * self.log_weight).softmax(0)

    def mean(self) -> Estimate:
        """The mean over problems in nats, with the standard error over them."""
        value = self.value
        error = float(value.std() / math.sqrt(len(value))) if len(value) > 1 else math.nan
        return Estimate(float(value.mean()), error, len(value), self.note)


def ais(
    log_base: LogDensity,
    log_target: LogDensity,
    start: Tensor,
    betas: Sequence[float],
    transition: Transition,
    *,
    reverse: bool = False,
) -> Annealed:
    """Anneals chains between a base and a target, many chains of many problems in one batch.

    Args:
        log_base: Log of the normalised base in nats.
        log_target: Log of the target in nats, without its normaliser.
        start: Exact draws of the base, or of the target in reverse, shape `(C, B, *shape)`; the
            pilots of the transition are the first of them.
        betas: The schedule, from 0 to 1.
        transition: The kernels.
        reverse: Whether to go from the target to the base.

    Returns:
        The log weights of all chains but the pilots. Time is T transitions and T evaluations of
        both densities.

    Raises:
        ValueError: A schedule that does not rise from 0 to 1; no chain beside the pilots; a
            density of another shape; or one that is NaN or +infinity, with the first chain and
            place where it is.
    """
    path = checked_schedule(betas)
    if start.ndim < 2 or not start[:1, :1].numel():
        raise ValueError(
            f"Expected start of shape (chains, problems, ...), got {tuple(start.shape)}."
        )
    if len(start) <= transition.pilots:
        raise ValueError(
            f"Expected more chains than the {transition.pilots} pilots, got {len(start)}."
        )
    path = path[::-1] if reverse else path
    z = start
    between = _Between(log_base, log_target, start.device)
    log_weight = torch.zeros(start.shape[:2], dtype=torch.float64, device=start.device)
    accepted, moves = torch.zeros(start.shape[1], device=start.device), 0
    for step, (before, beta) in enumerate(pairwise(path)):
        # A move and its weight come in the other order in reverse: the chain is the mirrored one.
        if not reverse:
            log_weight += (beta - before) * _ratio(log_base, log_target, z, beta, step)
        place = before if reverse else beta
        if 0 < place:  # in reverse a draw of the target stays one of the target
            z, rate = transition(z, place, between.at(place))
            if rate is not None:
                accepted, moves = accepted + rate, moves + 1
        if reverse:
            log_weight += (before - beta) * _ratio(log_base, log_target, z, beta, step)
    rate = accepted / moves if moves else None
    return Annealed(log_weight[transition.pilots :], reverse, rate, z[transition.pilots :])


class _Between:
    """The densities of a path, in nats up to a constant: one function, which its place moves.

    Args:
        log_base: Log of the base.
        log_target: Log of the target.
        device: Where the place is.
    """

    def __init__(self, log_base: LogDensity, log_target: LogDensity, device: torch.device) -> None:
        self.log_base, self.log_target = log_base, log_target
        self.beta = torch.zeros((), dtype=torch.float64, device=device)

    def at(self, beta: float) -> LogDensity:
        """Goes to a place of the path, and returns the density there."""
        self.beta.fill_(beta)
        return self if beta < 1 else self.log_target

    def __call__(self, z: Tensor) -> Tensor:
        return (1 - self.beta) * self.log_base(z) + self.beta * self.log_target(z)


def _ratio(
    log_base: LogDensity, log_target: LogDensity, z: Tensor, beta: float, step: int
) -> Tensor:
    """Log of target over base at the points, float64, shape `(C, B)`."""
    with torch.no_grad():
        sides = log_target(z).double(), log_base(z).double()
    for side in sides:
        if side.shape != z.shape[:2]:
            raise ValueError(
                f"Expected log-densities of shape {tuple(z.shape[:2])}, got {tuple(side.shape)}."
            )
    found = sides[0] - sides[1]
    wrong = found.isnan() | (found == math.inf)
    if wrong.any():
        chain, problem = (int(i) for i in wrong.nonzero()[0])
        raise ValueError(
            f"Expected log-densities that are no NaN and not +infinity, got "
            f"{float(found[chain, problem])} in chain {chain} of point {problem} at temperature "
            f"{beta:.4g} (step {step})."
        )
    return found


@dataclass(frozen=True)
class Sandwich:
    """Bounds from both sides of the log-normalisers of problems whose exact draws are known.

    Attributes:
        lower: Forward chains.
        upper: Reverse chains.
    """

    lower: Annealed
    upper: Annealed

    @property
    def gap(self) -> Estimate:
        """Mean of upper less lower in nats, with its standard error over problems."""
        apart = self.upper.value - self.lower.value
        error = float(apart.std() / math.sqrt(len(apart))) if len(apart) > 1 else math.nan
        notes = "; ".join(dict.fromkeys(filter(None, (self.lower.note, self.upper.note))))
        return Estimate(float(apart.mean()), error, len(apart), notes)


def sandwich(
    log_base: LogDensity,
    log_target: LogDensity,
    of_base: Tensor,
    of_target: Tensor,
    betas: Sequence[float],
    transition: Transition,
) -> Sandwich:
    """Bounds log Z from below and from above.

    Args:
        log_base: Log of the normalised base in nats.
        log_target: Log of the target in nats, without its normaliser.
        of_base: Exact draws of the base, shape `(C, B, *shape)`.
        of_target: Exact draws of the target, shape `(C', B, *shape)`; chains of one problem may
            start at the same draw.
        betas: The schedule, from 0 to 1.
        transition: The kernels; those of the reverse chains begin as the forward ones ended.

    Raises:
        ValueError: See `ais`.
    """
    lower = ais(log_base, log_target, of_base, betas, transition)
    upper = ais(log_base, log_target, of_target, betas, copy(transition), reverse=True)
    return Sandwich(lower, upper)


def bdmc(
    sample_prior: Callable[[int], Tensor],
    log_prior: LogDensity,
    simulate: Callable[[Tensor], Tensor],
    log_likelihood: Callable[[Tensor, Tensor], Tensor],
    *,
    points: int,
    chains: int = 16,
    betas: Sequence[float],
    transition: Transition | None = None,
) -> Sandwich:
    """Bidirectional Monte Carlo: how far AIS errs on data that the model itself makes.

    Args:
        sample_prior: Draws n latents, shape `(n, L)`.
        log_prior: Its log-density in nats, of `(C, B, L)`.
        simulate: Draws one point of p(x | z) for each latent `(B, L)`, shape `(B, *shape)`.
        log_likelihood: log p(x | z) in nats of x `(B, *shape)` and z `(C, B, L)`, shape `(C, B)`.
        points: Number B of points that are simulated.
        chains: Number C of chains of each that are weighted.
        betas: The schedule, from 0 to 1.
        transition: The kernels; None is `HMC()`.

    Returns:
        Both bounds; their gap bounds the error of either, in expectation.

    Raises:
        ValueError: See `ais`; or no point or chain.
    """
    if points < 1 or chains < 1:
        raise ValueError(f"Expected at least one point and chain, got {points} and {chains}.")
    kernel = transition or HMC()
    z = sample_prior(points)
    x, every = simulate(z), chains + kernel.pilots
    return sandwich(
        log_prior,
        lambda at: log_prior(at) + log_likelihood(x, at),
        sample_prior(every * points).reshape(every, *z.shape),
        z.expand(every, *z.shape),
        betas,
        kernel,
    )
