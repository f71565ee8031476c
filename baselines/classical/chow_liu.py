r"""Chow-Liu tree: the best law in which every coordinate has one parent.

Chow & Liu, Approximating Discrete Probability Distributions with Dependence Trees, IEEE
Transactions on Information Theory 14 (1968). Among the laws

    p(x) = p(x_r) prod_{d != r} p(x_d | x_parent(d))

that of greatest likelihood is on the spanning tree with the greatest sum of mutual informations
I(x_d; x_e) of the training rows (eq. 14). A conditional is smoothed by the child's marginal,

    p(b | a) = (n_ab + s p(b)) / (n_a + s),    p(b) = (n_b + s / K) / (N + s),

with s chosen on validation rows.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from torch import Tensor

from ...benchmark.contract.task import Domain
from .counted import Counted, one_hot_counts

PSEUDO_COUNTS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
WIDEST = 5000  # columns of the one-hot rows, whose product is the table of all pairs
ROWS = 4096  # rows whose product is taken at once


class ChowLiu(Counted):
    """Tree of dependences between levels: a floor of discrete domains.

    Args:
        domain: What one point is.
    """

    paper = "Chow & Liu 1968"

    order: Tensor
    parent: Tensor
    log_table: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        D, self.levels = domain.dim, domain.levels or 1
        self.register_buffer("order", torch.arange(D))
        self.register_buffer("parent", torch.arange(D))
        # log p(b | a) of each coordinate; the root's has the same row for all a.
        shape = (D, self.levels, self.levels)
        self.register_buffer("log_table", torch.zeros(shape, dtype=torch.double))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.levels is None:
            return "it counts levels, and real values have none"
        if domain.dim * domain.levels > WIDEST:
            return f"its table of pairs has more than {WIDEST} x {WIDEST} entries"
        return None

    def count(self, train: Tensor, val: Tensor) -> None:
        """Counts all pairs, finds the tree, and chooses the smoothing on val."""
        pairs = pair_counts(train, self.levels)  # (D, K, D, K)
        self.order, self.parent = tree(mutual_information(pairs, len(train)))
        each = torch.arange(self.domain.dim, device=self.device)
        joint = pairs[self.parent, :, each]  # (D, parent's level, own level)
        own = one_hot_counts(train, self.levels)
        tables = [self._smoothed(joint, own, len(train), s) for s in PSEUDO_COUNTS]
        scores = []
        for self.log_table in tables:
            scores.append(self.judge(val))
        self.log_table = tables[int(np.argmax(scores))]

    def _smoothed(self, joint: Tensor, own: Tensor, n: int, s: float) -> Tensor:
        marginal = ((own + s / self.levels) / (n + s)).unsqueeze(1)
        table = (joint + s * marginal) / (joint.sum(2, keepdim=True) + s)
        root = self.order[0]
        table[root] = marginal[root]
        return table.log()

    def log_law(self, x: Tensor) -> Tensor:
        rows = x.long()
        each = torch.arange(rows.shape[1], device=rows.device)
        return self.log_table[each, rows[:, self.parent], rows].sum(1)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        rows = torch.zeros(n, self.domain.dim, dtype=torch.long, device=self.device)
        for d in self.order.tolist():
            p = self.log_table[d, rows[:, self.parent[d]]].exp()
            rows[:, d] = p.multinomial(1).squeeze(1)
        return rows.reshape(n, *self.domain.shape)


def pair_counts(rows: Tensor, levels: int) -> Tensor:
    """Returns how often two coordinates have two levels, float64 `(D, K, D, K)`."""
    D = rows.shape[1]
    total = torch.zeros(D * levels, D * levels, dtype=torch.double, device=rows.device)
    for part in rows.split(ROWS):  # float32 counts of so few rows are exact
        hot = torch.nn.functional.one_hot(part.long(), levels).flatten(1).float()
        total += (hot.mT @ hot).double()
    return total.view(D, levels, D, levels)


def mutual_information(pairs: Tensor, n: int) -> Tensor:
    """Returns the mutual information of each two coordinates in nats, `(D, D)`."""
    D, K = pairs.shape[:2]
    own = pairs.view(D * K, D * K).diagonal().view(D, K)
    log_own = (own / n).clamp_min(1e-300).log()
    found = torch.empty(D, D, dtype=torch.double, device=pairs.device)
    for d in range(D):
        p = pairs[d] / n  # (K, D, K)
        log_ratio = p.clamp_min(1e-300).log() - log_own[d][:, None, None] - log_own
        found[d] = (p * log_ratio).sum((0, 2))
    return found


def tree(information: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the coordinates from the root down, and the parent of each; the root is its own."""
    if len(information) == 1:
        return (torch.zeros(1, dtype=torch.long, device=information.device),) * 2
    # Lengths are positive, for scipy takes 0 for no edge.
    lengths = (1 + information.max() - information).cpu().numpy()
    np.fill_diagonal(lengths, 0)
    order, parent = breadth_first_order(minimum_spanning_tree(lengths), 0, directed=False)
    parent[order[0]] = order[0]
    found = (torch.from_numpy(v).long().to(information.device) for v in (order, parent))
    return next(found), next(found)
