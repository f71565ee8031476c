"""The one training loop: a neural baseline is a game between players, mostly with one player."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..benchmark.contract.model import Budget, Diverged
from ..benchmark.contract.task import Domain, TrainingTask
from .averages import Average, Best
from .checkpoints import Checkpoint, packed, unpack
from .drawn import Drawn
from .flops import Flops
from .players import Phase, Player
from .scaling import Scaling
from .streams import Rows, count

# A loss is read back from the device, and val judged, this many times a training run.
READINGS = 25


class NeuralModel(nn.Module, Drawn):
    """A model whose training is gradient descent on the losses of its players.

    Args:
        domain: What one point is.
        lr: Learning rate.

    Attributes:
        network: Name of the submodule that `sample` evaluates; the harness counts its rows as the
            number of function evaluations (NFE).
        half_life: Half-life of the average of the parameters that `sample` and `log_prob` use in
            the end, as a share of the steps; 0 uses the last ones. Losses may read it as
            `average`.
        selects_on_val: Whether the parameters of the best validation loss are kept; only where the
            loss on held-out rows says how good the model is.
        resumes: Whether `fit` takes a checkpoint to go on from.
        progress: Of the phase of training, from 0 to 1.
        curve: Rows (step, player or "val", loss) of the last `fit`.
        examples: Rows that the last `fit` drew from its batches.
        training_flops: Floating-point operations of the last `fit`: those of the first step of
            each phase, times its steps.
    """

    network: ClassVar[str] = "net"
    half_life: ClassVar[float] = 0.0
    selects_on_val: ClassVar[bool] = False
    resumes: ClassVar[bool] = True

    def __init__(self, domain: Domain, lr: float = 1e-3) -> None:
        super().__init__()
        reason = self.supports(domain)
        if reason:
            raise ValueError(f"Expected a domain that {type(self).__name__} models: {reason}.")
        self.domain = domain
        self.lr = lr
        self.scaling = Scaling(domain)
        self.progress = 0.0
        self.average = Average(nn.Module(), 0.0)
        self.curve: list[tuple[int, str, float]] = []
        self.examples = self.training_flops = 0

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.scaling.shift.device

    def noise(self, n: int) -> Tensor:
        """Draws n points of N(0, I) in scaled coordinates, shape `(n, D)`."""
        return torch.randn(n, self.domain.dim, device=self.device)

    def points(self, y: Tensor) -> Tensor:
        """Returns the points of the domain, `(n, *shape)`, of scaled coordinates `(n, D)`."""
        return self.scaling.decode(y.unflatten(1, self.domain.shape))

    def loss(self, batch: Any) -> Tensor:
        """Returns the scalar that a one-player model descends, for a batch of `batches`."""
        raise NotImplementedError(f"{type(self).__name__} must define `loss` or `players`.")

    def players(self) -> list[Player]:
        """Returns who plays; by default one player with all parameters and `loss`."""
        return [Player("loss", self.parameters(), self.loss, self.lr)]

    def phases(self) -> list[Phase]:
        """Returns the phases of training; by default one, with `players`."""
        return [Phase("", 1.0, self.players)]

    def prepare(self, task: TrainingTask) -> None:
        """Sets what is computed from the training rows once, before the first step."""
        if task.train is not None:
            self.scaling.fit(task.train)

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Any]:
        """Yields batches for ever: rows of train, with their context on conditional tasks."""
        if task.train is None:
            raise ValueError(f"Expected training rows for {type(self).__name__}, got none.")
        return Rows(task.train, batch_size, self.device, task.context.get("train"))

    def after_step(self) -> None:
        """Called after each round of all players; by default does nothing."""

    def fit(
        self, task: TrainingTask, budget: Budget, checkpoint: Checkpoint | None = None
    ) -> None:
        """Trains for `budget.steps` rounds; see `GenerativeModel.fit`.

        Args:
            task: What the model may see.
            budget: What it may spend.
            checkpoint: Where the run writes its state from time to time; a state that is there is
                gone on from.
        """
        _Run(self, task, budget, checkpoint).finish()


class _Run:
    """One training run: who plays when, and where it stands."""

    def __init__(
        self, model: NeuralModel, task: TrainingTask, budget: Budget, checkpoint: Checkpoint | None
    ) -> None:
        self.model, self.budget, self.checkpoint = model, budget, checkpoint
        model.train()
        model.prepare(task)
        model.curve, model.examples, model.training_flops = [], 0, 0
        self.stream = model.batches(task, budget.batch_size)
        model.average = Average(model, model.half_life * budget.steps)
        val = task.val if model.selects_on_val else None
        self.best = Best(model, model.loss, val)
        self.phases = model.phases()
        # The step at which each phase ends.
        shares = [sum(p.share for p in self.phases[: k + 1]) for k in range(len(self.phases))]
        self.ends = [*(round(budget.steps * share) for share in shares[:-1]), budget.steps]
        self.step = self.phase = 0
        self.players = self.phases[0].players()
        self._go_on()

    def finish(self) -> None:
        """Makes the steps that are left."""
        start = self.ends[self.phase - 1] if self.phase else 0
        while self.step < self.budget.steps:
            if self.step == self.ends[self.phase]:
                start, self.phase = self.step, self.phase + 1
                self.players = self.phases[self.phase].players()
            self.model.progress = (self.step - start) / max(self.ends[self.phase] - start, 1)
            self.step += 1
            self._round(self.step == start + 1, self.ends[self.phase] - start)
            if self.checkpoint and self.checkpoint.due():
                self._write(self.checkpoint)
        self.model.progress = 1.0
        self.best.apply(self.model.average)
        self.model.eval()
        if self.checkpoint:
            self.checkpoint.clear()

    def _round(self, first: bool, length: int) -> None:
        """One step of every player; the first of a phase is counted for all of its steps."""
        model, counter = self.model, Flops() if first else None
        with counter or nullcontext():
            losses = {p.name: p.play(self._draw, model.progress) for p in self.players}
        if counter:
            model.training_flops += counter.total * length
        model.after_step()
        model.average.update()
        interval = max(1, self.budget.steps // READINGS)
        if self.step % interval == 0 or self.step == self.budget.steps:
            self._read(losses)

    def _draw(self) -> Any:
        batch = next(self.stream)
        self.model.examples += count(batch)
        return batch

    def _read(self, losses: dict[str, Tensor]) -> None:
        for name, loss in losses.items():
            value = float(loss)
            if not math.isfinite(value):
                raise Diverged(f"the loss of {name!r} was {value} at step {self.step}")
            self.model.curve.append((self.step, name, value))
        judged = self.best.update(self.model.average, self.model.device)
        if judged is not None:
            self.model.curve.append((self.step, "val", judged))

    def _write(self, checkpoint: Checkpoint) -> None:
        model = self.model
        tensors = packed(model, self.players, model.average, self.best, self.stream)
        note = {
            "step": self.step,
            "phase": self.phase,
            "averaged": model.average.steps,
            "best": self.best.loss,
            "curve": model.curve,
            "examples": model.examples,
            "flops": model.training_flops,
        }
        checkpoint.write(tensors, note)

    def _go_on(self) -> None:
        found = self.checkpoint.read() if self.checkpoint else None
        if found is None:
            return
        tensors, note = found
        self.step, self.phase = note["step"], note["phase"]
        self.players = self.phases[self.phase].players()
        model = self.model
        unpack(tensors, model, self.players, model.average, self.best, self.stream)
        model.average.steps, self.best.loss = note["averaged"], note["best"]
        model.curve = [(int(s), str(name), float(v)) for s, name, v in note["curve"]]
        model.examples, model.training_flops = note["examples"], note["flops"]
