"""What adversarial models share: a generator, a discriminator, and two losses to be filled in.

A member says what the discriminator descends (`against`), what the generator descends (`towards`),
and what is added for the sake of the game (`penalty`).

A game need not converge: it turns around its fixed point. A penalty on the gradient at the data
makes it converge locally, whatever its losses (Mescheder, Geiger & Nowozin, ICML 2018,
arXiv:1801.04406, eq. 9),

    R_1 = gamma / 2 E_x ||grad D(x)||^2.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...benchmark.contract.joint import Generator
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.roles import critic, decoder
from ..training import NeuralModel, Player


class Adversarial(NeuralModel):
    """Two nets that play; integers are dequantised. On images the nets are DCGAN's.

    Args:
        domain: What one point is.
        latent: Dimension L of z ~ N(0, I).
        hidden: Widths of the hidden layers of the generator on vectors.
        critic_hidden: Widths of the hidden layers of the discriminator on vectors.
        channels: Channels of both on images.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns (Heusel et al. 2017,
            arXiv:1706.08500).
        betas: Decay rates of Adam; momentum lets the game cycle and collapse.
        turns: Steps of the discriminator for each of the generator.
        wrap: Applied to each layer with weights of the discriminator.
        gamma: Weight of R_1.
        packed: Points that the discriminator judges at once.

    Raises:
        ValueError: A pack is empty.
    """

    family = "adversarial"
    likelihood = Likelihood.NONE
    network = "generator"
    half_life = 0.1
    is_relative = False  # whether the generator's loss sees data too

    def __init__(
        self,
        domain: Domain,
        latent: int,
        hidden: Sequence[int],
        critic_hidden: Sequence[int],
        channels: int,
        lr: float,
        pace: float = 2.0,
        betas: tuple[float, float] = (0.0, 0.9),
        turns: int = 1,
        wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer,
        gamma: float = 0.0,
        packed: int = 1,
    ) -> None:
        if packed < 1:
            raise ValueError(f"Expected at least one point in a pack, got {packed}.")
        super().__init__(domain, lr)
        self.latent, self.pace, self.betas, self.turns = latent, pace, betas, turns
        self.gamma, self.packed = gamma, packed
        self.generator = decoder(latent, domain, 1, hidden, channels)
        first, *rest = domain.shape
        judged = replace(domain, shape=(packed * first, *rest))
        self.discriminator = critic(judged, critic_hidden, channels, wrap)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.is_nominal:
            return "the generator needs a gradient through x, and unordered tokens have none"
        return None

    @abstractmethod
    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the discriminator's loss of its outputs on data and on draws, a scalar."""

    @abstractmethod
    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        """Returns the generator's loss of the discriminator's outputs, a scalar."""

    def penalty(self, data: Tensor, drawn: Tensor, real: Tensor, fake: Tensor) -> Tensor | None:
        """Returns what is added to the discriminator's loss, R_1 unless a game has its own.

        R_1 of packs is in all points of a pack; None stands for nothing.

        Args:
            data: Scaled rows, shape `(B, *shape)`, with a gradient if `needs_slopes`.
            drawn: Scaled draws, likewise.
            real: The discriminator's outputs on the data.
            fake: Its outputs on the draws.
        """
        if not self.gamma:
            return None
        return self.gamma / 2 * squared_slopes(real, data).sum() / len(real)

    @property
    def needs_slopes(self) -> bool:
        """Whether `penalty` differentiates the discriminator at the data and the draws."""
        return self.gamma > 0

    def generate(self, n: int) -> Tensor:
        """Returns G(z), n scaled points, shape `(n, D)`."""
        return self.generator(torch.randn(n, self.latent, device=self.device))

    def drawn(self, n: int) -> Tensor:
        """Returns G(z), n scaled points in the shape of the domain."""
        return self.generate(n).unflatten(1, self.domain.shape)

    def judge(self, x: Tensor) -> Tensor:
        """Returns the discriminator's output on scaled points `(B, *shape)`, `(B / packed, 1)`."""
        if self.packed > 1:
            whole = len(x) // self.packed * self.packed
            x = x[:whole].unflatten(0, (-1, self.packed)).flatten(1, 2)
        return self.discriminator(x)

    def discriminator_loss(self, batch: Tensor) -> Tensor:
        """Returns the discriminator's loss on rows `(B, *shape)` and as many draws."""
        data = self.scaling.encode(batch).requires_grad_(self.needs_slopes)
        drawn = self.drawn(len(batch)).detach().requires_grad_(self.needs_slopes)
        real, fake = self.judge(data), self.judge(drawn)
        penalty = self.penalty(data, drawn, real, fake)
        loss = self.against(real, fake)
        return loss if penalty is None else loss + penalty

    def generator_loss(self, batch: Tensor) -> Tensor:
        """Returns the generator's loss on as many draws as the batch `(B, *shape)` has rows."""
        fake = self.judge(self.drawn(len(batch)))
        real = self.judge(self.scaling.encode(batch)) if self.is_relative else None
        return self.towards(fake, real)

    def players(self) -> list[Player]:
        D, G = self.discriminator.parameters(), self.generator.parameters()
        rate = self.pace * self.lr
        first = Player("discriminator", D, self.discriminator_loss, rate, self.betas)
        first.turns = self.turns
        return [first, Player("generator", G, self.generator_loss, self.lr, self.betas)]

    def joint(self) -> Generator:
        """Returns G as functions; z is N(0, I) already."""

        def seen(x: Tensor) -> Tensor:
            return self.scaling.encode(x).flatten(1)

        constant = float(self.scaling.log_abs_det)
        return Generator(self.latent, self.generator, seen, constant, self.device)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.generate(n))


def squared_slopes(outputs: Tensor, x: Tensor) -> Tensor:
    """Returns || d outputs / dx ||^2 of each row of x `(B, *shape)`, shape `(B,)`."""
    (slope,) = torch.autograd.grad(outputs.sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(1)
