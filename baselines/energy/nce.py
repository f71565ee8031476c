r"""Noise-contrastive estimation with a learnt normaliser.

Gutmann & Hyvarinen, Noise-contrastive Estimation of Unnormalized Statistical Models, Journal of
Machine Learning Research 13, 2012.

A classifier tells data from n times as many draws of a known law q. Its logit is (eq. 4)

    G(x) = log p(x) - log q(x) - log n,

so that the p of the best classifier is the law of the data, its normaliser learnt with it (theorem
1). Here log p = log q - f with a net f, and q is the base of the energy-based model: the loss is
logistic regression with logits -f - log n (eq. 3). The normaliser that was learnt is an estimate;
where it can be computed it is, and the likelihood is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..streams import Rows
from .ebm import EBM

MOST = 64  # coordinates: noise is told from more at a glance, and nothing is learnt


class NCE(EBM):
    """A net trained to tell data from its base.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of f on vectors.
        channels: Channels of f on images.
        ratio: Draws n of the base for each row.
        step: See `EBM`: of the dynamics of a sample, and of the blur of real data.
        moves: See `EBM`.
        steps: Steps of the dynamics of a sample, from the base.
        lr: Learning rate.
    """

    paper = "Gutmann & Hyvarinen 2012"

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        ratio: int = 4,
        step: float = 0.01,
        moves: float = 2.0,
        steps: int = 400,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(
            domain,
            hidden=hidden,
            channels=channels,
            step=step,
            moves=moves,
            steps=steps,
            lr=lr,
        )
        if ratio < 1:
            raise ValueError(f"Expected at least one draw for each row, got {ratio}.")
        self.ratio = ratio
        if not self.knows_log_z:
            self.likelihood = Likelihood.ESTIMATE

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.dim > MOST:
            return f"noise of more than {MOST} coordinates is told from data at a glance"
        return super().supports(domain)

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Tensor]:  # type: ignore[override]
        """Yields rows of train alone."""
        if task.train is None:
            raise ValueError("Expected training rows for NCE, got none.")
        return Rows(task.train, batch_size, self.device)

    def loss(self, batch: Tensor) -> Tensor:  # type: ignore[override]
        """Returns the logistic loss of rows and of n times as many draws, in nats a row."""
        data, log_n = self.encode(batch), math.log(self.ratio)
        if not self.one_hot:
            data = data + (self.step / 2) ** 0.5 * torch.randn_like(data)
        noise = self.base(self.ratio * len(batch))
        real = functional.softplus(self.f(data) + log_n).mean()
        return real + self.ratio * functional.softplus(-self.f(noise) - log_n).mean()

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, `(B,)`, with the normaliser that was computed, or learnt."""
        value = super().log_p(x, draws)
        if self.knows_log_z or self.one_hot:
            return value
        return value - 0.5 * self.domain.dim * math.log(2 * math.pi)  # of the base

    def estimator(self, draws: int | None = None) -> str:
        return "exact" if self.knows_log_z else "learnt normaliser"
