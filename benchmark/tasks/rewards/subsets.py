r"""Sets of K of N items, each with a value: the set generation of forward-looking GFlowNets.

Pan et al. 2023 (arXiv:2302.01687, section 5.1). With fixed values t_i in [-1, 1],

    log R(S) = sum_{i in S} t_i,      Z = e_K(exp t_1, ..., exp t_N),

the elementary symmetric polynomial, by the recursion e_k(n) = e_k(n-1) + exp(t_n) e_{k-1}(n-1).
The same table gives exact draws: item n belongs to the set with probability
exp(t_n) e_{k-1}(n-1) / e_k(n), k being the places that are left.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...contract.model import seeded
from ...contract.task import Card, Domain, Task
from ..densities.law import drawn
from ..outline import Outline
from ..refusals import MANY_SETS, enumerable
from .enumerated import Density, Reward
from .environments import Subsets

VALUES_SEED = 30_020


class SubsetReward:
    """The reward, its normaliser and its exact sampler.

    Args:
        items: Number N of items.
        size: Number K of items of a set.
    """

    def __init__(self, items: int, size: int) -> None:
        self.environment = Subsets(items, size)
        self.items, self.size = items, size
        with seeded(VALUES_SEED):
            self.values = 2 * torch.rand(items, dtype=torch.double) - 1

    def log_reward(self, x: Tensor) -> Tensor:
        """Returns log R in nats, of sets or of sets on the way: bits `(B, N)` to `(B,)`."""
        return (x.double() @ self.values.to(x.device)).float()

    def table(self, values: Tensor) -> Tensor:
        """Returns log e_k of the first n items, float64 `(N + 1, K + 1)`."""
        # Not infinity: its difference has no gradient.
        row = torch.tensor([0.0] + self.size * [-1e30], dtype=torch.double)
        rows = [row]
        for value in values:
            row = torch.cat([row[:1], torch.logaddexp(row[1:], row[:-1] + value)])
            rows.append(row)
        return torch.stack(rows)

    def moments(self) -> tuple[float, float]:
        """Returns log Z and the entropy in nats: d log Z / d t_i is the share of sets with i."""
        values = self.values.clone().requires_grad_()
        log_z = self.table(values)[-1, -1]
        (share,) = torch.autograd.grad(log_z, values)
        return float(log_z.detach()), float((log_z - share @ values).detach())

    def draw(self, n: int) -> Tensor:
        """Returns n exact draws, int64 `(n, N)`, from torch's current random state."""
        table = self.table(self.values)
        left = torch.full((n,), self.size)
        x = torch.zeros(n, self.items, dtype=torch.long)
        for item in reversed(range(self.items)):
            before = table[item][(left - 1).clamp(min=0)]
            share = (self.values[item] + before - table[item + 1][left]).exp()
            taken = (torch.rand(n, dtype=torch.double) < share) & (left > 0)
            x[:, item] = taken
            left = left - taken.long()
        return x


def subsets(items: int, size: int) -> Outline:
    """Returns `subsets-N-K`, the sets of K of N items.

    Args:
        items: Number N of items.
        size: Number K of items of a set.
    """
    reward = SubsetReward(items, size)
    log_z, entropy = reward.moments()
    domain = Domain((items,), levels=2, layout="bits", environment=reward.environment)
    log_reward = Reward(domain, reward.log_reward)
    card = Card(
        summary=f"A set of {size} of {items} items, worth the sum of its items' values.",
        citation="Pan et al. 2023, Better Training of GFlowNets with Local Credit and Incomplete "
        "Trajectories, arXiv:2302.01687",
        pitfalls=f"Only bits with exactly {size} ones are points: what a model puts elsewhere is "
        "counted as one more state.",
    )
    task = Task(
        name=f"subsets-{items}-{size}",
        version=1,
        domain=domain,
        kind="bits",
        draw=reward.draw,
        log_density=Density(log_reward, log_z),
        log_reward=log_reward,
        log_partial_reward=reward.log_reward,
        log_z=log_z,
        entropy=entropy,
        primary="empirical_total_variation" if domain.is_enumerable else "elbo_gap",
        refuses=enumerable(int(domain.num_states)) if domain.is_enumerable else MANY_SETS,
        card=card,
    )
    return drawn(task, reward.draw)
