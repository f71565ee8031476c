r"""Sliced-Wasserstein generator.

Deshpande, Zhang & Schwing, Generative Modeling using the Sliced Wasserstein Distance, CVPR 2018,
arXiv:1803.11188.

On a line the optimal plan pairs sorted points. The loss is the mean over random directions w of
the squared Wasserstein-2 distance of the projections of data x and draws y (eq. 5),

    SW_2^2 = E_w 1/B sum_i ((w x)_(i) - (w y)_(i))^2,

which the generator descends by itself: nothing is learnt beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .base import SampleMatcher


class SWGenerator(SampleMatcher):
    """A generator trained on the sliced Wasserstein distance.

    Args:
        domain: What one point is.
        latent: See `SampleMatcher`.
        hidden: See `SampleMatcher`.
        channels: See `SampleMatcher`.
        directions: Random directions of a step.
        lr: Learning rate.
    """

    paper = "arXiv:1803.11188"

    def __init__(
        self,
        domain: Domain,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        directions: int = 256,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, latent, hidden, channels, lr)
        self.directions = directions

    def discrepancy(self, drawn: Tensor, data: Tensor) -> Tensor:
        """Returns D times SW_2^2, which is of the order of a squared distance."""
        D = data.shape[1]
        w = torch.randn(D, self.directions, device=data.device)
        w = w / w.norm(dim=0)
        return D * sliced(drawn @ w, data @ w)


def sliced(x: Tensor, y: Tensor) -> Tensor:
    """Returns the mean squared difference of sorted columns of `(B, L)` and `(B, L)`."""
    return (x.sort(dim=0).values - y.sort(dim=0).values).square().mean()
