"""The contract's `sample` and `log_prob`, written once; models write what these call."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ..benchmark.contract.model import GenerativeModel


class Drawn(GenerativeModel):
    """A model that writes `draw` and `log_p`; both are called without gradients."""

    @abstractmethod
    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points of the domain, shape `(n, *shape)`; see `sample`."""

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns what the model says of log p(x) in nats, shape `(B,)`; see `log_prob`."""
        return super().log_prob(x)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        sampler: str | None = None,
        steps: int | None = None,
    ) -> Tensor:
        """Draws n points of the domain by `draw`; see `GenerativeModel.sample`."""
        return self.draw(n, sampler, steps)

    @torch.no_grad()
    def log_prob(
        self, x: Tensor, context: Tensor | None = None, *, draws: int | None = None
    ) -> Tensor:
        """Returns log p(x) by `log_p`; see `GenerativeModel.log_prob`."""
        return self.log_p(x, draws)
