"""What a model without a normaliser may offer: its density up to Z, a base, and moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Energy:
    """p(z) = f(z) / Z of states z, with a base of known normaliser; log-densities in nats.

    A state may hold more than a point (the hidden units of an RBM): Z is the same.

    Attributes:
        log_f: log f of states `(C, 1, *event)`, shape `(C, 1)`.
        log_base: log of the normalised base, likewise.
        draw_base: Draws n states of the base, shape `(n, *event)`.
        transition: Makes kernels between base and target, each a `metrics.likelihood` transition.
        words: What a reader must know; empty for nothing.
    """

    log_f: Callable[[Tensor], Tensor]
    log_base: Callable[[Tensor], Tensor]
    draw_base: Callable[[int], Tensor]
    transition: Callable[[], Any]
    words: str = ""
