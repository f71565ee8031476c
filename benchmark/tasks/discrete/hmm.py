r"""A hidden Markov chain with exact likelihood (Rabiner 1989, eq. 19-21).

A state s_1 ~ pi, s_t ~ A[s_(t-1)] emits the symbol x_t ~ B[s_t]. The forward recursion

    alpha_1(s) = pi(s) B[s, x_1],     alpha_t(s) = B[s, x_t] sum_r alpha_(t-1)(r) A[r, s]

gives p(x_1..T) = sum_s alpha_T(s). State s stays with probability 0.9 and else moves on to the
next; it emits symbol v with a probability proportional to exp(-2 d), d the distance of v from the
symbol s V / S around a circle of V symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...contract.task import Card, Domain, Task
from ..densities.law import drawn
from ..outline import Outline
from ..refusals import DISCRETE, enumerable

STAY = 0.9
NO_ENTROPY = (
    "No entropy is given: the law is exact, but its sequences are too many to list, and a "
    "simulation to 1e-4 nats would take billions of draws. The oracle's NLL estimates it."
)


class HiddenMarkov:
    """The chain.

    Args:
        states: Number S of hidden states.
        symbols: Number V of symbols.
        length: Length T of a sequence.
    """

    def __init__(self, states: int, symbols: int, length: int) -> None:
        self.states, self.symbols, self.length = states, symbols, length
        eye = torch.eye(states, dtype=torch.float64)
        self.initial = torch.full((states,), 1 / states, dtype=torch.float64)
        self.transition = STAY * eye + (1 - STAY) * eye.roll(1, dims=1)
        centre = torch.arange(states) * symbols / states
        gap = (torch.arange(symbols) - centre[:, None]).abs()
        self.emission = (-2 * torch.minimum(gap, symbols - gap)).double().softmax(1)

    def draw(self, n: int) -> Tensor:
        """Returns n exact draws, int64 `(n, T)`, from torch's current random state."""
        state = torch.multinomial(self.initial, n, replacement=True)
        symbols = []
        for _ in range(self.length):
            symbols.append(torch.multinomial(self.emission[state], 1)[:, 0])
            state = torch.multinomial(self.transition[state], 1)[:, 0]
        return torch.stack(symbols, 1)

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log p(x) in nats by the forward recursion: `(B, T)` to float32 `(B,)`."""
        initial, transition, emission = (
            p.to(x.device) for p in (self.initial, self.transition, self.emission.T)
        )
        alpha = initial * emission[x[:, 0].long()]
        log_p = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for t in range(1, self.length):
            total = alpha.sum(1)  # rescaled at every step, so that long sequences do not underflow
            log_p = log_p + total.log()
            alpha = (alpha / total[:, None]) @ transition * emission[x[:, t].long()]
        return (log_p + alpha.sum(1).log()).float()


def entropy(chain: HiddenMarkov, domain: Domain) -> float:
    """Returns the entropy in nats by listing all V^T sequences."""
    log_p = chain.log_density(domain.states()).double()
    return -float((log_p.exp() * log_p).sum())


def hmm(states: int, symbols: int, length: int) -> Outline:
    """Returns `hmm-T`: with exact entropy where there are at most 2^16 sequences."""
    chain = HiddenMarkov(states, symbols, length)
    domain = Domain((length,), levels=symbols, ordered=False, layout="sequence")
    few = domain.is_enumerable
    pitfalls = "Symbols lie on a circle: 0 and the last one are neighbours."
    card = Card(
        summary=f"{length} symbols of {symbols} from a hidden Markov chain of {states} states.",
        citation="Rabiner 1989, A Tutorial on Hidden Markov Models, Proceedings of the IEEE 77",
        pitfalls=pitfalls if few else f"{pitfalls} {NO_ENTROPY}",
    )
    refuses = enumerable(int(domain.num_states)) if few else DISCRETE
    task = Task(
        name=f"hmm-{length}",
        version=2,  # 1 had 10,000 training rows
        domain=domain,
        kind="sequence",
        feature_map="one-hot",
        draw=chain.draw,
        log_density=chain.log_density,
        entropy=entropy(chain, domain) if few else None,
        primary="mmd",
        refuses={k: v for k, v in refuses.items() if k != "kl_to_truth"},
        card=card,
    )
    return drawn(task, chain.draw)
