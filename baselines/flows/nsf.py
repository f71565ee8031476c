r"""Neural spline flow with coupling layers.

Durkan, Bekasov, Murray & Papamakarios, Neural Spline Flows, NeurIPS 2019, arXiv:1906.04032.

An invertible net f from data to noise z ~ N(0, I) has the density (eq. 2)

    log p(x) = log N(f(x); 0, I) + log |det df/dx|,

and is a chain of coupling layers, whose map of one coordinate is a rational-quadratic spline with
linear tails (`flows/splines.py`), and of LU-decomposed linear layers between them (section 3.2).
On images they are convolutions at several scales (section 5.3, `flows/images.py`).

Integers are dequantised, and the bound is tightened by K draws (`dequantise`).
"""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor, nn

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..chunks import in_chunks
from ..dequantise import bound, said
from ..nets.roles import has_images
from ..training import NeuralModel
from .coupling import Affine, Chain, LULinear, SplineCoupling
from .images import MultiScale


class NSF(NeuralModel):
    """Coupling flow with rational-quadratic splines.

    Args:
        domain: What one point is.
        transforms: Coupling layers; on images those of each scale.
        width: Width of the residual nets of the couplings; on images their channels.
        blocks: Blocks of those nets.
        bins: Bins of a spline.
        bound: The splines live on [-bound, bound] of standardised coordinates.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
    """

    family = "flow"
    paper = "arXiv:1906.04032"
    network = "flow"
    selects_on_val = True
    probe_arguments = frozenset({"particles"})

    def __init__(
        self,
        domain: Domain,
        transforms: int = 4,
        width: int = 64,
        blocks: int = 2,
        bins: int = 8,
        bound: float = 4.0,
        particles: int = 16,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.likelihood = Likelihood.EXACT if domain.levels is None else Likelihood.LOWER_BOUND
        self.particles = particles
        D = domain.dim
        self.entry = Affine(D)
        layers: list[nn.Module] = [self.entry]
        if has_images(domain) and all(side % 2 == 0 for side in domain.shape[1:]):
            layers.append(MultiScale(domain.shape, transforms, width, blocks, bins, bound))
        else:
            for _ in range(transforms):
                layers += [LULinear(D), SplineCoupling(D, width, blocks, bins, bound)]
        self.flow = Chain(layers)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "a density needs numbers, and names are none" if domain.is_nominal else None

    def prepare(self, task: TrainingTask) -> None:
        super().prepare(task)
        if task.train is not None:
            self.entry.fit(*self.scaling.moments(task.train))

    def log_density(self, y: Tensor) -> Tensor:
        """Returns log p(y) in nats, shape `(B,)`, for scaled coordinates `(B, *shape)`."""
        z, log_det = self.flow(y.flatten(1))
        log_base = -0.5 * (z.square().sum(1) + self.domain.dim * math.log(2 * math.pi))
        return log_base + log_det

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative log-likelihood, or its bound, in nats a row of `(B, *shape)`."""
        return -(self.log_density(self.scaling.encode(batch)).mean() + self.scaling.log_abs_det)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x), on integers a bound from K draws of u, in nats, shape `(B,)`."""
        K = self._draws(draws)
        f = partial(bound, self.log_density, self.scaling.encode, K=K)
        return in_chunks(f, x, K * self.domain.dim, numbers=2**19) + self.scaling.log_abs_det

    def estimator(self, draws: int | None = None) -> str:
        return "exact" if self.domain.levels is None else said(self._draws(draws))

    def _draws(self, draws: int | None) -> int:
        return 1 if self.domain.levels is None else draws or self.particles

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.flow(self.noise(n), inverse=True)[0])
