"""The parameters that a trained model is used with: an average over steps, the best on val."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..benchmark.contract.model import seeded

VAL_ROWS, VAL_CHUNK = 1024, 256


class Average:
    """Exponential moving average of parameters, without the bias of its start.

    Args:
        model: Whose parameters are averaged.
        half_life: Steps after which a step counts half; 0 keeps no average.
    """

    def __init__(self, model: nn.Module, half_life: float) -> None:
        named = model.named_parameters() if half_life else ()
        self.params = {name: p for name, p in named if p.requires_grad}
        self.means = {name: p.detach().clone() for name, p in self.params.items()}
        self.decay = 0.5 ** (1 / half_life) if half_life else 0.0
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Moves the average; early on it forgets faster, the start soonest."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self.means:
            params = [p.detach() for p in self.params.values()]
            torch._foreach_lerp_(list(self.means.values()), params, 1 - decay)

    def of(self, prefix: str) -> dict[str, Tensor]:
        """Returns the averages of a submodule, as `torch.func.functional_call` takes them.

        Args:
            prefix: Name of the submodule, such as "net".
        """
        start = f"{prefix}."
        return {
            name.removeprefix(start): mean
            for name, mean in self.means.items()
            if name.startswith(start)
        }

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the average in place of the parameters inside the block."""
        kept = {name: p.detach().clone() for name, p in self.params.items()}
        self.apply()
        try:
            yield
        finally:
            self._copy(kept)

    def apply(self) -> None:
        """Puts the average in place of the parameters."""
        self._copy(self.means)

    @torch.no_grad()
    def _copy(self, values: dict[str, Tensor]) -> None:
        for name, p in self.params.items():
            p.copy_(values[name])


class Best:
    """The state with the lowest loss on the validation rows, of the parameters that are used.

    Args:
        model: The model.
        loss: Its loss on rows.
        val: Validation rows, shape `(N, *shape)`, of which the first 1,024 judge; None for none.
    """

    def __init__(
        self, model: nn.Module, loss: Callable[[Tensor], Tensor], val: Tensor | None
    ) -> None:
        self.model, self.evaluate = model, loss
        self.val = None if val is None else val[:VAL_ROWS]
        self.loss = math.inf
        self.state: dict[str, Tensor] | None = None

    @torch.no_grad()
    def update(self, average: Average, device: torch.device) -> float | None:
        """Judges the averaged parameters, with the same draws each time; returns the loss."""
        if self.val is None:
            return None
        self.model.eval()
        with average.applied(), seeded(0):
            parts = [(len(x), self.evaluate(x.to(device))) for x in self.val.split(VAL_CHUNK)]
            loss = sum(n * float(part) for n, part in parts) / len(self.val)
            if loss < self.loss:
                self.loss = loss
                self.state = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.train()
        return loss

    def apply(self, average: Average) -> None:
        """Puts the best parameters back; without judgement, the average."""
        average.apply()
        if self.state is not None:
            self.model.load_state_dict(self.state)
