r"""Vector-quantised variational auto-encoder with an autoregressive prior.

van den Oord, Vinyals & Kavukcuoglu, Neural Discrete Representation Learning, NeurIPS 2017,
arXiv:1711.00937.

The encoder gives M vectors, each replaced by the nearest of C vectors e of a codebook. The first
phase of training descends (eq. 3), with the gradient of the decoder passed straight through,

    -log p(x | z_q) + || sg[z_e] - e ||^2 + b || z_e - sg[e] ||^2;

the second fits a causal transformer p(c) to the codes of the training rows (section 3.4). Since
q(c | x) is certain, what the model says of a point is a bound that counts the length of its code:

    log p(x) >= log p(x | z_q(x)) + log p(c(x)).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.task import Domain, TrainingTask
from ..chunks import in_chunks
from ..nets.causal import CausalTransformer, Past
from ..players import Phase, Player, half_cosine, warm_up
from .base import LatentModel


class VQVAE(LatentModel):
    """Auto-encoder with discrete latents, and a law of its codes.

    Args:
        domain: What one point is.
        positions: Codes M of a point.
        codewords: Vectors C of the codebook.
        size: Dimension of a vector.
        commitment: Weight b of the encoder's distance to its codes.
        coding: Share of the steps of the first phase.
        width: Width of the transformer over codes.
        layers: Its layers.
        hidden: See `VAE`.
        channels: See `VAE`.
        components: See `VAE`.
        lr: Learning rate.
    """

    paper = "arXiv:1711.00937"
    probe_arguments = frozenset()

    def __init__(
        self,
        domain: Domain,
        positions: int = 16,
        codewords: int = 64,
        size: int = 8,
        commitment: float = 0.25,
        coding: float = 0.6,
        width: int = 64,
        layers: int = 2,
        hidden: Sequence[int] = (256, 256),
        channels: int = 16,
        components: int = 5,
        lr: float = 2e-3,
    ) -> None:
        flat = positions * size
        super().__init__(domain, flat, flat, hidden, channels, components, 1, 0.0, lr)
        self.positions, self.size = positions, size
        self.commitment, self.coding = commitment, coding
        self.codebook = nn.Parameter(torch.randn(codewords, size))
        self.law = CausalTransformer(positions, size, codewords, width, layers, heads=4)

    def prepare(self, task: TrainingTask) -> None:
        """Starts the codebook at what the encoder gives for training rows."""
        super().prepare(task)
        if task.train is None:
            return
        with torch.no_grad():
            rows = task.train[torch.randint(len(task.train), (256,))].to(self.device)
            given = self.encode(rows).flatten(0, 1)
            self.codebook.copy_(given[torch.randint(len(given), (len(self.codebook),))])

    def encode(self, x: Tensor) -> Tensor:
        """Returns z_e, shape `(B, M, size)`, of points `(B, *shape)`."""
        return self.encoder(self.embedding(x)).unflatten(1, (self.positions, self.size))

    def nearest(self, z: Tensor) -> Tensor:
        """Returns the indices of the nearest codes, `(B, M)`, of vectors `(B, M, size)`."""
        return (
            torch.cdist(z.detach().flatten(0, 1), self.codebook.detach())
            .argmin(1)
            .view(len(z), -1)
        )

    def log_code(self, codes: Tensor) -> Tensor:
        """Returns log p(c) in nats, shape `(B,)`, of codes `(B, M)`."""
        logits = self.law(self.codebook.detach()[codes])
        return -functional.cross_entropy(logits.mT, codes, reduction="none").sum(1)

    def phases(self) -> list[Phase]:
        return [Phase("code", self.coding, self.coder), Phase("law", 1 - self.coding, self.coded)]

    def coder(self) -> list[Player]:
        """Returns the player of the first phase: all parameters but those of the codes' law."""
        law = set(self.law.parameters())
        return [
            Player(
                "code", [p for p in self.parameters() if p not in law], self.coding_loss, self.lr
            )
        ]

    def coded(self) -> list[Player]:
        """Returns the player of the second phase: the law of the codes."""
        schedule = warm_up(0.05, half_cosine)
        return [
            Player(
                "law", self.law.parameters(), self.law_loss, self.lr, schedule=schedule, clip=1.0
            )
        ]

    def coding_loss(self, batch: Tensor) -> Tensor:
        """Returns the loss of eq. 3 of rows `(B, *shape)`, their mean."""
        given = self.encode(batch)
        e = self.codebook[self.nearest(given)]
        passed = given + (e - given).detach()
        log_p = self.log_conditional(batch, passed.flatten(1))
        pull = (given.detach() - e).square() + self.commitment * (given - e.detach()).square()
        return (pull.flatten(1).sum(1) - log_p).mean()

    def law_loss(self, batch: Tensor) -> Tensor:
        """Returns the mean code length in nats of rows `(B, *shape)`; coder and codes stay."""
        with torch.no_grad():
            codes = self.nearest(self.encode(batch))
        return -self.log_code(codes).mean()

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative bound in nats, averaged over `(B, *shape)`: by it val judges."""
        return -self._bound(batch).mean()

    def parts(self, x: Tensor, K: int) -> tuple[Tensor, Tensor]:
        """Returns log p(x | c) and log p(c) in nats, each `(1, B)`: of x there is one code c."""
        codes = self.nearest(self.encode(x))
        z = self.codebook[codes].flatten(1)
        return self.log_conditional(x, z)[None], self.log_code(codes)[None]

    def _bound(self, x: Tensor) -> Tensor:
        return self.log_weight(x, 1)[0]

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        return in_chunks(self._bound, x, self.numbers())

    def estimator(self, draws: int | None = None) -> str:
        return "reconstruction and code length"

    def joint(self) -> None:
        """Offers none: its latents are discrete."""
        return None

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws codes one after the other, then decodes them; M cached passes of the law."""
        found: list[Tensor] = []
        past = Past()
        for _ in range(self.positions):
            before = self.codebook[found[-1]] if found else None
            logits, past = self.law.step(before, past, n)
            found.append(torch.distributions.Categorical(logits=logits).sample())  # (n, 1)
        z = self.codebook[torch.cat(found, 1)].flatten(1)
        return self.observation.sample(self.theta(z)).reshape(n, *self.domain.shape)
