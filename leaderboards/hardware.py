"""What a results folder is called, and where and with what its cells ran."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..benchmark.contract.record import Record


def title(records: Sequence[Record]) -> str:
    """Returns the heading of a results folder."""
    suites = distinct(record.suite for record in records)
    return f"dgmbench: {', '.join(suites)}" if suites else "dgmbench: no records"


def machines(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """Each fact of where the cells ran, with every value that occurs."""
    where = [record.environment for record in records if not record.stored]
    came = [record.environment for record in records if record.stored]
    facts = {
        "commit": distinct(
            e.commit + " (with local changes)" * e.dirty for e in where if e.commit
        ),
        "dgmbench": distinct(e.dgmbench for e in where),
        "Python": distinct(e.python for e in where),
        "torch": distinct(e.torch for e in where),
        "platform": distinct(e.platform for e in where),
        "hardware": distinct(e.hardware for e in where),
        "device": distinct(e.device for e in where),
        "rows marked stored": distinct(
            f"came with dgmbench {e.dgmbench}, run at commit {e.commit} on {e.hardware}"
            for e in came
        ),
    }
    return [(name, values) for name, values in facts.items() if values]


def distinct(values: Iterable[str]) -> list[str]:
    """Returns what is not empty, each once, in the order of first occurrence."""
    return list(dict.fromkeys(value for value in values if value))
