"""How points of a domain are built step by step: the graph on which a GFlowNet walks.

Bengio et al. 2023, GFlowNet Foundations, JMLR 24 (arXiv:2111.09266), section 2: a directed graph
of states without cycles, with one source; a path that stops builds a point. In every environment
here all paths from the source to a state have as many moves, and the source is all zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import torch
from torch import Tensor

# More states than this are not listed: tables of them would not fit.
MOST_LISTED = 2**17


class Environment(ABC):
    """States, moves, and which of them are legal. Subclasses are frozen dataclasses.

    A state is W whole numbers in 0..radix-1. Actions 0..M-1 are moves, action M stops. A move is
    undone under its own number, so one state has at most one parent per move. All functions take
    a batch at once and work on its device.

    Attributes:
        width: Numbers W of a state.
        radix: Values that each of them may take.
        moves: Number M of moves.
        length: Most actions of an episode, the stop among them.
        num_states: Number of states that can be reached, or infinity where nobody counted.
        num_points: Number of points that can be built, or infinity.
        is_full: Whether every point of the domain can be built.
    """

    @property
    @abstractmethod
    def width(self) -> int: ...

    @property
    @abstractmethod
    def radix(self) -> int: ...

    @property
    @abstractmethod
    def moves(self) -> int: ...

    @property
    @abstractmethod
    def length(self) -> int: ...

    @property
    @abstractmethod
    def num_states(self) -> float: ...

    @property
    @abstractmethod
    def num_points(self) -> float: ...

    @property
    def is_full(self) -> bool:
        """Whether every point of the domain can be built."""
        return True

    @property
    def stop(self) -> int:
        """The action that ends an episode."""
        return self.moves

    @property
    def is_listed(self) -> bool:
        """Whether the states are few enough (2^17) to be listed."""
        return self.num_states <= MOST_LISTED

    @property
    def features_width(self) -> int:
        """Width of `features`."""
        return self.width * (1 if self.radix == 2 else self.radix)

    def source(self, n: int, device: torch.device | None = None) -> Tensor:
        """Returns the source n times, int64 `(n, W)`."""
        return torch.zeros(n, self.width, dtype=torch.long, device=device)

    def features(self, states: Tensor) -> Tensor:
        """Returns what a net reads of states `(..., W)`: bits, or one-hot codes, float32."""
        if self.radix == 2:
            return states.float()
        values = torch.arange(self.radix, device=states.device)
        return (states.unsqueeze(-1) == values).flatten(-2).float()

    @abstractmethod
    def legal(self, states: Tensor) -> Tensor:
        """Returns which actions states `(..., W)` admit, bool `(..., M + 1)`; one at least."""

    @abstractmethod
    def undoable(self, states: Tensor) -> Tensor:
        """Returns which moves may have led to states `(..., W)`, bool `(..., M)`."""

    @abstractmethod
    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Returns the states `(N, W)` after legal actions `(N,)`; a stop changes nothing."""

    @abstractmethod
    def undo(self, states: Tensor, moves: Tensor) -> Tensor:
        """Returns the states `(N, W)` before moves `(N,)` that may have led to them."""

    def points(self, states: Tensor) -> Tensor:
        """Returns the points that states `(N, W)` stand for when they stop, `(N, D)`."""
        return states

    def ends(self, points: Tensor) -> Tensor:
        """Returns the states that stand for points `(N, D)`; the inverse of `points`."""
        return points.long()

    def admits(self, points: Tensor) -> Tensor:
        """Returns which points `(N, D)` of the domain can be built, bool `(N,)`."""
        return torch.ones(len(points), dtype=torch.bool, device=points.device)

    def place(self, device: torch.device) -> Tensor:
        """Returns what the entries of a state count for in its code, int64 `(W,)`."""
        return self.radix ** torch.arange(self.width - 1, -1, -1, device=device)

    def code(self, states: Tensor) -> Tensor:
        """Returns a number that no two listed states share, int64: `(..., W)` to `(...)`."""
        return (states * self.place(states.device)).sum(-1)


@dataclass(frozen=True)
class Graph:
    """Every state of a small environment, and where each move leads.

    Attributes:
        states: All S states by their number of moves, int64 `(S, W)`; the source is the first.
        layers: The first state of each number of moves, and S at the end.
        children: Row of the state after each move, int64 `(S, M)`; -1 where it is illegal.
        ends: Rows of the states that may stop, int64 `(E,)`.
    """

    states: Tensor
    layers: tuple[int, ...]
    children: Tensor
    ends: Tensor
    _codes: Tensor
    _rows: Tensor
    _place: Tensor

    def to(self, device: torch.device) -> Graph:
        """Returns the graph on a device; itself where it is there."""
        if self.states.device == device:
            return self
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "layers"}
        return replace(self, **{name: x.to(device) for name, x in moved.items()})

    def rows(self, states: Tensor) -> Tensor:
        """Returns the rows of states `(..., W)`, shape `(...)`, on the graph's device."""
        return self._rows[torch.searchsorted(self._codes, (states * self._place).sum(-1))]


@lru_cache(maxsize=8)
def listed(environment: Environment) -> Graph:
    """Returns the graph of an environment, layer by layer from the source.

    Raises:
        ValueError: It has too many states, or an unknown number of them.
    """
    if not environment.is_listed:
        raise ValueError(
            f"Expected an environment of at most {MOST_LISTED:,} states, "
            f"got {environment.num_states:,}."
        )
    layer, layers, found = environment.source(1), [0], []
    while len(layer):
        found.append(layer)
        layers.append(layers[-1] + len(layer))
        layer = _unique(environment, _children(environment, layer)[2])
    states = torch.cat(found)
    codes, order = environment.code(states).sort()
    rows, moves, after = _children(environment, states)
    children = torch.full((len(states), environment.moves), -1)
    children[rows, moves] = order[torch.searchsorted(codes, environment.code(after))]
    ends = environment.legal(states)[:, environment.stop].nonzero().squeeze(1)
    place = environment.place(states.device)
    return Graph(states, tuple(layers), children, ends, codes, order, place)


def _children(environment: Environment, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of states, their legal moves, and the states after them."""
    rows, moves = environment.legal(states)[:, : environment.moves].nonzero(as_tuple=True)
    return rows, moves, environment.step(states[rows], moves)


def _unique(environment: Environment, states: Tensor) -> Tensor:
    codes = environment.code(states)
    order = codes.argsort()
    sorted_codes = codes[order]
    fresh = torch.ones_like(sorted_codes, dtype=torch.bool)
    fresh[1:] = sorted_codes[1:] != sorted_codes[:-1]
    return states[order[fresh]]


@lru_cache(maxsize=8)
def listed_points(environment: Environment) -> Tensor:
    """Returns every point that can be built, in lexicographic order, int64 `(P, D)`."""
    graph = listed(environment)
    points = environment.points(graph.states[graph.ends])
    place = int(points.max()) + 1
    order = torch.zeros(len(points), dtype=torch.long)
    for column in range(points.shape[1]):
        order = order * place + points[:, column]
    return points[order.argsort()]
