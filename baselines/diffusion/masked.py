r"""Masked discrete diffusion.

Sahoo, Arriola, Schiff, Gokaslan, Marroquin, Chiu, Rush & Kuleshov, Simple and Effective Masked
Diffusion Language Models, NeurIPS 2024, arXiv:2406.07524; Shi et al., NeurIPS 2024,
arXiv:2406.04329.

At time t each coordinate is hidden with probability t, by itself. A net that sees the others
predicts the hidden ones, and the variational bound is a weighted cross-entropy (eq. 10 with
alpha = 1 - t),

    -log p(x) <= E_{t ~ U[0,1]} 1/t sum_{d hidden} -log p(x_d | x_shown).

Given the number m of hidden coordinates the same bound reads (Ou et al. 2025, arXiv:2406.03736)

    -log p(x) <= E_{m ~ U{1..D}} D/m sum_{d hidden} -log p(x_d | x_shown),

which is drawn here: it has less noise. A sampler of n steps shows each hidden coordinate with
probability (t - s) / t on the way from t to s.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.bidirectional import Bidirectional
from ..players import Player, half_cosine, warm_up
from ..training import NeuralModel

QUARTERS = 4  # parts into which the bound is told
LONGEST = 1024  # attention takes D^2 numbers a row
MOST_LEVELS = 512
CHUNK = 2**22  # numbers of the attention, or of the logits, at once


class MaskedDiffusion(NeuralModel):
    """A transformer that fills in hidden coordinates.

    Args:
        domain: What one point is.
        width: Width of a position.
        layers: Number of layers.
        heads: Heads of the attention.
        dropout: Share of the numbers dropped in training.
        terms: Numbers m that are drawn for each row in `log_prob`, one of each stratum of 1..D.
        steps: Default number of steps of a sample; at most D.
        lr: Learning rate; it rises over the first twentieth of the steps.
    """

    family = "diffusion"
    paper = "arXiv:2406.07524"
    likelihood = Likelihood.LOWER_BOUND
    half_life = 0.05
    selects_on_val = True
    samplers = ("ancestral",)
    probe_arguments = frozenset({"terms", "steps"})

    def __init__(
        self,
        domain: Domain,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        terms: int = 32,
        steps: int = 64,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.terms, self.steps, self.heads = min(terms, domain.dim), steps, heads
        self.net = Bidirectional(domain.dim, domain.levels or 1, width, layers, heads, dropout)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.levels is None:
            return "it hides levels, and real values have none"
        if domain.levels > MOST_LEVELS:
            return f"it predicts at most {MOST_LEVELS} levels"
        if domain.dim > LONGEST:
            return f"attention over more than {LONGEST:,} coordinates is too large"
        return None

    def players(self) -> list[Player]:
        (player,) = super().players()
        player.schedule, player.clip = warm_up(0.05, half_cosine), 1.0
        return [player]

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the bound on -log p in nats, averaged over the batch `(B, *shape)`."""
        B, D = len(batch), self.domain.dim
        # Numbers spread over 1..D by the rows: less noise than as many independent ones.
        share = (torch.rand(1, device=batch.device) + torch.arange(B, device=batch.device) / B) % 1
        m = (share * D).long().clamp_max(D - 1) + 1
        return -self.term(batch.flatten(1).long(), m).mean()

    def term(self, x: Tensor, m: Tensor) -> Tensor:
        """Returns D/m times the log-probability of m hidden coordinates at random, `(B,)`.

        Args:
            x: Flat rows, int64 `(B, D)`.
            m: How many are hidden, shape `(B,)`.
        """
        D = x.shape[1]
        rank = torch.rand(x.shape, device=x.device).argsort(1).argsort(1)
        hidden = rank < m[:, None]
        logits = self.net(x.masked_fill(hidden, self.domain.levels or 1))
        log_p = logits.log_softmax(2).gather(2, x[..., None]).squeeze(2)
        return D / m * (log_p * hidden).sum(1)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns the bound in nats, shape `(B,)`, an unbiased estimate of it."""
        return -sum(self.bound_parts(x, draws).values(), torch.zeros(len(x), device=x.device))

    def bound_parts(self, x: Tensor, draws: int | None = None) -> dict[str, Tensor]:
        """Returns the parts of the negative bound in nats, each `(B,)`: by the share hidden."""
        D, terms = self.domain.dim, min(draws or self.terms, self.domain.dim)
        ends = torch.linspace(0, D, terms + 1).round().long().tolist()
        each = max(D * (self.domain.levels or 1), self.heads * D * D)
        found = []
        for part in x.flatten(1).long().split(max(1, CHUNK // each)):
            sums = torch.zeros(QUARTERS, len(part), device=x.device)
            for low, high in pairwise(ends):
                m = torch.randint(low + 1, high + 1, (len(part),), device=x.device)
                quarter = ((m - 1) * QUARTERS // D)[None]
                sums.scatter_add_(0, quarter, -(high - low) / D * self.term(part, m)[None])
            found.append(sums)
        names = [f"up to {(k + 1) / QUARTERS:.0%} hidden" for k in range(QUARTERS)]
        return dict(zip(names, torch.cat(found, 1), strict=True))

    def estimator(self, draws: int | None = None) -> str:
        D, terms = self.domain.dim, min(draws or self.terms, self.domain.dim)
        return "variational bound" + (f", {terms} of {D} terms drawn" if terms < D else "")

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Shows hidden coordinates at random, from all hidden to none."""
        D, K = self.domain.dim, self.domain.levels or 1
        x = torch.full((n, D), K, device=self.device)
        count = min(steps or self.steps, D)
        for k in range(count, 0, -1):
            shown = (torch.rand(n, D, device=self.device) < 1 / k) & (x == K)
            chosen = torch.cat([self._fill(part) for part in x.split(max(1, CHUNK // (D * D)))])
            x = torch.where(shown, chosen, x)
        return x.reshape(n, *self.domain.shape)

    def _fill(self, x: Tensor) -> Tensor:
        """Draws every coordinate from its law given the shown ones, `(B, D)`."""
        logits = self.net(x)
        gumbel = -torch.empty_like(logits).exponential_().clamp_min(1e-30).log()
        return (logits + gumbel).argmax(2)
