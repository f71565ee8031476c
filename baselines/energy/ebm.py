r"""Energy-based model trained with Langevin dynamics and a replay buffer.

Du & Mordatch, Implicit Generation and Modeling with Energy-Based Models, NeurIPS 2019,
arXiv:1903.08689. The density is p(x) = exp(-E(x)) / Z with Z unknown. Negatives follow Langevin
dynamics (eq. 1), which start from a buffer of earlier negatives, and the gradient of the negative
log-likelihood is a difference of two energies (eq. 2):

    x <- x - (step / 2) grad E(x) + w,   w ~ N(0, step)
    grad L = E_{data}[grad E(x)] - E_{negatives}[grad E(x)].

Algorithm 1 adds the squares of both energies, with a small weight, which bounds them. Data are
blurred a little, as by Nijkamp et al. (arXiv:1903.12370): discrete dynamics cannot follow a
density narrower than their own noise, and the energies would run away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..nets.mlp import MLP
from ..nets.waves import Waves
from ..streams import Joined
from ..training import NeuralModel


def langevin(
    energy: Callable[[Tensor], Tensor],
    x: Tensor,
    step: float,
    steps: int,
    limit: float = math.inf,
) -> Tensor:
    """Runs unadjusted Langevin dynamics at temperature 1 (eq. 1).

    Args:
        energy: E, shape `(B, D)` to `(B,)`.
        x: Where the chains start, shape `(B, D)`.
        step: Variance of the noise, twice the step along the gradient.
        steps: Number of steps.
        limit: Most that the gradient may move a coordinate in one step.

    Returns:
        Where the chains end, shape `(B, D)`, without a graph.
    """
    x = x.detach()
    with torch.enable_grad():
        for _ in range(steps):
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(energy(x).sum(), x)
            drift = (0.5 * step * gradient).clamp(-limit, limit)
            x = x.detach() - drift + step**0.5 * torch.randn_like(x)
    return x.detach()


class EBM(NeuralModel):
    """A net as energy, on top of a standard Gaussian that keeps exp(-E) integrable.

    E(u) = f(u) + ||u||^2 / 2, where u are the coordinates of `Scaling` (integers dequantised) once
    more standardised by the training rows, so that one step suits pixels that hardly vary too. The
    likelihood is UNNORMALIZED: -E with all Jacobians but without log Z, of the density blurred
    by N(0, step / 2) in u.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of f.
        chain: Langevin steps of each negative a training step.
        step: Step of the dynamics, the variance of its noise.
        buffer: Number of negatives that are kept.
        restart: Share of the negatives that start from noise.
        decay: Weight of the squared energies.
        steps: Langevin steps of a sample, from noise.
        lr: Learning rate.
    """

    family = "energy"
    paper = "arXiv:1903.08689"
    likelihood = Likelihood.UNNORMALIZED
    half_life = 69.0
    samplers = ("langevin",)
    probe_arguments = frozenset({"steps"})

    mean: Tensor
    std: Tensor
    replay: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128),
        chain: int = 5,
        step: float = 0.01,
        buffer: int = 4096,
        restart: float = 0.05,
        decay: float = 0.01,
        steps: int = 200,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.chain, self.step, self.restart, self.decay = chain, step, restart, decay
        self.steps = steps
        waves = Waves(domain.dim)
        self.net = nn.Sequential(waves, MLP(waves.width, 1, hidden))
        self.register_buffer("mean", torch.zeros(domain.dim))
        self.register_buffer("std", torch.ones(domain.dim))
        self.register_buffer("replay", torch.randn(buffer, domain.dim))

    def prepare(self, task: TrainingTask) -> None:
        """Standardises by the training rows, and fills the buffer with noise."""
        super().prepare(task)
        if task.train is not None:
            mean, std = self.scaling.moments(task.train)
            self.mean.copy_(mean)
            self.std.copy_(std.clamp_min(1e-6))
        self.replay.normal_()

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields rows of train with as many negatives, drawn after the step before."""
        return Joined(super().batches(task, batch_size), self.negatives)

    def encode(self, x: Tensor) -> Tensor:
        """Returns u of points `(B, *shape)`: shape `(B, D)`."""
        return (self.scaling.encode(x).flatten(1) - self.mean) / self.std

    def blur(self, u: Tensor) -> Tensor:
        """Adds N(0, step / 2) to rows `(B, D)`."""
        return u + (self.step / 2) ** 0.5 * torch.randn_like(u)

    def energy(self, u: Tensor) -> Tensor:
        """Returns E(u), shape `(B, D)` to `(B,)`."""
        return self.net(u).squeeze(1) + 0.5 * u.square().sum(1)

    def run(self, u: Tensor, steps: int) -> Tensor:
        """Moves chains on from u, shape `(B, D)`; no drift is longer than twice the noise."""
        return langevin(self.energy, u, self.step, steps, limit=2 * self.step**0.5)

    def negatives(self, n: int) -> Tensor:
        """Moves n chains of the buffer on, a few of them restarted, and writes them back."""
        rows = torch.randperm(len(self.replay), device=self.device)[:n]
        n = len(rows)
        fresh = torch.rand(n, 1, device=self.device) < self.restart
        start = torch.where(fresh, self.noise(n), self.replay[rows])
        u = self.run(start, self.chain)
        self.replay[rows] = u
        return u

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Returns the contrastive loss of rows and negatives; its gradient is eq. 2."""
        rows, negatives = batch
        positive, negative = self.energy(self.blur(self.encode(rows))), self.energy(negatives)
        size = positive.square().mean() + negative.square().mean()
        return positive.mean() - negative.mean() + self.decay * size

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Runs Langevin dynamics from noise."""
        u = self.run(self.noise(n), steps or self.steps)
        return self.points(u * self.std + self.mean)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) + log Z in nats, shape `(B,)`; on integers at one dequantised point."""
        log_abs_det = self.scaling.log_abs_det - self.std.log().sum()
        return log_abs_det - self.energy(self.encode(x))
