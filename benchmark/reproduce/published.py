"""Published numbers: rows of `leaderboards/published/*.csv`, each with where it was seen."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..names import known

FOLDER = Path(__file__).parents[2] / "leaderboards" / "published"


@dataclass(frozen=True)
class Published:
    """One published number.

    Attributes:
        source_id: Key of the paper or repository.
        table: Table or place in it.
        dataset: Data.
        method: Method.
        family: Family of the method.
        metric: Metric.
        direction: "lower", "higher" or "none" is better.
        value: The number, as printed.
        uncertainty: The number behind it, as printed; None where there is none.
        uncertainty_kind: What that is.
        unit: Unit.
        n_samples: Samples that it rests on, in words.
        protocol_note: Protocol.
        seen_at: Where it was seen.
        verified: Whether it was seen in the source or a copy; others are shown and never judged.
    """

    source_id: str
    table: str
    dataset: str
    method: str
    family: str
    metric: str
    direction: str
    value: float
    uncertainty: float | None
    uncertainty_kind: str
    unit: str
    n_samples: str
    protocol_note: str
    seen_at: str
    verified: bool


@cache
def published(file: str) -> tuple[Published, ...]:
    """Returns the numbers of a file of `leaderboards/published`, by its name without suffix.

    Raises:
        ValueError: There is no such file.
    """
    known("file of published numbers", [file], [path.stem for path in FOLDER.glob("*.csv")])
    with (FOLDER / f"{file}.csv").open(newline="", encoding="utf-8") as lines:
        return tuple(_of(row) for row in csv.DictReader(lines))


def _of(row: dict[str, str]) -> Published:
    text = {k: v for k, v in row.items() if k not in ("value", "uncertainty", "verified")}
    return Published(
        **text,
        value=float(row["value"]),
        uncertainty=float(row["uncertainty"]) if row["uncertainty"] else None,
        verified=row["verified"] == "yes",
    )


def those(file: str, **fields: str) -> list[Published]:
    """Returns the numbers of a file whose fields are as given."""
    return [
        row
        for row in published(file)
        if all(str(getattr(row, name)) == value for name, value in fields.items())
    ]


def one(file: str, **fields: str) -> Published:
    """Returns the only number of a file whose fields are as given.

    Raises:
        ValueError: None or several are.
    """
    found = those(file, **fields)
    if len(found) != 1:
        raise ValueError(f"Expected one row of {file} with {fields}, got {len(found)}.")
    return found[0]
