r"""Bit sequences with sixty modes (Malkin et al. 2022, arXiv:2201.13259, section 5.3).

    log R(x) = -2 min_{m in M} hamming(x, m),      x in {0, 1}^120,

M holds 60 sequences of 15 words each, drawn from 00000000, 11111111, 11110000, 00001111 and
00111100. Words of k bits are put at any empty place. A mode is found by a point within 30 bits.

R is at most Q(x) = sum_m exp(-2 hamming(x, m)), whose law is a mixture of independent flips. So
draws of that mixture, taken with probability R / Q, are exact draws of R; and
Z = 60 (1 + exp(-2))^120 E_Q[R / Q], whose last factor is 1 - 6e-9, estimated from 2^14 fixed draws
(their standard deviation is 1e-6).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ...contract.model import seeded
from ...contract.task import Card, Domain, Modes, Task
from ..densities.law import drawn
from ..outline import Outline
from ..refusals import MANY_POINTS
from .environments import Places

LENGTH, COUNT, WORD = 120, 60, 8
WORDS = ("00000000", "11111111", "11110000", "00001111", "00111100")
SHARPNESS, FOUND = 2.0, 30
TEST = 1024  # a bound walks back from each row many times
MODES_SEED, Z_SEED, POINTS_SEED = 120_060, 120_061, 120_062


@lru_cache(maxsize=1)
def modes() -> Tensor:
    """Returns the 60 modes, float32 `(60, 120)`."""
    words = torch.tensor([[float(bit) for bit in word] for word in WORDS])
    with seeded(MODES_SEED):
        return words[torch.randint(len(WORDS), (COUNT, LENGTH // WORD))].flatten(1)


def distances(x: Tensor, filled: Tensor | None = None) -> Tensor:
    """Returns the Hamming distances of bits `(B, 120)` to the modes, `(B, 60)`.

    Args:
        x: Bits.
        filled: Which bits count, `(B, 120)`; all where left out.
    """
    m, x = modes().to(x.device), x.float()
    f = torch.ones_like(x) if filled is None else filled.float()
    x = x * f
    return x @ (1 - m).T + (f - x) @ m.T


def log_reward(x: Tensor) -> Tensor:
    """Returns log R(x) in nats: bits `(B, 120)` to `(B,)`."""
    return -SHARPNESS * distances(x).amin(1)


def assign(x: Tensor) -> Tensor:
    """Returns the nearest mode of points `(B, 120)`, -1 where it is more than 30 bits away."""
    distance, mode = distances(x).min(1)
    return mode.where(distance <= FOUND, -1)


class PartialReward:
    """What the bits that are there say: -2 times their distance to the nearest mode.

    Args:
        environment: Whose states are judged.
    """

    def __init__(self, environment: Places) -> None:
        self.environment = environment

    def __call__(self, states: Tensor) -> Tensor:
        """Maps states `(N, places)` to nats `(N,)`."""
        filled = (states > 0).repeat_interleave(self.environment.bits, 1)
        x = self.environment.points(states.clamp(min=1))
        return -SHARPNESS * distances(x, filled).amin(1)


FLIP = 1 / (1 + math.exp(SHARPNESS))  # the share of bits that the mixture flips


def _proposed(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """N draws of the mixture of flips, R / Q of each, and how many bits were flipped."""
    chosen = modes()[torch.randint(COUNT, (n,))]
    flipped = torch.rand(n, LENGTH) < FLIP
    x = (chosen != flipped).long()
    d = -SHARPNESS * distances(x).double()
    return x, (d.amax(1) - d.logsumexp(1)).exp(), flipped.sum(1)


def draw(n: int) -> Tensor:
    """Returns n exact draws, int64 `(n, 120)`, from torch's current random state."""
    kept = torch.empty(0, LENGTH, dtype=torch.long)
    while len(kept) < n:
        x, share, _ = _proposed(n - len(kept))
        kept = torch.cat([kept, x[torch.rand(len(x)) < share]])
    return kept


@lru_cache(maxsize=1)
def moments() -> tuple[float, float]:
    """Returns log Z and the entropy in nats, estimated; both are right to 1e-6.

    The entropy is log Z - E_p[log R], E_p[f] = E_Q[f R / Q] / E_Q[R / Q]. The number of flipped
    bits, whose mean under Q is known, is taken from log R: what is left hardly varies.
    """
    with seeded(Z_SEED):
        x, share, flips = _proposed(2**14)
    log_z = math.log(COUNT) + LENGTH * math.log1p(math.exp(-SHARPNESS)) + share.mean().log()
    known = -SHARPNESS * LENGTH * FLIP
    rest = (share * log_reward(x).double() + SHARPNESS * flips).mean()
    return float(log_z), float(log_z - (known + rest) / share.mean())


def log_density(x: Tensor) -> Tensor:
    """Returns log p(x) in nats: bits `(B, 120)` to `(B,)`."""
    return log_reward(x) - moments()[0]


@lru_cache(maxsize=1)
def ranked_points() -> Tensor:
    """Returns 1,200 test strings: each mode with 0, 6, ..., 114 of its bits flipped.

    The literature takes every number of flips to 119, 7,200 strings; a sixth of them tells a rank
    correlation as well, at a sixth of the cost of a bound.
    """
    flipped = torch.arange(0, LENGTH, 6)[:, None]
    with seeded(POINTS_SEED):
        order = torch.rand(COUNT, len(flipped), LENGTH).argsort(2).argsort(2)
    flips = order < flipped
    return (modes()[:, None] != flips).long().flatten(0, 1)


def bit_sequences(bits: int) -> Outline:
    """Returns `bit-sequences-k`.

    Args:
        bits: Bits k of a word that a move puts; a divisor of 120.
    """
    if bits < 1 or LENGTH % bits:
        raise ValueError(f"Expected a divisor of {LENGTH}, got {bits}.")
    environment = Places(LENGTH // bits, bits)
    log_z, entropy = moments()
    card = Card(
        summary=f"120 bits near one of 60 modes, built from {bits}-bit words.",
        citation="Malkin et al. 2022, Trajectory balance, arXiv:2201.13259, section 5.3",
        pitfalls="The modes are drawn here by a fixed seed: the paper's own were not published. "
        "Words go to any empty place; in the paper they are appended. log Z is an estimate, right "
        "to 1e-7.",
    )
    task = Task(
        name=f"bit-sequences-{bits}",
        version=2,  # 1 had 4,096 test rows and 7,200 points
        domain=Domain((LENGTH,), levels=2, layout="bits", environment=environment),
        kind="bit-sequence",
        draw=draw,
        log_density=log_density,
        log_reward=log_reward,
        log_partial_reward=PartialReward(environment),
        reward_points=ranked_points(),
        log_z=log_z,
        entropy=entropy,
        modes=Modes(COUNT, assign),
        primary="reward_correlation",
        refuses=MANY_POINTS,
        card=card,
    )
    return drawn(task, draw, TEST)
