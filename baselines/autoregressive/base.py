"""What autoregressive models share: conditionals of every coordinate give an exact likelihood."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..chunks import in_chunks
from ..nets.embedding import Embedding
from ..observation import observation
from ..players import Player
from ..training import NeuralModel


class Autoregressive(NeuralModel):
    r"""log p(x) = sum_d log p(x_d | x_{<d}), coordinates in their given order.

    A member writes `theta`, the parameters of all conditionals at once, and `draw`.

    Args:
        domain: What one point is.
        components: Components of a conditional on real values and more than 32 ordered levels.
        lr: Learning rate.
        decay: Weight decay (AdamW).
    """

    family = "autoregressive"
    likelihood = Likelihood.EXACT
    network = "net"
    selects_on_val = True

    def __init__(self, domain: Domain, components: int, lr: float, decay: float) -> None:
        super().__init__(domain, lr)
        self.decay = decay
        self.embedding = Embedding(self.scaling)
        self.observation = observation(self.scaling, components)

    @abstractmethod
    def theta(self, x: Tensor) -> Tensor:
        """Returns the parameters of p(x_d | x_{<d}), `(B, D, P)`, for points `(B, *shape)`."""

    def log_conditionals(self, x: Tensor) -> Tensor:
        """Returns log p(x_d | x_{<d}) in nats, shape `(B, D)`, for points `(B, *shape)`."""
        return self.observation.log_prob(self.theta(x), x.flatten(1))

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative log-likelihood in nats, averaged over the batch `(B, *shape)`."""
        return -self.log_conditionals(batch).sum(1).mean()

    def players(self) -> list[Player]:
        parameters = self.parameters()
        return [Player("loss", parameters, self.loss, self.lr, weight_decay=self.decay)]

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        return in_chunks(lambda part: self.log_conditionals(part).sum(1), x, self.numbers())

    def numbers(self) -> int:
        """Returns how many numbers a row takes in the largest tensor of `theta`."""
        return self.domain.dim * self.observation.width
