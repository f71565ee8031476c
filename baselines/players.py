"""Who plays in training: parameters, the loss that they descend, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Schedule = Callable[[float], float]


def half_cosine(progress: float) -> float:
    """Falls from 1 to 0 by half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def constant(progress: float) -> float:
    """Stays 1."""
    return 1.0


def warm_up(share: float, then: Schedule = half_cosine) -> Schedule:
    """Rises linearly from 0 to 1 in the first share of a phase, then follows another schedule."""

    def schedule(progress: float) -> float:
        if progress < share:
            return progress / share
        return then((progress - share) / (1 - share))

    return schedule


@dataclass
class Player:
    """Parameters and the loss they descend.

    Attributes:
        name: What its curve is called.
        params: The parameters it moves, or Adam's parameter groups where learning rates differ:
            `[{"params": ..., "lr": ...}, ...]`.
        loss: Maps a batch to a scalar; reads parameters, buffers, the batch and the model's
            `progress` and `average`, and writes nothing.
        lr: Learning rate of Adam.
        betas: Adam's decay rates.
        weight_decay: Decoupled weight decay (AdamW).
        schedule: Factor of the learning rate by the progress of its phase, from 0 to 1.
        clip: Largest norm of the gradient; longer ones are cut.
        turns: Optimiser steps that the player makes a round.
        accumulate: Batches whose gradients make one optimiser step.
        bf16: Whether the loss is computed in bfloat16 where torch deems it safe.
    """

    name: str
    params: Iterable[nn.Parameter] | Iterable[dict[str, Any]]
    loss: Callable[[Any], Tensor]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Schedule = half_cosine
    clip: float = 10.0
    turns: int = 1
    accumulate: int = 1
    bf16: bool = False
    optimizer: torch.optim.Optimizer = field(init=False)
    moved: list[nn.Parameter] = field(init=False)
    rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        kind = torch.optim.AdamW if self.weight_decay else torch.optim.Adam
        # Fused: one call for all parameters, which on small nets halves the time of a step.
        self.optimizer = kind(
            self.params, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay, fused=True
        )
        groups = self.optimizer.param_groups
        self.moved = [p for group in groups for p in group["params"]]
        self.rates = [float(group["lr"]) for group in groups]

    def play(self, draw: Callable[[], Any], progress: float) -> Tensor:
        """Makes the player's steps of one round; returns its last loss.

        Args:
            draw: Returns the next batch.
            progress: Of the phase, from 0 to 1.
        """
        loss = torch.zeros(())
        rate = self.schedule(progress)
        for group, lr in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = lr * rate
        for _ in range(self.turns):
            self.optimizer.zero_grad(set_to_none=True)
            for _ in range(self.accumulate):
                loss = self._loss(draw())
                (loss / self.accumulate).backward()
            nn.utils.clip_grad_norm_(self.moved, self.clip)
            self.optimizer.step()
        return loss.detach()

    def _loss(self, batch: Any) -> Tensor:
        if not self.bf16:
            return self.loss(batch)
        with torch.autocast(self.moved[0].device.type, torch.bfloat16):
            return self.loss(batch)


@dataclass(frozen=True)
class Phase:
    """A stage of training with players of its own.

    Attributes:
        name: What it is called in curves; empty where there is one alone.
        share: Its share of the steps; shares sum to 1.
        players: Makes its players when it begins.
    """

    name: str
    share: float
    players: Callable[[], list[Player]]
