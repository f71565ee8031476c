"""The environments of the tasks with a reward: grids, places to fill, sets, acyclic graphs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.environment import Environment


@dataclass(frozen=True)
class Grid(Environment):
    """Whole numbers 0..H-1 in D coordinates, raised one by one (arXiv:2106.04399, section 4.1).

    Every state may stop. In the graph of the authors' code of 2021 an episode must stop as soon as
    one coordinate is H-1, so no state has two of them.

    Attributes:
        dim: Number D of coordinates.
        height: Number H of values of each.
        stops_at_edge: Whether the graph is that of 2021.
    """

    dim: int
    height: int
    stops_at_edge: bool = False

    def __post_init__(self) -> None:
        if self.dim < 1 or self.height < 2:
            raise ValueError(
                f"Expected a coordinate and 2 values at least, got {self.dim} and {self.height}."
            )

    @property
    def width(self) -> int:
        return self.dim

    @property
    def radix(self) -> int:
        return self.height

    @property
    def moves(self) -> int:
        return self.dim

    @property
    def length(self) -> int:
        if self.stops_at_edge:
            return (self.dim - 1) * (self.height - 2) + self.height
        return self.dim * (self.height - 1) + 1

    @property
    def num_points(self) -> float:
        inner, every = float(self.height - 1), float(self.height)
        if self.stops_at_edge:
            return inner**self.dim + self.dim * inner ** (self.dim - 1)
        return every**self.dim

    @property
    def num_states(self) -> float:
        return self.num_points

    @property
    def is_full(self) -> bool:
        return not self.stops_at_edge

    def _at_edge(self, states: Tensor) -> Tensor:
        return (states == self.height - 1).any(-1, keepdim=True)

    def legal(self, states: Tensor) -> Tensor:
        stop = torch.ones_like(states[..., :1], dtype=torch.bool)
        moves = states < self.height - 1
        if self.stops_at_edge:
            moves = moves & ~self._at_edge(states)
        return torch.cat([moves, stop], dim=-1)

    def undoable(self, states: Tensor) -> Tensor:
        moves = states > 0
        if self.stops_at_edge:  # the move to the edge was the last one
            edge = states == self.height - 1
            moves = moves & (edge | ~self._at_edge(states))
        return moves

    def _moved(self, states: Tensor, moves: Tensor, by: int) -> Tensor:
        coordinates = torch.arange(self.dim, device=states.device)
        return states + by * (moves.unsqueeze(1) == coordinates).long()

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        return self._moved(states, actions, 1)

    def undo(self, states: Tensor, moves: Tensor) -> Tensor:
        return self._moved(states, moves, -1)

    def admits(self, points: Tensor) -> Tensor:
        if self.is_full:
            return super().admits(points)
        return (points == self.height - 1).sum(1) <= 1


@dataclass(frozen=True)
class Places(Environment):
    """Empty places that are filled in any order, each with one of V values; then it must stop.

    Of a state 0 is an empty place and v + 1 the value v. A value stands for `bits` coordinates of
    the point, its binary digits, highest first: words of a bit sequence (arXiv:2201.13259, section
    5.3; any empty place may be filled), or for one bit: spins of a lattice.

    Attributes:
        places: Number of places.
        bits: Bits of a value, V = 2^bits.
    """

    places: int
    bits: int = 1

    def __post_init__(self) -> None:
        if self.places < 1 or self.bits < 1:
            raise ValueError(
                f"Expected a place and a bit at least, got {self.places} and {self.bits}."
            )

    @property
    def values(self) -> int:
        """Number V of values."""
        return 1 << self.bits

    @property
    def width(self) -> int:
        return self.places

    @property
    def radix(self) -> int:
        return self.values + 1

    @property
    def moves(self) -> int:
        return self.places * self.values

    @property
    def length(self) -> int:
        return self.places + 1

    @property
    def num_points(self) -> float:
        return math.inf if self.places * self.bits > 1000 else 2.0 ** (self.places * self.bits)

    @property
    def num_states(self) -> float:
        large = self.places * math.log(self.radix) > 700
        return math.inf if large else float(self.radix) ** self.places

    def legal(self, states: Tensor) -> Tensor:
        empty = states == 0
        moves = empty.repeat_interleave(self.values, -1)
        return torch.cat([moves, ~empty.any(-1, keepdim=True)], dim=-1)

    def undoable(self, states: Tensor) -> Tensor:
        values = torch.arange(1, self.radix, device=states.device)
        return (states.unsqueeze(-1) == values).flatten(-2)

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        moves = actions < self.stop
        place = (actions // self.values).where(moves, 0).unsqueeze(1)
        value = (actions % self.values + 1).where(moves, states.gather(1, place).squeeze(1))
        return states.scatter(1, place, value.unsqueeze(1))

    def undo(self, states: Tensor, moves: Tensor) -> Tensor:
        return states.scatter(1, (moves // self.values).unsqueeze(1), 0)

    def points(self, states: Tensor) -> Tensor:
        shifts = torch.arange(self.bits - 1, -1, -1, device=states.device)
        return ((states - 1).unsqueeze(-1) >> shifts & 1).flatten(-2)

    def ends(self, points: Tensor) -> Tensor:
        weights = 2 ** torch.arange(self.bits - 1, -1, -1, device=points.device)
        return (points.long().unflatten(-1, (self.places, self.bits)) * weights).sum(-1) + 1


class SetBits(Environment):
    """Bits that are set one by one, move i setting bit i; not every combination is a point."""

    @property
    def radix(self) -> int:
        return 2

    @property
    def is_full(self) -> bool:
        return False

    @property
    def moves(self) -> int:
        return self.width

    def undoable(self, states: Tensor) -> Tensor:
        return states > 0

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        bits = torch.arange(self.width, device=states.device)
        return states | (actions.unsqueeze(1) == bits).long()

    def undo(self, states: Tensor, moves: Tensor) -> Tensor:
        return states.scatter(1, moves.unsqueeze(1), 0)


@dataclass(frozen=True)
class Subsets(SetBits):
    """K of N items, taken one by one; then it must stop (arXiv:2302.01687, section 5.1).

    Attributes:
        items: Number N of items.
        size: Number K of items of a set.
    """

    items: int
    size: int

    def __post_init__(self) -> None:
        if not 0 < self.size <= self.items:
            raise ValueError(f"Expected a size in 1..{self.items} items, got {self.size}.")

    @property
    def width(self) -> int:
        return self.items

    @property
    def length(self) -> int:
        return self.size + 1

    @property
    def num_points(self) -> float:
        return float(math.comb(self.items, self.size))

    @property
    def num_states(self) -> float:
        return float(sum(math.comb(self.items, k) for k in range(self.size + 1)))

    def legal(self, states: Tensor) -> Tensor:
        full = states.sum(-1, keepdim=True) >= self.size
        return torch.cat([(states == 0) & ~full, full], dim=-1)

    def admits(self, points: Tensor) -> Tensor:
        return points.sum(1) == self.size


# Labelled acyclic directed graphs of 1 to 5 nodes (Robinson 1973; OEIS A003024).
ACYCLIC = {1: 1, 2: 3, 3: 25, 4: 543, 5: 29_281}


@dataclass(frozen=True)
class AcyclicGraphs(SetBits):
    """Directed graphs without cycles, edge by edge; every one may stop (arXiv:2202.13903).

    A point has a bit for each ordered pair of nodes (i, j), i != j, row by row: whether i -> j.

    Attributes:
        nodes: Number of nodes.
    """

    nodes: int

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise ValueError(f"Expected 2 nodes at least, got {self.nodes}.")

    @property
    def width(self) -> int:
        return self.nodes * (self.nodes - 1)

    @property
    def length(self) -> int:
        return self.width // 2 + 1

    @property
    def num_points(self) -> float:
        return float(ACYCLIC.get(self.nodes, math.inf))

    @property
    def num_states(self) -> float:
        return self.num_points

    def adjacency(self, points: Tensor) -> Tensor:
        """Returns whether i -> j, bool: points `(..., D)` to `(..., nodes, nodes)`."""
        n = self.nodes
        off = ~torch.eye(n, dtype=torch.bool, device=points.device)
        matrix = torch.zeros(*points.shape[:-1], n, n, dtype=torch.bool, device=points.device)
        matrix[..., off] = points > 0
        return matrix

    def _reaches(self, points: Tensor) -> Tensor:
        """Whether a path of one edge at least leads from i to j, by squaring."""
        reach = self.adjacency(points)
        for _ in range(max(1, (self.nodes - 1).bit_length())):
            reach = reach | (reach.float() @ reach.float() > 0)
        return reach

    def legal(self, states: Tensor) -> Tensor:
        off = ~torch.eye(self.nodes, dtype=torch.bool, device=states.device)
        back = self._reaches(states).transpose(-1, -2)[..., off]
        stop = torch.ones_like(states[..., :1], dtype=torch.bool)
        return torch.cat([(states == 0) & ~back, stop], dim=-1)

    def admits(self, points: Tensor) -> Tensor:
        return ~self._reaches(points).diagonal(dim1=-2, dim2=-1).any(-1)
