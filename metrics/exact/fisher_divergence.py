r"""Fisher divergence between the model's score and the true one.

Hyvärinen, Estimation of Non-Normalized Statistical Models by Score Matching, JMLR 6 (2005), eq. 2,
without its factor 1/2. For x_1..x_B ~ p:

    F(p || q) = E_p ||grad log q(x) - grad log p(x)||^2.
"""

from __future__ import annotations

from torch import Tensor

from ..checks import as_points
from ..estimate import Estimate
from ..numerics.row_mean import RowMean, mean_estimate, row_moments


def fisher_divergence(score: Tensor, true_score: Tensor) -> Estimate:
    """Averages the squared distance between two scores at points of the data.

    Args:
        score: The model's grad log q(x_b), shape `(B, D)`.
        true_score: grad log p(x_b) at the same x_b ~ p, shape `(B, D)`.

    Returns:
        The divergence, in nats^2 a squared unit of the data; no factor 1/2.

    Raises:
        ValueError: Shapes differ, fewer than two rows, or rows that are NaN or infinite.
    """
    return mean_estimate(row_moments(_squared_gap(score, true_score)))


def _squared_gap(score: Tensor, true_score: Tensor) -> Tensor:
    if score.shape != true_score.shape:
        raise ValueError(
            f"Expected score and true_score of one shape, "
            f"got {tuple(score.shape)} and {tuple(true_score.shape)}."
        )
    gap = as_points("score", score, least=0) - as_points("true_score", true_score, least=0)
    return gap.square().sum(dim=1)


class FisherDivergence(RowMean):
    """`fisher_divergence` over all the batches seen; streaming."""

    unit = ""

    def update(self, score: Tensor, true_score: Tensor) -> None:
        """Adds the scores at the same points of the data, both of shape `(B, D)`."""
        self._add(_squared_gap(score, true_score))

    def _estimate(self) -> Estimate:
        return mean_estimate(self.moments)
