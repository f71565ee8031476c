r"""Energy-based model trained with Langevin dynamics and a replay buffer.

Du & Mordatch, Implicit Generation and Modeling with Energy-Based Models, NeurIPS 2019,
arXiv:1903.08689. The density is p(x) = exp(-E(x)) / Z with Z unknown. Negatives follow Langevin
dynamics (eq. 1, in `dynamics.py`), which start from a buffer of earlier negatives, and the
gradient of the negative log-likelihood is a difference of two energies (eq. 2):

    grad L = E_{data}[grad E(x)] - E_{negatives}[grad E(x)].

Here E = f - log q with a net f and a simple base q, which keeps exp(-E) integrable. Algorithm 1
adds the squares of both energies with a small weight: of f alone, or they would push against q.

Real data are blurred a little, as by Nijkamp et al. (arXiv:1903.12370): discrete dynamics cannot
follow a density narrower than their own noise, and the energies would run away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.energy import Energy
from ...benchmark.contract.model import Budget, Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ...metrics.likelihood.transitions import HMC
from ..checkpoints import Checkpoint
from ..chunks import in_chunks
from ..nets.roles import critic, encoder
from ..streams import Replay
from ..training import NeuralModel
from .dynamics import discrete_langevin, langevin
from .normaliser import POINTS, by_quadrature, log_sum


class _Discrete:
    """Metropolis-adjusted discrete Langevin moves of chains `(C, 1, D, K)`."""

    pilots = 0

    def __init__(self, shape: tuple[int, ...], moves: float) -> None:
        self.shape, self.moves = shape, moves

    def __call__(
        self, z: Tensor, beta: float, log_f: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, None]:
        moved = discrete_langevin(
            lambda u: -log_f(u.unsqueeze(1))[:, 0], z.flatten(0, 1), self.moves, 1
        )
        return moved.view_as(z), None


class EBM(NeuralModel):
    """A net as energy, on top of a base.

    | domain | points u of the chains | base q | log Z |
    |---|---|---|---|
    | real, up to 2 coordinates | standardised | N(0, I) | quadrature |
    | real, or many ordered levels | standardised, dequantised | N(0, I) | unknown |
    | bits, names, up to 2^16 states | one-hot | marginals of train | enumeration, or unknown |

    Where log Z is known (by quadrature to six digits and more) the likelihood is EXACT, else
    UNNORMALIZED: -E with all Jacobians. On real domains it is that of the density blurred by
    N(0, step / 2) in u.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of f on vectors.
        channels: Channels of f on images.
        chain: Steps of the dynamics of each negative a training step.
        step: Step of the dynamics, the variance of its noise.
        moves: Coordinates that a step moves at once, on one-hot points.
        buffer: Number of negatives that are kept.
        restart: Share of the negatives that start from the base.
        decay: Weight of the squares of f.
        steps: Steps of the dynamics of a sample, from the base.
        lr: Learning rate.
    """

    family = "energy"
    paper = "arXiv:1903.08689"
    half_life = 0.05
    samplers = ("langevin",)
    probe_arguments = frozenset({"steps"})

    mean: Tensor
    std: Tensor
    marginals: Tensor
    log_normaliser: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        chain: int = 5,
        step: float = 0.01,
        moves: float = 2.0,
        buffer: int = 4096,
        restart: float = 0.05,
        decay: float = 0.01,
        steps: int = 200,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.chain, self.step, self.moves = chain, step, moves
        self.buffer, self.restart, self.decay, self.steps = buffer, restart, decay, steps
        D, K = domain.dim, domain.levels or 0
        enumerable = domain.unrestricted.is_enumerable
        self.one_hot = K == 2 or domain.is_nominal or enumerable
        if self.one_hot:
            self.net = encoder(domain, K, 1, hidden, channels)
            self.register_buffer("marginals", torch.full((D, K), -math.log(max(K, 1))))
        else:
            self.net = critic(domain, hidden, channels, activation=nn.SiLU)
            self.register_buffer("mean", torch.zeros(D))
            self.register_buffer("std", torch.ones(D))
        self.knows_log_z = enumerable or (domain.levels is None and D in POINTS)
        if self.knows_log_z:
            self.register_buffer("log_normaliser", torch.zeros((), dtype=torch.double))
        known = Likelihood.EXACT if self.knows_log_z else Likelihood.UNNORMALIZED
        self.likelihood = known

    def prepare(self, task: TrainingTask) -> None:
        """Sets the base from the training rows."""
        super().prepare(task)
        if task.train is None:
            return
        if self.one_hot:
            counts = self.marginals.new_ones(self.marginals.shape)  # one of each level added
            for part in task.train.split(4096):
                counts = counts + self.encode(part.to(self.device)).sum(0)
            self.marginals.copy_((counts / counts.sum(1, keepdim=True)).log())
        else:
            mean, std = self.scaling.moments(task.train)
            self.mean.copy_(mean)
            self.std.copy_(std.clamp_min(1e-6))

    def fit(
        self, task: TrainingTask, budget: Budget, checkpoint: Checkpoint | None = None
    ) -> None:
        """Trains the net, then computes log Z where that can be; see `NeuralModel.fit`."""
        super().fit(task, budget, checkpoint)
        if self.knows_log_z:
            with torch.no_grad():
                self.log_normaliser.copy_(self.normaliser())

    def normaliser(self) -> Tensor:
        """Returns log of the sum, or of the integral over u, of exp(-E); float64, a scalar."""
        if self.one_hot:
            states = self.domain.unrestricted.states().to(self.device)
            return log_sum(lambda x: -self.energy(self.encode(x)), states)
        return by_quadrature(lambda u: -self.energy(u), self.domain.dim, self.mean)

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields rows of train with as many negatives, drawn after the step before."""
        rows = super().batches(task, batch_size)
        return Replay(rows, self.base, self.run, self.buffer, self.restart)

    def base(self, n: int) -> Tensor:
        """Draws n points u of the base, shape `(n, D)`, or `(n, D, K)` one-hot."""
        if not self.one_hot:
            return self.noise(n)
        level = self.marginals.exp().multinomial(n, replacement=True).T
        return self._one_hot(level)

    def encode(self, x: Tensor) -> Tensor:
        """Returns u of points `(B, *shape)`, shape as in `base`."""
        if self.one_hot:
            return self._one_hot(x.flatten(1).long())
        return (self.scaling.encode(x).flatten(1) - self.mean) / self.std

    def f(self, u: Tensor) -> Tensor:
        """Returns the net at points u, shape `(B,)`."""
        return self.net(u if self.one_hot else u.unflatten(1, self.domain.shape)).squeeze(1)

    def log_base(self, u: Tensor) -> Tensor:
        """Returns log q(u) up to a constant, shape `(B,)`."""
        return (u * self.marginals).sum((1, 2)) if self.one_hot else -0.5 * u.square().sum(1)

    def energy(self, u: Tensor) -> Tensor:
        """Returns E(u) = f(u) - log q(u), shape `(B,)`."""
        return self.f(u) - self.log_base(u)

    def run(self, u: Tensor, steps: int | None = None) -> Tensor:
        """Moves chains on from u; no drift of Langevin's is longer than twice the noise."""
        steps = steps or self.chain
        if self.one_hot:
            return discrete_langevin(self.energy, u, self.moves, steps)
        return langevin(self.energy, u, self.step, steps, limit=2 * self.step**0.5)

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Returns the contrastive loss of rows and negatives; its gradient is eq. 2."""
        rows, negatives = batch
        data = self.encode(rows)
        if not self.one_hot:
            data = data + (self.step / 2) ** 0.5 * torch.randn_like(data)
        positive, negative = self.f(data), self.f(negatives)
        size = positive.square().mean() + negative.square().mean()
        return positive.mean() - negative.mean() + self.decay * size

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Runs the dynamics from the base."""
        u = self.run(self.base(n), steps or self.steps)
        if self.one_hot:
            return u.argmax(2).reshape(n, *self.domain.shape)
        return self.points(u * self.std + self.mean)

    def unnormalised(self) -> Energy:
        """Returns exp(-E) and the base q, for annealing: Hamiltonian moves, or discrete Langevin.

        States are points u, one-hot on bits and names.
        """
        shape = (self.domain.dim, self.marginals.shape[1]) if self.one_hot else (self.domain.dim,)
        scale = 0.0 if self.one_hot else 0.5 * self.domain.dim * math.log(2 * math.pi)

        def of_chains(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
            return lambda z: f(z.flatten(0, 1)).view(z.shape[:2])

        return Energy(
            of_chains(lambda u: -self.energy(u)),
            of_chains(lambda u: self.log_base(u) - scale),
            self.base,
            partial(_Discrete, shape, self.moves) if self.one_hot else HMC,
        )

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, `(B,)`, without log Z where that is unknown.

        On dequantised levels it is taken at one point u of the cell.
        """
        each = self.domain.dim * (self.domain.levels or 1 if self.one_hot else 1)
        value = in_chunks(lambda part: -self.energy(self.encode(part)), x, each)
        if not self.one_hot:
            value = value + self.scaling.log_abs_det - self.std.log().sum()
        return (value - self.log_normaliser).to(value) if self.knows_log_z else value

    def estimator(self, draws: int | None = None) -> str:
        return "exact" if self.knows_log_z else "without log Z"

    def _one_hot(self, level: Tensor) -> Tensor:
        return functional.one_hot(level, self.marginals.shape[1]).to(self.marginals)
