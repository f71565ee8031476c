r"""What flows share: an invertible map of data to noise gives a density.

Rezende & Mohamed, Variational Inference with Normalizing Flows, ICML 2015, arXiv:1505.05770. With
f from data to noise z ~ N(0, I),

    log p(x) = log N(f(x); 0, I) + log |det df/dx|.

Integers are dequantised, and the bound is tightened by K draws (`dequantise`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..chunks import in_chunks
from ..dequantise import said
from ..dequantisers import Dequantised, dequantiser
from .coupling import Affine, Chain

FIRST = 512  # rows by which the affine layers within a chain are set


class Flow(Dequantised):
    """A chain of invertible layers behind one that standardises; a member names the layers.

    Args:
        domain: What one point is.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: How integers become real: "uniform", "logit" or "variational".
    """

    family = "flow"
    network = "flow"
    selects_on_val = True
    probe_arguments = frozenset({"particles"})
    flow: Chain

    def __init__(
        self, domain: Domain, particles: int, lr: float, dequantisation: str = "uniform"
    ) -> None:
        super().__init__(domain, lr)
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=True)
        self.likelihood = Likelihood.EXACT if domain.levels is None else Likelihood.LOWER_BOUND
        self.particles = particles
        self.entry = Affine(domain.dim)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "a density needs numbers, and names are none" if domain.is_nominal else None

    def chain(self, layers: Sequence[nn.Module]) -> Chain:
        """Returns the layers behind the one that standardises, data to noise, on `(B, D)`."""
        return Chain([self.entry, *layers])

    def prepare(self, task: TrainingTask) -> None:
        super().prepare(task)
        if task.train is not None:
            self.entry.fit(*self.dequantiser.moments(task.train))
            self._normalise(task.train)

    @torch.no_grad()
    def _normalise(self, train: Tensor) -> None:
        """Sets the affine layers within the chain by rows that come to them, one after another."""
        inner = [m for m in self.flow.modules() if isinstance(m, Affine) and m is not self.entry]
        if not inner:
            return
        rows = train[:: max(1, len(train) // FIRST)][:FIRST].to(self.device)
        hooks = [
            layer.register_forward_pre_hook(lambda layer, given: layer.fit_rows(given[0]))
            for layer in inner
        ]
        self.flow(self.dequantiser(rows)[0].flatten(1))
        for hook in hooks:
            hook.remove()

    def log_density(self, y: Tensor) -> Tensor:
        """Returns log p(y) in nats, shape `(B,)`, for scaled coordinates `(B, *shape)`."""
        z, log_det = self.flow(y.flatten(1))
        log_base = -0.5 * (z.square().sum(1) + self.domain.dim * math.log(2 * math.pi))
        return log_base + log_det

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative log-likelihood, or its bound, in nats a row of `(B, *shape)`."""
        y, w = self.dequantiser(batch)
        return -(self.log_density(y).mean() + w.mean())

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x), on integers a bound from K draws of u, in nats, shape `(B,)`."""
        K = self._draws(draws)
        f = partial(self.dequantiser.bound, self.log_density, K=K)
        return in_chunks(f, x, K * self.domain.dim, numbers=2**19)

    def estimator(self, draws: int | None = None) -> str:
        return "exact" if self.domain.levels is None else said(self._draws(draws))

    def _draws(self, draws: int | None) -> int:
        return 1 if self.domain.levels is None else draws or self.particles

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.flow(self.noise(n), inverse=True)[0])
