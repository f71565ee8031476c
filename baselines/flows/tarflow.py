r"""TarFlow: a masked autoregressive flow of transformer blocks.

Zhai, Zhang, Nakkiran, Berthelot, Gu, Zheng, Chen, Bautista, Jaitly & Susskind, Normalizing Flows
are Capable Generative Models, ICML 2025, arXiv:2412.06329.

A block maps the patches x_1, ..., x_T of a point, in alternating order, by numbers that a causal
transformer makes of the patches before (eq. 3):

    z_t = (x_t - m(x_{<t})) exp(-a(x_{<t})),      log |det dz/dx| = -sum_t sum a(x_{<t}).

Trained on y = x + s eps, noise of the paper's section 2.4, a draw y is cleaned by one step along
the score of the flow (eq. 7, sampler "denoised"):

    x = y + s^2 grad_y log p(y).

A coordinate of a vector is a patch of its own. A draw takes T cached passes a block.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...benchmark.contract.task import Domain
from ..nets.causal import CausalTransformer, Past
from ..nets.roles import has_images
from ..nets.waves import frequencies, waves
from ..players import Player, half_cosine, warm_up
from .base import Flow
from .coupling import Flip
from .maps import Shifted

LONGEST = 1024  # patches: attention takes T^2 numbers a row
SIDES = (4, 2, 1)  # of a patch; the largest that leaves FEWEST patches
FEWEST = 16


class TarFlow(Flow):
    """Autoregressive flow whose conditioners are causal transformers.

    Args:
        domain: What one point is.
        transforms: Blocks, each a transformer.
        width: Width of a position.
        layers: Layers of each transformer.
        heads: Heads of the attention.
        noise: Standard deviation s of the noise on standardised points in training.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate; it rises over the first twentieth of the steps.
        dequantisation: See `Flow`.
    """

    paper = "arXiv:2412.06329"
    samplers = ("plain", "denoised")

    def __init__(
        self,
        domain: Domain,
        transforms: int = 4,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        noise: float = 0.0,
        particles: int = 16,
        lr: float = 1e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        self.level = noise
        T, size = patches(domain)
        blocks: list[nn.Module] = [Patches(domain)]
        for _ in range(transforms):
            blocks += [Block(T, size, width, layers, heads), Flip()]
        self.flow = self.chain([*blocks, Patches(domain, turned=True)])

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if patches(domain)[0] > LONGEST:
            return f"attention over more than {LONGEST:,} coordinates is too large"
        return super().supports(domain)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative log-likelihood of noisy rows `(B, *shape)`, in nats, their mean."""
        y, w = self.dequantiser(batch)
        if self.level and self.training:
            y = y + self.level * torch.randn_like(y)
        return -(self.log_density(y).mean() + w.mean())

    def players(self) -> list[Player]:
        (player,) = super().players()
        player.schedule, player.clip = warm_up(0.05, half_cosine), 1.0
        return [player]

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws by the inverse; "denoised" adds the step along the score."""
        y = self.flow(self.noise(n), inverse=True)[0]
        if sampler == "denoised" or (sampler is None and self.level):
            with torch.enable_grad():
                y = y.detach().requires_grad_()
                (score,) = torch.autograd.grad(self.log_density(y).sum(), y)
            y = y.detach() + self.level**2 * score
        return self.points(y)


def patches(domain: Domain) -> tuple[int, int]:
    """Returns the number T of patches of a point, and the coordinates of each."""
    if not has_images(domain):
        return domain.dim, 1
    C, H, W = domain.shape
    fits = (s for s in SIDES if H % s == 0 and W % s == 0 and H * W // s**2 >= FEWEST)
    side = next(fits, 1)
    return H * W // side**2, C * side**2


class Patches(nn.Module):
    """Flat points `(B, D)` to sequences of patches `(B, T, S)`, row by row of the image.

    Args:
        domain: What one point is.
        turned: Whether the direction from data to noise is the one back to flat points.
    """

    def __init__(self, domain: Domain, turned: bool = False) -> None:
        super().__init__()
        self.turned = turned
        self.count, self.size = patches(domain)
        self.shape = domain.shape if self.size > 1 else (1, domain.dim, 1)
        self.side = round((self.size / self.shape[0]) ** 0.5)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        if inverse != self.turned:
            _, H, W = self.shape
            blocks = x.mT.unflatten(2, (H // self.side, W // self.side))
            y = nn.functional.pixel_shuffle(blocks, self.side).flatten(1)
        else:
            image = x.unflatten(1, self.shape)
            y = nn.functional.pixel_unshuffle(image, self.side).flatten(2).mT
        return y, x.new_zeros(len(x))


class Block(nn.Module):
    """The affine map of each patch by a causal transformer of those before it.

    Args:
        count: Patches T.
        size: Coordinates S of a patch.
        width: Width of a position.
        layers: Layers of the transformer.
        heads: Heads of its attention.
    """

    def __init__(self, count: int, size: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.size, self.mapping = size, Shifted()
        self.frequencies = frequencies(count) if size == 1 else ()
        features = size * (1 + 2 * len(self.frequencies))
        self.net = CausalTransformer(count, features, 2 * size, width, layers, heads)
        nn.init.zeros_(self.net.head[1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.net.head[1].bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        if not inverse:
            theta = self.net(self._features(x)).unflatten(2, (self.size, 2))
            y, log_slope = self.mapping(x, theta)
            return y, log_slope.flatten(1).sum(1)
        found: list[Tensor] = []
        total, past = x.new_zeros(len(x)), Past()
        for t in range(x.shape[1]):
            before = self._features(found[-1]) if found else None
            theta, past = self.net.step(before, past, len(x))
            part, log_slope = self.mapping(
                x[:, t : t + 1], theta.unflatten(2, (self.size, 2)), True
            )
            found.append(part)
            total = total + log_slope.flatten(1).sum(1)
        return torch.cat(found, 1), total

    def _features(self, x: Tensor) -> Tensor:
        """Returns the features `(B, t, S E)` of patches `(B, t, S)`."""
        return waves(x, self.frequencies).flatten(2)
