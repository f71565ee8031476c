r"""Restricted Boltzmann machine.

Smolensky 1986; Hinton, Training Products of Experts by Minimizing Contrastive Divergence, Neural
Computation 14, 2002; Tieleman, Training Restricted Boltzmann Machines using Approximations to the
Likelihood Gradient, ICML 2008.

Bits v and hidden bits h have the energy -b v - c h - h W v. Given one the other's bits are
independent, P(h_j = 1 | v) = sigmoid(c_j + W_j v), and h can be summed out:

    p(v) = exp(-F(v)) / Z,      F(v) = -b v - sum_j softplus(c_j + W_j v).

The gradient of the likelihood is a difference of two means of grad F, over the data and over the
model. The second is taken after k steps of Gibbs sampling from the data (CD-k), or from chains
that are kept from step to step (PCD). Z is a sum over the states of the smaller side, where they
are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.energy import Energy
from ...benchmark.contract.model import Budget, Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..checkpoints import Checkpoint
from ..chunks import in_chunks
from ..streams import Replay
from ..training import NeuralModel

FEW = 16  # bits of a side whose states are listed


class _Gibbs:
    """Gibbs sampling between independent bits and an RBM; leaves every law of the path alone."""

    pilots = 0

    def __init__(self, model: RBM, odds: Tensor) -> None:
        self.model, self.odds = model, odds

    def __call__(self, z: Tensor, beta: float, log_f: Any) -> tuple[Tensor, None]:
        D = len(self.odds)
        W, c = self.model.interaction.weight, self.model.interaction.bias
        h = (beta * (z[..., :D] @ W.T + c)).sigmoid().bernoulli()
        v = ((1 - beta) * self.odds + beta * (self.model.b + h @ W)).sigmoid().bernoulli()
        return torch.cat([v, h], dim=-1), None


class RBM(NeuralModel):
    """A model of bits with a layer of hidden bits.

    Args:
        domain: What one point is.
        hidden: Number H of hidden bits.
        k: Steps of Gibbs sampling each training step.
        persistent: Whether chains are kept (PCD); otherwise they start at the data (CD-k).
        chains: Chains that are kept.
        steps: Steps of Gibbs sampling of a sample, from the bits' marginals.
        lr: Learning rate.
        decay: Weight of the squares of W.
    """

    family = "energy"
    paper = "Hinton 2002, Tieleman 2008"
    network = "interaction"
    half_life = 0.05
    samplers = ("gibbs",)
    probe_arguments = frozenset({"steps"})

    marginals: Tensor
    log_normaliser: Tensor

    def __init__(
        self,
        domain: Domain,
        hidden: int = 64,
        k: int = 5,
        persistent: bool = True,
        chains: int = 1024,
        steps: int = 500,
        lr: float = 5e-3,
        decay: float = 1e-4,
    ) -> None:
        super().__init__(domain, lr)
        D = domain.dim
        self.k, self.persistent, self.chains = k, persistent, chains
        self.steps, self.decay = steps, decay
        self.interaction = nn.Linear(D, hidden)  # W and c
        nn.init.normal_(self.interaction.weight, std=0.01)
        nn.init.zeros_(self.interaction.bias)
        self.b = nn.Parameter(torch.zeros(D))
        self.register_buffer("marginals", torch.full((D,), 0.5))
        self.knows_log_z = min(D, hidden) <= FEW
        if self.knows_log_z:
            self.register_buffer("log_normaliser", torch.zeros((), dtype=torch.double))
        exact = Likelihood.EXACT if self.knows_log_z else Likelihood.UNNORMALIZED
        self.likelihood = exact

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return None if domain.levels == 2 else "its units are bits"

    def prepare(self, task: TrainingTask) -> None:
        """Starts b at the log-odds of the training rows."""
        super().prepare(task)
        if task.train is not None:
            share = (task.train.flatten(1).sum(0) + 1) / (len(task.train) + 2)
            self.marginals.copy_(share)
            with torch.no_grad():
                self.b.copy_(share.logit())

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields rows of train with as many points of the chains."""
        rows = super().batches(task, batch_size)
        return Replay(rows, self.base, self.move, self.chains, 0.0)

    def base(self, n: int) -> Tensor:
        """Draws n points from the marginals, float `(n, D)`."""
        return torch.bernoulli(self.marginals.expand(n, -1))

    def move(self, v: Tensor) -> Tensor:
        """Moves chains on, where they are kept."""
        return self.gibbs(v, self.k) if self.persistent else v

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int) -> Tensor:
        """Runs Gibbs sampling from bits `(B, D)`, float, for a number of steps."""
        W = self.interaction.weight
        for _ in range(steps):
            h = self.interaction(v).sigmoid().bernoulli()
            v = (self.b + h @ W).sigmoid().bernoulli()
        return v

    def free_energy(self, v: Tensor) -> Tensor:
        """Returns F(v), shape `(B,)`, of bits `(B, D)`, float."""
        return -(v @ self.b) - functional.softplus(self.interaction(v)).sum(1)

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Returns a difference of free energies whose gradient is that of the likelihood."""
        rows, kept = batch
        data = rows.flatten(1).to(self.b)
        negatives = kept if self.persistent else self.gibbs(data, self.k)
        size = self.interaction.weight.square().sum()
        gap = self.free_energy(data).mean() - self.free_energy(negatives).mean()
        return gap + self.decay * size

    def fit(
        self, task: TrainingTask, budget: Budget, checkpoint: Checkpoint | None = None
    ) -> None:
        """Trains, then computes log Z where that can be; see `NeuralModel.fit`."""
        super().fit(task, budget, checkpoint)
        if self.knows_log_z:
            self.log_normaliser.copy_(self.normaliser())

    @torch.no_grad()
    def normaliser(self) -> Tensor:
        """Returns log Z, float64, by a sum over the states of the smaller side.

        Raises:
            ValueError: Both sides have more than 16 bits.
        """
        W, c = self.interaction.weight.double(), self.interaction.bias.double()
        b = self.b.double()
        H, D = W.shape
        if min(H, D) > FEW:
            raise ValueError(f"Expected a side of at most {FEW} bits to list, got {D} and {H}.")
        side = min(H, D)
        numbers = torch.arange(2**side, device=W.device)
        states = (numbers[:, None] >> torch.arange(side, device=W.device) & 1).double()
        if H <= D:
            return (states @ c + functional.softplus(b + states @ W).sum(1)).logsumexp(0)
        return (states @ b + functional.softplus(c + states @ W.T).sum(1)).logsumexp(0)

    def unnormalised(self) -> Energy:
        """Returns the joint density of bits and hidden bits up to Z, for annealing.

        Between a base of independent bits (of train's marginals, and fair hidden ones) and the
        model the conditionals stay products, so that moves are Gibbs sampling (Salakhutdinov &
        Murray 2008, section 3.1). A state is the bits and the hidden bits side by side.
        """
        D, H = self.b.numel(), self.interaction.out_features
        odds = self.marginals.clamp(1e-3, 1 - 1e-3).logit()
        log_off = -functional.softplus(odds).sum() - H * math.log(2)

        def log_base(z: Tensor) -> Tensor:
            return z[..., :D] @ odds + log_off

        def log_f(z: Tensor) -> Tensor:
            v, h = z.split([D, H], dim=-1)
            return v @ self.b + (h * self.interaction(v)).sum(-1)

        def draw_base(n: int) -> Tensor:
            share = torch.cat([odds.sigmoid(), odds.new_full((H,), 0.5)])
            return torch.bernoulli(share.expand(n, -1))

        return Energy(log_f, log_base, draw_base, lambda: _Gibbs(self, odds))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, `(B,)`, without log Z where that is unknown."""
        value = in_chunks(
            lambda part: -self.free_energy(part.flatten(1).to(self.b)),
            x,
            self.interaction.out_features,
        )
        return (value - self.log_normaliser).to(value) if self.knows_log_z else value

    def estimator(self, draws: int | None = None) -> str:
        return "exact" if self.knows_log_z else "without log Z"

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        v = self.gibbs(self.base(n), steps or self.steps)
        return v.long().reshape(n, *self.domain.shape)
