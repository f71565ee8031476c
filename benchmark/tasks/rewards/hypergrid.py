r"""The hypergrid reward of GFlowNets (Bengio et al. 2021, arXiv:2106.04399, section 4.1).

A state is x in {0, ..., H-1}^D. With u_i = |x_i / (H - 1) - 1/2|,

    R(x) = R0 + 1/2 prod_i [1/4 < u_i <= 1/2] + 2 prod_i [3/10 < u_i < 4/10],      p = R / Z.

Of one coordinate's H values, a are in the outer band and b of these in the ring. So everything is
in closed form: Z = R0 H^D + a^D / 2 + 2 b^D, and p is a mixture of three uniform laws. All H^D
states count, as in trajectory balance (arXiv:2201.13259) and torchgfn. In the code of 2021 a state
with two coordinates at H - 1 cannot be reached: a set of v values that holds H - 1 then gives
(v - 1)^D + D (v - 1)^(D - 1) states in the place of v^D, and log Z differs.

Bands are compared in whole numbers. In floating point H = 16 goes wrong (3/15 is on the ring's
edge): float64 finds 9 states of highest reward in the plane, the definition has 4.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...contract.task import Card, Domain, Modes, Task
from ..densities.law import SIZES, drawn
from ..outline import Outline
from ..refusals import enumerable
from .environments import Grid

MOST_TEST = 20_480


class Hypergrid:
    """The reward and its exact law.

    Args:
        dim: Number D of coordinates.
        height: Number H of values of each.
        r0: Reward R0 > 0 away from the modes.
        stops_at_edge: Whether only states with at most one coordinate at H - 1 count.
    """

    def __init__(
        self, dim: int = 2, height: int = 8, r0: float = 0.1, stops_at_edge: bool = False
    ) -> None:
        if dim < 1 or height < 2 or r0 <= 0:
            raise ValueError(f"Expected D >= 1, H >= 2, R0 > 0, got {dim}, {height}, {r0}.")
        self.dim, self.height, self.r0 = dim, height, r0
        self.environment = Grid(dim, height, stops_at_edge)
        every = torch.arange(height)
        self.values = [every, every[self._outer(every)], every[self._ring(every)]]
        heights = [r0, 0.5, 2.0]
        self.counts = [self._count(values) for values in self.values]
        # Of the three uniform laws.
        self.masses = [h * n for h, n in zip(heights, self.counts, strict=True)]

    def _count(self, values: Tensor) -> int:
        """States of the environment whose coordinates are all among some values."""
        v, edge = len(values), bool((values == self.height - 1).any())
        if self.environment.is_full or not edge:
            return v**self.dim
        return (v - 1) ** self.dim + self.dim * (v - 1) ** (self.dim - 1)

    def _outer(self, x: Tensor) -> Tensor:
        """1/4 < u: with a = |2x - (H - 1)|, u = a / (2 (H - 1))."""
        return 2 * (2 * x - (self.height - 1)).abs() > self.height - 1

    def _ring(self, x: Tensor) -> Tensor:
        """3/10 < u < 4/10."""
        a = 10 * (2 * x - (self.height - 1)).abs()
        return (6 * (self.height - 1) < a) & (a < 8 * (self.height - 1))

    def log_reward(self, x: Tensor) -> Tensor:
        """Returns log R(x) in nats, -inf for what cannot be built: `(B, D)` to float32 `(B,)`."""
        x = x.long()
        outer, ring = self._outer(x).all(1), self._ring(x).all(1)
        log_r = (self.r0 + 0.5 * outer + 2.0 * ring).log()
        if self.environment.is_full:
            return log_r
        return log_r.where(self.environment.admits(x), -math.inf)

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log p(x) in nats: `(B, D)` to float32 `(B,)`."""
        return self.log_reward(x) - self.log_z

    @property
    def log_z(self) -> float:
        """The normaliser log sum_x R(x) in nats, in closed form."""
        return math.log(sum(self.masses))

    @property
    def entropy(self) -> float:
        """Entropy of p in nats: log Z - E[log R], over the three levels of R."""
        every, outer, ring = self.counts
        levels = ((every - outer, self.r0), (outer - ring, self.r0 + 0.5), (ring, self.r0 + 2.5))
        mean = sum(n * r * math.log(r) for n, r in levels) / sum(self.masses)
        return self.log_z - mean

    def draw(self, n: int) -> Tensor:
        """Returns n exact draws, int64 `(n, D)`: a uniform law by its mass, then a point of it."""
        law = torch.multinomial(torch.tensor(self.masses), n, replacement=True)
        x = torch.empty(n, self.dim, dtype=torch.long)
        for i, values in enumerate(self.values):
            mine = law == i
            while mine.any():
                x[mine] = values[torch.randint(len(values), (int(mine.sum()), self.dim))]
                mine = mine & ~self.environment.admits(x)  # what cannot be reached is drawn anew
        return x

    def assign(self, x: Tensor) -> Tensor:
        """Returns the corner 0..2^D - 1 of a state of highest reward, -1 elsewhere: `(N,)`."""
        x = x.long()
        corner = (2 * x > self.height - 1).long()
        place = 2 ** torch.arange(self.dim - 1, -1, -1, device=x.device)
        return torch.where(self._ring(x).all(1), (corner * place).sum(1), -1)

    def modes(self) -> Modes | None:
        """Returns the 2^D connected regions of highest reward R0 + 2.5; None if H has none."""
        return Modes(2**self.dim, self.assign) if len(self.values[2]) else None


def hypergrid(
    dim: int = 2,
    height: int = 8,
    r0: float = 0.1,
    stops_at_edge: bool = False,
    name: str | None = None,
) -> Outline:
    """Returns the hypergrid task of H^D states, with reward and with exact draws to learn from.

    Args:
        dim: Number D of coordinates.
        height: Number H of values of each.
        r0: Reward away from the modes; the smaller, the harder to find the modes.
        stops_at_edge: Whether it is the graph of 2021, in which an episode stops at an edge.
        name: Its name; `hypergrid-8x8` and so on where left out.
    """
    law = Hypergrid(dim, height, r0, stops_at_edge)
    graph = "episodes stop at an edge, as in 2021" if stops_at_edge else "all states"
    card = Card(
        summary=f"A state of the {height}^{dim} hypergrid, reward R0 = {r0:g} away from the "
        f"modes; {graph}.",
        citation="Bengio et al. 2021, Flow Network based Generative Models, arXiv:2106.04399",
        pitfalls="L1 here is a sum over states (older code prints a mean, smaller by H^D); an "
        "exact sampler has a floor above 0; modes are the 2^D regions of highest reward, not "
        "their states; the code of 2021 cannot reach states with two coordinates at H - 1.",
    )
    task = Task(
        name=name or "hypergrid-" + "x".join([str(height)] * dim),
        # 1 had 10,000 training rows, 2 had 4,096 test rows on large grids too.
        version=3 if law.counts[0] > 1000 else 2,
        domain=Domain((dim,), levels=height, layout="grid", environment=law.environment),
        kind="grid",
        draw=law.draw,
        log_density=law.log_density,
        log_reward=law.log_reward,
        log_partial_reward=law.log_reward,
        log_z=law.log_z,
        entropy=law.entropy,
        modes=law.modes(),
        primary="empirical_total_variation",
        refuses=enumerable(law.counts[0]),
        card=card,
    )
    # Five samples a state, where that is not too many: empirical distances ask for them.
    return drawn(task, law.draw, max(SIZES["test"], min(5 * law.counts[0], MOST_TEST)))
