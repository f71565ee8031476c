r"""Laws p(x_d | theta_d) of one coordinate of a domain, given the numbers that a net puts out.

| domain | law |
|---|---|
| real | Gaussian with a learnt scale, or a mixture of Gaussians |
| 2 levels | Bernoulli |
| up to 32 levels | categorical |
| more, ordered | mixture of discretised logistics (Salimans et al., arXiv:1701.05517, eq. 2) |

Every law is on the points themselves, so that log-probabilities are those of the data: of
unstandardised real values, and of integers without dequantisation.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from .scaling import Scaling

# The law of a standardised real coordinate is no narrower: on data with ties the likelihood has no
# maximum without a floor.
MIN_SCALE = 1e-3
EVERY = slice(None)


class Observation(nn.Module, ABC):
    """A law of each coordinate, with all coordinates independent given the parameters.

    Attributes:
        width: Parameters P that a coordinate takes.
    """

    width: int

    @abstractmethod
    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Returns log p(x_d | theta_d) in nats.

        Args:
            theta: Parameters, shape `(..., D, P)`.
            x: Flattened points, shape `(..., D)`.

        Returns:
            Shape `(..., D)`.
        """

    @abstractmethod
    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        """Draws coordinates.

        Args:
            theta: Parameters of the coordinates `at`, shape `(..., d, P)`.
            at: Which coordinates these are.

        Returns:
            Shape `(..., d)`.
        """


class Gaussian(Observation):
    """N(theta_d, s_d^2) in standardised coordinates; s_d is a parameter, not an output of the net.

    A scale that depends on the latent lets the likelihood of a VAE grow without bound (Mattei &
    Frellsen 2018, arXiv:1802.04826). It starts small: at 1 the data are noise around their mean
    and the posterior collapses at once.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling
        self.width = 1
        self.log_scale = nn.Parameter(torch.full((scaling.domain.dim,), -2.0))

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        shift, scale = self.scaling.shift.flatten(), self.scaling.scale.flatten()
        s = self.log_scale.exp() + MIN_SCALE
        return _log_normal((x - shift) / scale, theta.squeeze(-1), s) - scale.log()

    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        shift, scale = self.scaling.shift.flatten()[at], self.scaling.scale.flatten()[at]
        mean, s = theta.squeeze(-1), self.log_scale[at].exp() + MIN_SCALE
        return (mean + s * torch.randn_like(mean)) * scale + shift


class GaussianMixture(Observation):
    """Mixture of Gaussians in standardised coordinates.

    Args:
        scaling: The scaling of the domain.
        components: Components of the mixture.
    """

    def __init__(self, scaling: Scaling, components: int) -> None:
        super().__init__()
        self.scaling = scaling
        self.width = 3 * components

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        shift, scale = self.scaling.shift.flatten(), self.scaling.scale.flatten()
        logits, mean, s = _mixture(theta)
        y = ((x - shift) / scale).unsqueeze(-1)
        log_joint = _log_softmax(logits) + _log_normal(y, mean, s)
        return log_joint.logsumexp(-1) - scale.log()

    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        shift, scale = self.scaling.shift.flatten()[at], self.scaling.scale.flatten()[at]
        mean, s = _component(theta)
        return (mean + s * torch.randn_like(mean)) * scale + shift


class Bernoulli(Observation):
    """P(x_d = 1) = sigmoid(theta_d)."""

    width = 1

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        sign = 2 * x.to(theta.dtype) - 1
        return functional.logsigmoid(sign * theta.squeeze(-1))

    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        return theta.squeeze(-1).sigmoid().bernoulli().long()


class Categorical(Observation):
    """P(x_d = k) = softmax(theta_d)_k.

    Args:
        levels: Number K of levels.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.width = levels

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        index = x.long().expand(theta.shape[:-1]).unsqueeze(-1)
        return theta.gather(-1, index).squeeze(-1) - theta.logsumexp(-1)

    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        return _categorical(theta)


class DiscretizedLogisticMixture(Observation):
    """Mixture of logistics on [-1, 1], each integrated over the cells of the K levels.

    The outermost cells reach to infinity, so that the levels' probabilities sum to 1.

    Args:
        levels: Number K of levels.
        components: Components of the mixture.
    """

    def __init__(self, levels: int, components: int) -> None:
        super().__init__()
        self.levels = levels
        self.width = 3 * components

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        logits, mean, s = _mixture(theta)
        half = 1 / (self.levels - 1)
        x = x.unsqueeze(-1)
        y = 2 * half * x.to(theta.dtype) - 1
        upper, lower = (y + half - mean) / s, (y - half - mean) / s
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), without cancellation;
        # the factors of a cell's edge drop out where that edge is at infinity.
        below, above = x > 0, x < self.levels - 1
        inside = torch.log(-torch.expm1(-2 * half / s))
        log_cell = functional.logsigmoid(upper) * above + functional.logsigmoid(-lower) * below
        log_cell = log_cell + inside * (above & below)
        return (_log_softmax(logits) + log_cell).logsumexp(-1)

    def sample(self, theta: Tensor, at: slice = EVERY) -> Tensor:
        mean, s = _component(theta)
        u = torch.rand_like(mean).clamp(1e-7, 1 - 1e-7)
        y = mean + s * (u.log() - (-u).log1p())
        return ((y + 1) * (self.levels - 1) / 2).round().clamp(0, self.levels - 1).long()


def observation(scaling: Scaling, components: int = 1) -> Observation:
    """Returns the law that suits a domain.

    Args:
        scaling: The scaling of the domain.
        components: Components of the mixture on real values and on more than 32 ordered levels;
            1 on real values is a Gaussian whose scale is a parameter.
    """
    levels, ordered = scaling.domain.levels, scaling.domain.ordered
    if levels is None:
        return GaussianMixture(scaling, components) if components > 1 else Gaussian(scaling)
    if levels == 2:
        return Bernoulli()
    if levels <= 32 or not ordered:
        return Categorical(levels)
    return DiscretizedLogisticMixture(levels, components)


def _log_normal(y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return -0.5 * ((y - mean) / scale).square() - scale.log() - 0.5 * math.log(2 * math.pi)


def _mixture(theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Splits `(..., 3 M)` into logits, means and scales `(..., M)`."""
    # Components first in memory: over a short last axis softmax takes several times as long.
    first = theta.unflatten(-1, (3, -1)).movedim(-1, 0).contiguous()
    logits, mean, log_scale = first.movedim(0, -1).unbind(-2)
    # Means start apart, over the range of centred data; components that start alike stay alike.
    M = mean.shape[-1]
    spread = torch.linspace(-1.0, 1.0, M) if M > 1 else torch.zeros(1)
    scale = functional.softplus(log_scale) + MIN_SCALE
    return logits, mean + spread.to(mean), scale


def _component(theta: Tensor) -> tuple[Tensor, Tensor]:
    """Draws a component of each mixture; returns its mean and scale, shape `(..., D)`."""
    logits, mean, scale = _mixture(theta)
    k = _categorical(logits).unsqueeze(-1)
    return mean.gather(-1, k).squeeze(-1), scale.gather(-1, k).squeeze(-1)


def _categorical(logits: Tensor) -> Tensor:
    """Draws indices `(...)` by the Gumbel-max trick."""
    gumbel = -torch.empty_like(logits).exponential_().clamp_min(1e-30).log()
    return (logits + gumbel).argmax(-1)


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.movedim(-1, 0).log_softmax(0).movedim(0, -1)
