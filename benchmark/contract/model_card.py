"""What the records of a model say of it, in words."""

from __future__ import annotations

from collections.abc import Sequence

from .record import Record


def card(records: Sequence[Record]) -> str:
    """Returns the card of a model as Markdown: what it is, how it was trained, where."""
    first = records[0]
    arguments = ", ".join(f"{k}={v}" for k, v in first.arguments.items()) or "the defaults"
    machines = dict.fromkeys(record.environment.hardware for record in records)
    tasks = dict.fromkeys(record.task for record in records)
    lines = [
        f"# {first.model}",
        "",
        f"- family: {first.family}",
        f"- class: {first.model_path or 'samples without a model'}",
        f"- paper: {first.paper or 'none named'}",
        f"- likelihood: {first.likelihood}",
        f"- learns from: {first.learns_from}",
        f"- arguments: {arguments}",
        f"- tasks: {', '.join(tasks)}",
        f"- seeds: {', '.join(map(str, sorted({record.seed for record in records})))}",
        f"- hardware: {'; '.join(machines)}",
    ]
    return "\n".join(lines) + "\n"
