"""The ways in which `probe` tells a likelihood anew, by name."""

from __future__ import annotations

from typing import Any

from ...names import known
from .annealing import Annealing
from .importance import Importance
from .integration import Integration
from .parts import Parts
from .question import Question

WAYS: dict[str, type[Question]] = {
    "ais": Annealing,
    "draws": Importance,
    "ode": Integration,
    "parts": Parts,
}
FIELDS = {"steps": "places"}  # of the question, where it has another name than the option


def question(way: str, rows: int | None, **options: Any) -> Question:
    """Returns the question of a way.

    Args:
        way: A key of `WAYS`.
        rows: Test rows, a fixed random subset; None is all.
        options: Options of the command; None is what the question has by default.

    Raises:
        ValueError: An unknown way, an option that it does not have, or a number that makes no
            sense.
    """
    known("way to tell a likelihood", [way], WAYS)
    cls = WAYS[way]
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in cls.options:
            theirs = ", ".join(other for other, its in WAYS.items() if name in its.options)
            raise ValueError(
                f"Expected --{name} with --likelihood {theirs}, got it with {way}; leave it away."
            )
    fields = {FIELDS.get(name, name): value for name, value in given.items()}
    return cls("likelihood", n=rows, **fields)
