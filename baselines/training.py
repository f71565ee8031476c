"""The one training loop: a neural baseline is a game between players, mostly with one player."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..benchmark.contract.model import Budget, Diverged, GenerativeModel, seeded
from ..benchmark.contract.task import Domain, TrainingTask
from .scaling import Scaling

# A loss is read back from the device, and val judged, this many times a training run.
READINGS = 25


@dataclass
class Player:
    """Parameters and the loss they descend.

    Attributes:
        name: What its curve is called.
        params: The parameters it moves, or Adam's parameter groups where learning rates differ:
            `[{"params": ..., "lr": ...}, ...]`.
        loss: Maps a batch to a scalar; reads parameters, buffers and the batch, nothing else.
        lr: Learning rate of Adam, annealed to 0 by a half cosine.
        betas: Adam's decay rates.
        turns: Optimiser steps that the player makes a round.
    """

    name: str
    params: Iterable[nn.Parameter] | Iterable[dict[str, Any]]
    loss: Callable[[Any], Tensor]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    turns: int = 1
    optimizer: torch.optim.Adam = field(init=False)
    moved: list[nn.Parameter] = field(init=False)
    rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        # Fused: one call for all parameters, which on small nets halves the time of a step.
        self.optimizer = torch.optim.Adam(self.params, lr=self.lr, betas=self.betas, fused=True)
        groups = self.optimizer.param_groups
        self.moved = [p for group in groups for p in group["params"]]
        self.rates = [float(group["lr"]) for group in groups]


class NeuralModel(nn.Module, GenerativeModel):
    """A model whose training is gradient descent on the losses of its players.

    Args:
        domain: What one point is.
        lr: Learning rate.

    Attributes:
        network: Name of the submodule that `sample` evaluates; the harness counts its rows as the
            number of function evaluations (NFE).
        ema: Decay of the running average of the parameters that `sample` and `log_prob` use in the
            end; 0 uses the last ones.
        selects_on_val: Whether the parameters of the best validation loss are kept; only where the
            loss on held-out rows says how good the model is.
        curve: Rows (step, player or "val", loss) of the last `fit`.
    """

    network: ClassVar[str] = "net"
    ema: ClassVar[float] = 0.0
    selects_on_val: ClassVar[bool] = False

    def __init__(self, domain: Domain, lr: float = 1e-3) -> None:
        super().__init__()
        reason = self.supports(domain)
        if reason:
            raise ValueError(f"Expected a domain that {type(self).__name__} models: {reason}.")
        self.domain = domain
        self.lr = lr
        self.scaling = Scaling(domain)
        self.curve: list[tuple[int, str, float]] = []

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.scaling.shift.device

    def loss(self, batch: Any) -> Tensor:
        """Returns the scalar that a one-player model descends, for a batch of `batches`."""
        raise NotImplementedError(f"{type(self).__name__} must define `loss` or `players`.")

    def players(self) -> list[Player]:
        """Returns who plays; by default one player with all parameters and `loss`."""
        return [Player("loss", self.parameters(), self.loss, self.lr)]

    def prepare(self, task: TrainingTask) -> None:
        """Sets what is computed from the training rows once, before the first step."""
        if task.train is not None:
            self.scaling.fit(task.train.to(self.device))

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Any]:
        """Yields batches for ever: rows of train, drawn without replacement an epoch."""
        if task.train is None:
            raise ValueError(f"Expected training rows for {type(self).__name__}, got none.")
        rows = task.train.to(self.device)
        size = min(batch_size, len(rows))
        while True:
            order = torch.randperm(len(rows), device=rows.device)
            for i in range(0, len(rows) - size + 1, size):
                yield rows[order[i : i + size]]

    def after_step(self) -> None:
        """Called after each round of all players; by default does nothing."""

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Trains for `budget.steps` rounds; see `GenerativeModel.fit`."""
        self.train()
        self.prepare(task)
        self.curve = []
        players, batches = self.players(), self.batches(task, budget.batch_size)
        average = _Average(self, self.ema)
        best = _Best(self, task.val if self.selects_on_val else None)
        interval = max(1, budget.steps // READINGS)
        for step in range(1, budget.steps + 1):
            rate = 0.5 * (1 + math.cos(math.pi * (step - 1) / budget.steps))
            losses = {p.name: self._play(p, batches, rate) for p in players}
            self.after_step()
            average.update()
            if step % interval == 0 or step == budget.steps:
                self._read(step, losses)
                best.update(step)
        average.apply()
        best.apply()
        self.eval()

    def _play(self, player: Player, batches: Iterator[Any], rate: float) -> Tensor:
        """Lets one player make its steps; returns its last loss."""
        loss = torch.zeros(())
        for group, lr in zip(player.optimizer.param_groups, player.rates, strict=True):
            group["lr"] = lr * rate
        for _ in range(player.turns):
            player.optimizer.zero_grad(set_to_none=True)
            loss = player.loss(next(batches))
            loss.backward()
            nn.utils.clip_grad_norm_(player.moved, 10.0)
            player.optimizer.step()
        return loss.detach()

    def _read(self, step: int, losses: dict[str, Tensor]) -> None:
        for name, loss in losses.items():
            value = float(loss)
            if not math.isfinite(value):
                raise Diverged(f"the loss of {name!r} was {value} at step {step}")
            self.curve.append((step, name, value))


class _Average:
    """Exponential moving average of the parameters, without the bias of its start."""

    def __init__(self, model: NeuralModel, decay: float) -> None:
        self.params = [p for p in model.parameters() if p.requires_grad] if decay else []
        self.means = [p.detach().clone() for p in self.params]
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Moves the average; early on it forgets faster, the start soonest."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self.means:
            torch._foreach_lerp_(self.means, [p.detach() for p in self.params], 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Puts the average in place of the parameters."""
        for p, mean in zip(self.params, self.means, strict=True):
            p.copy_(mean)


class _Best:
    """The parameters with the lowest loss on the validation rows."""

    def __init__(self, model: NeuralModel, val: Tensor | None) -> None:
        self.model = model
        self.val = None if val is None else val[:1024].to(model.device)
        self.loss = math.inf
        self.state: dict[str, Tensor] | None = None

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Evaluates the loss with the same draws each time."""
        if self.val is None:
            return
        self.model.eval()
        with seeded(0):
            loss = float(self.model.loss(self.val))
        self.model.train()
        self.model.curve.append((step, "val", loss))
        if loss < self.loss:
            self.loss, self.state = loss, copy.deepcopy(self.model.state_dict())

    def apply(self) -> None:
        """Puts the best parameters back."""
        if self.state is not None:
            self.model.load_state_dict(self.state)
