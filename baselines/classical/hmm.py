r"""Hidden Markov chain, fitted by the Baum-Welch algorithm.

Baum, Petrie, Soules & Weiss 1970; in the notation of Rabiner, A Tutorial on Hidden Markov Models,
Proceedings of the IEEE 77 (1989). A state s_1 ~ pi, s_t ~ A[s_{t-1}] emits a symbol x_t ~ B[s_t].
With the forward and backward variables (eq. 19 to 25), rescaled at each place,

    gamma_t(s) = p(s_t = s | x),      xi_t(r, s) = p(s_t = r, s_{t+1} = s | x),

the parameters become the expected frequencies of starts, moves and emissions (eq. 40), which
raises the likelihood until it stands, often at a local maximum: many random starts make a short
run, the best goes on. Numbers of states compete on validation rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...benchmark.contract.model import Budget
from ...benchmark.contract.task import Domain, TrainingTask
from ..chunks import in_chunks
from .counted import Counted

SHOWN = 2000  # rows that short runs are fitted to
SHORT = 40  # iterations of a short run
STANDS = 1e-4  # gain in nats a row below which a run has converged
PRIOR = 1e-2  # pseudo-count of every frequency: no symbol is impossible
MOST_SYMBOLS = 1024


@dataclass(frozen=True)
class Chain:
    """The parameters, float64.

    Attributes:
        initial: pi, shape `(S,)`.
        transition: A, shape `(S, S)`, rows sum to 1.
        emission: B, shape `(S, V)`, rows sum to 1.
    """

    initial: Tensor
    transition: Tensor
    emission: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the rescaled forward variables `(T, B, S)` and the log of scales `(T, B)`."""
        alphas, scales = [], []
        alpha = self.initial.expand(len(x), -1)
        for t in range(x.shape[1]):
            alpha = (alpha @ self.transition if t else alpha) * self.emission.T[x[:, t]]
            scale = alpha.sum(1, keepdim=True)
            alpha = alpha / scale
            alphas.append(alpha)
            scales.append(scale.log().squeeze(1))
        return torch.stack(alphas), torch.stack(scales)


class HMM(Counted):
    """Hidden Markov chain over sequences, or bits in their given order.

    Args:
        domain: What one point is.
        states: Numbers S of hidden states that compete.
        restarts: Random starts of each.
        max_rows: Most training rows, drawn at random; all by default.
    """

    paper = "Baum, Petrie & others 1970"
    is_floor = False

    initial: Tensor
    transition: Tensor
    emission: Tensor

    def __init__(
        self,
        domain: Domain,
        states: tuple[int, ...] = (4, 8, 16),
        restarts: int = 8,
        max_rows: int | None = 20_000,
    ) -> None:
        super().__init__(domain)
        if not states or min(states) < 1 or restarts < 1:
            raise ValueError("Expected positive numbers of states and restarts.")
        self.states, self.restarts, self.max_rows = states, restarts, max_rows
        S, V = states[0], domain.levels or 1
        self._take(Chain(*(torch.full(shape, 1 / shape[-1]).double() for shape in shapes(S, V))))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.levels is None:
            return "it counts levels, and real values have none"
        if domain.layout not in ("sequence", "bits"):
            return "it follows the order of a sequence, and other domains have none"
        if domain.levels > MOST_SYMBOLS:
            return f"its states emit at most {MOST_SYMBOLS:,} symbols"
        return None

    @property
    def chain(self) -> Chain:
        """The fitted parameters."""
        return Chain(self.initial, self.transition, self.emission)

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Makes at most `budget.steps` iterations from each start; see `Counted.fit`."""
        self.steps = budget.steps
        super().fit(task, budget)

    def count(self, train: Tensor, val: Tensor) -> None:
        """Makes short runs from every start; the best of each number of states goes on."""
        rows = train[torch.randperm(len(train), device=train.device)[: self.max_rows]].long()
        few, ends = rows[:SHOWN], []
        for S in self.states:
            starts = [random_chain(S, self.domain.levels or 1, rows) for _ in range(self.restarts)]
            runs = [baum_welch(few, start, min(SHORT, self.steps)) for start in starts]
            chain, _ = max(runs, key=lambda run: run[1])
            self._take(baum_welch(rows, chain, max(self.steps - SHORT, 0))[0])
            ends.append((self.judge(val), self.chain))
        self._take(max(ends, key=lambda end: end[0])[1])

    def _take(self, chain: Chain) -> None:
        for name in ("initial", "transition", "emission"):
            self.register_buffer(name, getattr(chain, name))

    def log_law(self, x: Tensor) -> Tensor:
        f = lambda part: self.chain.forward(part.long())[1].sum(0)  # noqa: E731
        return in_chunks(f, x, x.shape[1] * len(self.initial))

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        state, symbols = self.initial.expand(n, -1).multinomial(1)[:, 0], []
        for _ in range(self.domain.dim):
            symbols.append(self.emission[state].multinomial(1))
            state = self.transition[state].multinomial(1)[:, 0]
        return torch.cat(symbols, 1).reshape(n, *self.domain.shape)


def shapes(states: int, symbols: int) -> tuple[tuple[int, ...], ...]:
    """Returns the shapes of pi, A and B."""
    return (states,), (states, states), (states, symbols)


def random_chain(states: int, symbols: int, rows: Tensor) -> Chain:
    """Draws a start: moves at random, emissions around the frequencies of the symbols."""
    frequency = rows.flatten().bincount(minlength=symbols).double() + 1
    initial, transition, emission = (
        torch.empty(shape, dtype=torch.double, device=rows.device).exponential_() + 0.1
        for shape in shapes(states, symbols)
    )
    parts = (initial, transition, emission * frequency)
    return Chain(*(part / part.sum(-1, keepdim=True) for part in parts))


def baum_welch(rows: Tensor, chain: Chain, steps: int) -> tuple[Chain, float]:
    """Improves a chain until it stands.

    Args:
        rows: int64 `(N, T)`.
        chain: Where it starts.
        steps: Most iterations.

    Returns:
        The chain, and the mean log-likelihood of the rows before the last iteration, in nats.
    """
    before = -math.inf
    for _ in range(steps):
        improved, score = improve(rows, chain)
        chain = improved
        if score - before < STANDS:
            before = score
            break
        before = score
    return chain, before


def improve(rows: Tensor, chain: Chain, chunk: int = 4096) -> tuple[Chain, float]:
    """Makes one iteration; returns the chain, and the mean log-likelihood of the one before."""
    counts = [torch.full_like(part, PRIOR) for part in vars(chain).values()]
    total = 0.0
    for part in rows.split(chunk):
        total += _expect(part, chain, counts)
    return Chain(*(c / c.sum(-1, keepdim=True) for c in counts)), total / len(rows)


def _expect(x: Tensor, chain: Chain, counts: list[Tensor]) -> float:
    """Adds the expected starts, moves and emissions of rows; returns their log-likelihood."""
    starts, moves, emissions = counts
    alpha, scales = chain.forward(x)
    beta = torch.ones_like(alpha[0])
    for t in range(x.shape[1] - 1, -1, -1):
        gamma = alpha[t] * beta
        emissions.index_add_(1, x[:, t], gamma.T)
        if t == 0:
            starts += gamma.sum(0)
            break
        ahead = chain.emission.T[x[:, t]] * beta / scales[t].exp()[:, None]
        moves += chain.transition * (alpha[t - 1].T @ ahead)
        beta = ahead @ chain.transition.T
    return float(scales.sum())
