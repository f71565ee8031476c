r"""CMMD: squared MMD of CLIP features with one Gaussian kernel of fixed width.

Jayasumana et al., Rethinking FID: towards a better evaluation metric for image generation,
arXiv:2401.09603: k(x, y) = exp(-|x - y|^2 / (2 h^2)) with h = 10 between embeddings of unit
length, times 1000.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from .mmd import GaussianKernel, mmd


def cmmd(
    samples: Tensor,
    reference: Tensor,
    width: float = 10.0,
    scale: float = 1000.0,
    unbiased: bool = True,
) -> Estimate:
    """Returns CMMD of features, which are brought to unit length first.

    Args:
        samples: CLIP features, shape `(N, D)`.
        reference: CLIP features, shape `(M, D)`.
        width: Width h of the kernel.
        scale: What MMD^2 is multiplied with.
        unbiased: The U-statistic, as in the paper; False is the V-statistic of its code.

    Raises:
        ValueError: See `checks.as_pair`; or a row of zeros, which has no direction.
    """
    x, y = (_unit(side) for side in as_pair(samples, reference))
    return mmd(x, y, GaussianKernel(width), unbiased).times(scale)


class CMMD(TwoSampleMetric):
    """`cmmd` of all features seen.

    Args:
        width: As in `cmmd`.
        scale: As in `cmmd`.
        unbiased: As in `cmmd`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(
        self, width: float = 10.0, scale: float = 1000.0, unbiased: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.scale, self.unbiased = width, scale, unbiased

    def _estimate(self) -> Estimate:
        return cmmd(*self.both(), self.width, self.scale, self.unbiased)


def _unit(x: Tensor) -> Tensor:
    norms = x.norm(dim=1, keepdim=True)
    if not bool((norms > 0).all()):
        raise ValueError(
            f"Expected features of length above 0, got {int((norms == 0).sum())} rows of zeros."
        )
    return x / norms
