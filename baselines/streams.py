"""Streams of batches: where they come from, and where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

Transform = Callable[[Tensor], Tensor]


class Rows:
    """Rows of a data set for ever, drawn without replacement within an epoch.

    Rows stay where and as they are (memory-mapped, uint8); only a batch is moved.

    Args:
        rows: Shape `(N, *shape)`.
        size: Rows of a batch; all of them where there are fewer.
        device: Where batches are wanted.
        context: What each row is conditioned on, shape `(N, *context)`; batches are then pairs.
        transform: Applied to each batch: flips, fresh binarisation.
    """

    def __init__(
        self,
        rows: Tensor,
        size: int,
        device: torch.device,
        context: Tensor | None = None,
        transform: Transform | None = None,
    ) -> None:
        self.rows, self.context = rows, context
        self.size, self.device, self.transform = min(size, len(rows)), device, transform
        self.order = torch.empty(0, dtype=torch.long)
        self.place = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.place + self.size > len(self.order):
            self.order, self.place = torch.randperm(len(self.rows)), 0
        chosen = self.order[self.place : self.place + self.size]
        self.place += self.size
        x = self.rows[chosen].to(self.device)
        x = self.transform(x) if self.transform else x
        return x if self.context is None else (x, self.context[chosen].to(self.device))

    def state(self) -> dict[str, Tensor]:
        """Returns where the stream stands."""
        return {"order": self.order, "place": torch.tensor(self.place)}

    def go_on(self, state: dict[str, Tensor]) -> None:
        """Goes on from there."""
        self.order, self.place = state["order"].cpu(), int(state["place"])


class Replay:
    """A stream whose rows are joined by points of chains that go on from batch to batch.

    Args:
        rows: A stream of tensors.
        start: Draws where n chains start.
        move: Moves chains on.
        size: Chains that are kept, of which as many as there are rows move on for a batch.
        restart: Share of the chains of a batch that start anew.
    """

    def __init__(
        self,
        rows: Iterator[Any],
        start: Callable[[int], Tensor],
        move: Callable[[Tensor], Tensor],
        size: int,
        restart: float,
    ) -> None:
        self.rows, self.start, self.move, self.restart = rows, start, move, restart
        self.kept = start(size)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        return self

    def __next__(self) -> tuple[Any, Tensor]:
        rows = next(self.rows)
        device = self.kept.device
        chosen = torch.randperm(len(self.kept), device=device)[: len(rows)]
        points = self.kept[chosen]
        fresh = torch.rand(len(chosen), device=device) < self.restart
        fresh = fresh.view(-1, *[1] * (points.dim() - 1))
        points = self.move(torch.where(fresh, self.start(len(chosen)), points))
        self.kept[chosen] = points
        return rows, points

    def state(self) -> dict[str, Tensor]:
        """Returns where the stream of rows stands, and the chains."""
        return {**self.rows.state(), "kept": self.kept}  # type: ignore[attr-defined]

    def go_on(self, state: dict[str, Tensor]) -> None:
        """Goes on from there."""
        self.rows.go_on(state)  # type: ignore[attr-defined]
        self.kept = state["kept"].to(self.kept)


def count(batch: Any) -> int:
    """Returns the examples of a batch: rows of a tensor, or of the first tensor that it holds."""
    if isinstance(batch, Tensor):
        return len(batch)
    parts = batch if isinstance(batch, tuple | list) else vars(batch).values()
    return next((len(part) for part in parts if isinstance(part, Tensor)), 0)
