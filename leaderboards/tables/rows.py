"""One model on one task over all of its seeds, and the tables that rows stand in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .columns import Column
from .entry import Entry

ROLES = {"oracle": "ceiling", "memoriser": "trap", "mode-dropper": "trap"}


@dataclass(frozen=True)
class Row:
    """One model on one task, over all of its seeds.

    A row with flags (samples that are copies) is shown and never best.
    """

    model: str
    family: str
    learns_from: str
    likelihood: str
    seeds: int
    admitted: bool
    cells: Mapping[Column, Entry]
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_floor: bool = False
    stored: bool = False
    samples_only: bool = False
    tier: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of the whole row."""
        return (*self.flags, *self.notes)

    @property
    def is_control(self) -> bool:
        """Whether the row frames the table and is never best."""
        return self.family == "control"

    @property
    def may_be_best(self) -> bool:
        """Whether the row competes."""
        return not self.is_control and not self.flags

    @property
    def role(self) -> str:
        """What a row is there for: "ceiling", "trap" or "floor"; empty for those that compete."""
        return "floor" if self.is_floor else ROLES.get(self.model, "") if self.is_control else ""

    @property
    def standing(self) -> str:
        """Its role, where it is from (package, samples alone) and its tier; for display."""
        origin = "stored" if self.stored else "samples only" if self.samples_only else ""
        return ", ".join(filter(None, (self.role, origin, self.tier)))


class Framed:
    """What has rows: those that compete, and controls that frame them."""

    rows: Sequence[Row]

    @property
    def models(self) -> list[Row]:
        """Rows that compete."""
        return [row for row in self.rows if not row.is_control]

    @property
    def controls(self) -> list[Row]:
        """Rows that frame the table."""
        return [row for row in self.rows if row.is_control]


@dataclass(frozen=True)
class Block(Framed):
    """One table of a board.

    Attributes:
        title: The theme, and the way to compute a likelihood where there are several.
        columns: Its columns.
        rows: Its rows, the controls last.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]

    def label(self, column: Column) -> str:
        """A column's heading here, where the title has said how it is computed."""
        return column.plain if self.title.endswith(f": {column.words}") else column.label
