r"""Generative moment matching network.

Li, Swersky & Zemel, Generative Moment Matching Networks, ICML 2015, arXiv:1502.02761; also
Dziugaite, Roy & Ghahramani, UAI 2015, arXiv:1505.03906.

A generator G(z) is trained on the maximum mean discrepancy of a batch of data x_1..x_B and of
draws y_1..y_B (eq. 3),

    MMD^2 = mean_{i, j} k(x_i, x_j) + mean_{i, j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j),

with Gaussian kernels over a bank of widths h, k(x, y) = sum_h exp(-||x - y||^2 / (2 h^2)). The
loss is its square root (eq. 8), whose gradient does not vanish as the two get close; batches are
large, for the estimate is biased by their size (section 5). On images G makes the codes of an
auto-encoder that is trained first, and the loss is taken between codes (GMMN+AE, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.joint import Generator
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..nets.mlp import MLP
from ..nets.roles import decoder, encoder, has_images
from ..players import Phase, Player
from ..training import NeuralModel

AUTOENCODER_SHARE = 0.3  # of the steps
JUDGED = 1024  # rows whose median distance sets the widths


def mmd2(x: Tensor, y: Tensor, widths: Tensor) -> Tensor:
    """Returns the estimate of MMD^2 of eq. 3, summed over the widths; it is never negative.

    Args:
        x: Points, shape `(N, D)`.
        y: Points, shape `(M, D)`.
        widths: Widths h of the kernels, shape `(H,)`.

    Returns:
        A scalar. Time and memory O((N + M)^2 H).
    """
    within = _kernel(x, x, widths).mean() + _kernel(y, y, widths).mean()
    return (within - 2 * _kernel(x, y, widths).mean()).clamp_min(0)


def _kernel(x: Tensor, y: Tensor, widths: Tensor) -> Tensor:
    """Returns sum_h k(x_i, y_j), shape `(N, M)`."""
    # By the inner product: `cdist` has no gradient at distance 0.
    square = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    square = square.clamp_min(0)
    total = torch.zeros_like(square)
    for h in widths:
        total = total + (square / (-2 * h**2)).exp()
    return total


class GMMN(NeuralModel):
    """A generator trained on the square root of MMD^2; integers are dequantised.

    Args:
        domain: What one point is.
        latent: Dimension L of z ~ U[-1, 1]^L.
        hidden: Widths of the hidden layers of the generator.
        codes: Dimension of the codes of an image.
        channels: Channels of the auto-encoder of images.
        bandwidths: Widths h of the kernels, in units of the median distance within train.
        lr: Learning rate.
    """

    family = "moment"
    paper = "arXiv:1502.02761"
    likelihood = Likelihood.NONE
    network = "generator"

    widths: Tensor

    def __init__(
        self,
        domain: Domain,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128),
        codes: int = 16,
        channels: int = 16,
        bandwidths: Sequence[float] = (0.0625, 0.125, 0.25, 0.5, 1.0),
        lr: float = 5e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.bandwidths = latent, tuple(bandwidths)
        self.coded = has_images(domain)
        self.generator = MLP(latent, codes if self.coded else domain.dim, hidden, nn.ReLU)
        if self.coded:
            self.encoder = encoder(domain, 1, codes, hidden, channels)
            self.decoder = decoder(codes, domain, 1, hidden, channels)
        self.register_buffer("widths", torch.tensor(bandwidths))
        self.rows: Tensor | None = None

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.is_nominal:
            return "its kernels need distances, and unordered tokens have none"
        return None

    def prepare(self, task: TrainingTask) -> None:
        """Keeps the rows that set the widths of the kernels."""
        super().prepare(task)
        self.rows = None if task.train is None else task.train[:JUDGED]
        self.set_widths()

    @torch.no_grad()
    def set_widths(self) -> None:
        """Sets the widths by the median distance between rows of train, or between their codes."""
        if self.rows is not None:
            points = self.code(self.scaling.encode(self.rows.to(self.device)).flatten(1))
            median = torch.pdist(points).median().clamp_min(1e-3)
            self.widths.copy_(median * self.widths.new_tensor(self.bandwidths))

    def code(self, y: Tensor) -> Tensor:
        """Returns the codes of scaled points `(B, D)`; where there is no code, the points."""
        return self.encoder(y.unsqueeze(2)) if self.coded else y

    def generate(self, n: int) -> Tensor:
        """Returns G(z), n codes or scaled points."""
        return self.generator(2 * torch.rand(n, self.latent, device=self.device) - 1)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the root of MMD^2 between the batch `(B, *shape)` and as many draws (eq. 8)."""
        with torch.no_grad():
            data = self.code(self.scaling.encode(batch).flatten(1))
        return (mmd2(data, self.generate(len(batch)), self.widths) + 1e-12).sqrt()

    def reconstruction(self, batch: Tensor) -> Tensor:
        """Returns the auto-encoder's squared error on rows, mean over D."""
        data = self.scaling.encode(batch).flatten(1)
        return functional.mse_loss(self.decoder(self.code(data)), data)

    def phases(self) -> list[Phase]:
        if not self.coded:
            return super().phases()
        return [
            Phase("auto-encoder", AUTOENCODER_SHARE, self.autoencoder),
            Phase("generator", 1 - AUTOENCODER_SHARE, self.players),
        ]

    def autoencoder(self) -> list[Player]:
        """Returns who trains the codes."""
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        return [Player("reconstruction", parameters, self.reconstruction, 1e-3)]

    def players(self) -> list[Player]:
        """Returns the generator; on images the codes and their distances are fixed by now."""
        self.set_widths()
        return [Player("loss", self.generator.parameters(), self.loss, self.lr)]

    def decode(self, z: Tensor) -> Tensor:
        """Returns scaled points `(N, D)` of normal latents; those of G are 2 Phi(z) - 1."""
        y = self.generator(torch.erf(z / 2**0.5))
        return self.decoder(y) if self.coded else y

    def joint(self) -> Generator:
        """Returns G, and on images the decoder of its codes, as functions."""

        def seen(x: Tensor) -> Tensor:
            return self.scaling.encode(x).flatten(1)

        constant = float(self.scaling.log_abs_det)
        return Generator(self.latent, self.decode, seen, constant, self.device)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        y = self.generate(n)
        return self.points(self.decoder(y) if self.coded else y)
