r"""PixelCNN++.

Salimans, Karpathy, Chen & Kingma, PixelCNN++, ICLR 2017, arXiv:1701.05517; the gated stacks are of
van den Oord et al. 2016, arXiv:1606.05328.

Pixels follow one another row by row, the channels of a pixel within it. Causal convolutions
(`nets/pixels.py`) see the pixels before, and the parameters of a channel's law depend linearly on
the channels before it (section 2.2),

    theta_c = a_c + sum_{c' < c} b_{c, c'} y_{c'},

with a and b the outputs of the net and y in [-1, 1]. (In the paper the means alone do, and one
mixture indicator holds for all channels.) Laws follow the domain: a discretised logistic mixture
on 256 levels (eq. 2), Bernoulli on bits. A draw costs about one cached pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from ..nets.pixels import CausalPixels
from .base import Autoregressive


class PixelCNN(Autoregressive):
    """Causal convolutional net over the pixels of an image.

    Args:
        domain: What one point is.
        channels: Channels of the stacks.
        layers: Layers of both stacks.
        dropout: Share of the numbers dropped in training.
        components: Components of a conditional on real values and more than 32 ordered levels.
        lr: Learning rate.
        decay: Weight decay (AdamW).
    """

    paper = "arXiv:1701.05517"
    half_life = 0.02

    def __init__(
        self,
        domain: Domain,
        channels: int = 32,
        layers: int = 6,
        dropout: float = 0.0,
        components: int = 5,
        lr: float = 2e-3,
        decay: float = 0.0,
    ) -> None:
        super().__init__(domain, components, lr, decay)
        C, P = domain.shape[0], self.observation.width
        pairs = C * (C - 1) // 2
        self.net = CausalPixels(
            C * self.embedding.features, (C + pairs) * P, channels, layers, dropout
        )

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return None if domain.is_image else "it convolves images"

    def theta(self, x: Tensor) -> Tensor:
        C, H, W = self.domain.shape
        features = self.embedding(x)  # (B, D, E)
        planes = features.unflatten(1, (C, H, W)).movedim(4, 2).flatten(1, 2)
        numbers = self.net(planes).flatten(2).mT  # (B, H W, (C + pairs) P)
        y = features[..., 0].unflatten(1, (C, H * W)).mT
        return self.coupled(numbers, y).transpose(1, 2).flatten(1, 2)

    def coupled(self, numbers: Tensor, y: Tensor) -> Tensor:
        """Returns the parameters of the channels of pixels.

        Args:
            numbers: Outputs of the net, shape `(..., (C + C (C - 1) / 2) P)`.
            y: Channels before, in [-1, 1], shape `(..., C)`; the last is not read.

        Returns:
            Shape `(..., C, P)`.
        """
        C = self.domain.shape[0]
        parts = numbers.unflatten(-1, (-1, self.observation.width))
        found, at = [], C
        for c in range(C):
            slopes = parts[..., at : at + c, :]
            found.append(parts[..., c, :] + (slopes * y[..., :c, None]).sum(-2))
            at += c
        return torch.stack(found, dim=-2)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws pixel by pixel, and the channels of each one after the other."""
        C, H, W = self.domain.shape
        pixels: list[Tensor] = []

        def choose(numbers: Tensor, index: int) -> Tensor:
            chosen, features = [], []
            y = numbers.new_zeros(n, C)
            for c in range(C):
                at = slice(c * H * W + index, c * H * W + index + 1)
                theta = self.coupled(numbers, y)[:, c : c + 1]
                chosen.append(self.observation.sample(theta, at))
                features.append(self.embedding(chosen[-1], at))  # (n, 1, E)
                y[:, c] = features[-1][:, 0, 0]
            pixels.append(torch.cat(chosen, 1))
            return torch.cat(features, 1).flatten(1)

        self.net.draw(n, (H, W), choose)
        return torch.stack(pixels, dim=2).reshape(n, *self.domain.shape)
