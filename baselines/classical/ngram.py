r"""n-grams: each coordinate given the few before it, by counts that shorter contexts fill up.

With n(c, x) the occurrences of x after the context c and c' the context without its first symbol,

    p(x | c) = (n(c, x) + a p(x | c')) / (n(c) + a),        p(x | without context') = 1 / K,

the posterior mean of a hierarchy of Dirichlet laws (MacKay & Peto, A Hierarchical Dirichlet
Language Model, Natural Language Engineering 1, 1995, eq. 21). The order (1 to 5: no to four
symbols of context), the weight a, and whether counts are shared by all positions are chosen on
validation rows. The first symbols have as much context as there is.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.task import Domain
from .counted import Counted

ORDERS = 5
WEIGHTS = (0.3, 1.0, 3.0, 10.0, 30.0)


class NGram(Counted):
    """Markov chain of a low order: a floor of sequences, and of bits in their given order.

    Args:
        domain: What one point is.
        orders: Largest order n that is tried.
    """

    paper = "MacKay & Peto 1995"

    weight: Tensor
    order: Tensor
    shared: Tensor

    def __init__(self, domain: Domain, orders: int = ORDERS) -> None:
        super().__init__(domain)
        if not 1 <= orders <= ORDERS:
            raise ValueError(f"Expected orders within 1..{ORDERS}, got {orders}.")
        self.orders = orders
        self.levels = domain.levels or 0
        self.register_buffer("order", torch.tensor(1))
        self.register_buffer("weight", torch.tensor(1.0, dtype=torch.double))
        self.register_buffer("shared", torch.tensor(True))
        for m in range(1, ORDERS + 1):  # n-grams by their codes, increasing, and their counts
            for name in ("grams", "contexts"):
                self.register_buffer(f"{name}{m}", torch.zeros(0, dtype=torch.long))
                self.register_buffer(f"{name}{m}_counts", torch.zeros(0, dtype=torch.long))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.levels is None:
            return "it counts levels, and real values have none"
        if domain.layout not in ("sequence", "bits"):
            return "it follows the order of a sequence, and other domains have none"
        if domain.dim * domain.levels**ORDERS >= 2**63:
            return "its contexts are more than can be numbered"
        return None

    def count(self, train: Tensor, val: Tensor) -> None:
        """Counts all orders, by position and not; chooses on val."""
        trials = []
        for shared in (True, False):
            self._tables(train, shared)
            for order, weight in product(range(1, self.orders + 1), WEIGHTS):
                self.order.fill_(order)
                self.weight.fill_(weight)
                trials.append((self.judge(val), shared, order, weight))
        _, shared, order, weight = max(trials)
        self._tables(train, shared)
        self.order.fill_(order)
        self.weight.fill_(weight)

    def _tables(self, train: Tensor, shared: bool) -> None:
        self.shared.fill_(shared)
        rows = train.long()
        for m in range(1, self.orders + 1):
            context = self._codes(rows, m)
            for name, codes in (("grams", context * self.levels + rows), ("contexts", context)):
                kept = codes[:, m - 1 :] if self.shared else codes
                table, counts = kept.unique(return_counts=True)
                setattr(self, f"{name}{m}", table)
                setattr(self, f"{name}{m}_counts", counts)

    def _codes(self, rows: Tensor, m: int, first: int = 0) -> Tensor:
        """Numbers of the contexts of m - 1 symbols; the first column is coordinate `first`."""
        code, D = torch.zeros_like(rows), rows.shape[1]
        for back in range(m - 1, 0, -1):
            code = code * self.levels + functional.pad(rows, (back, 0))[:, :D]
        if self.shared:
            return code
        return code + torch.arange(first, first + D, device=rows.device) * self.levels ** (m - 1)

    def log_law(self, x: Tensor) -> Tensor:
        rows = x.long()
        p = torch.full(rows.shape, 1 / self.levels, dtype=torch.double, device=rows.device)
        place = torch.arange(rows.shape[1], device=rows.device)
        for m in range(1, int(self.order) + 1):
            filled = self._filled(m, self._codes(rows, m), rows, p)
            p = torch.where(place >= m - 1, filled, p)
        return p.log().sum(1)

    def _filled(self, m: int, context: Tensor, x: Tensor, shorter: Tensor) -> Tensor:
        """p(x | c) of order m where p(x | c') is given, shapes alike."""
        hits = self._lookup(f"grams{m}", context * self.levels + x)
        total = self._lookup(f"contexts{m}", context)
        return (hits + self.weight * shorter) / (total + self.weight)

    def _lookup(self, name: str, codes: Tensor) -> Tensor:
        table: Tensor = getattr(self, name)
        counts: Tensor = getattr(self, f"{name}_counts")
        place = torch.searchsorted(table, codes.contiguous()).clamp_max(max(len(table) - 1, 0))
        return counts[place] * (table[place] == codes) if len(table) else torch.zeros_like(codes)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        rows = torch.zeros(n, self.domain.dim, dtype=torch.long, device=self.device)
        symbols = torch.arange(self.levels, device=self.device).expand(n, -1)
        for d in range(self.domain.dim):
            p = torch.full_like(symbols, 1 / self.levels, dtype=torch.double)
            for m in range(1, min(int(self.order), d + 1) + 1):
                first = d - m + 1
                context = self._codes(rows[:, first : d + 1], m, first)[:, -1:]
                p = self._filled(m, context.expand(-1, self.levels), symbols, p)
            rows[:, d] = p.multinomial(1).squeeze(1)
        return rows.reshape(n, *self.domain.shape)
