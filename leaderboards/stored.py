"""The records that come with the package, so that a new model stands beside the baselines at once.

`results/<suite>.jsonl.gz` holds one record a line, with hardware, commit and log p per test row,
and without the small files that a page draws.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from ..benchmark.contract.record import Record

RESULTS = Path(__file__).with_name("results")


def packed(records: Iterable[Record]) -> bytes:
    """Returns records as the package keeps them: gzip of a JSON object a line.

    Those of a user's own models, failures and files are left away; the bytes depend on the records
    alone.
    """
    kept = (
        r.model_copy(update={"files": {}, "stored": False})
        for r in records
        if r.settled and r.family != "user" and not r.stored
    )
    lines = (record.model_dump_json(exclude_defaults=True) for record in kept)
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), 9, mtime=0)


@cache
def stored_records(suite: str) -> tuple[Record, ...]:
    """Returns the records of a suite that came with the package; none where it has none.

    Raises:
        ValueError: The file is damaged or of another version.
    """
    path = RESULTS / f"{suite}.jsonl.gz"
    if not path.is_file():
        return ()
    try:
        lines = gzip.decompress(path.read_bytes()).splitlines()
        found = [Record.model_validate_json(line) for line in lines]
    except (OSError, EOFError, ValidationError) as error:
        raise ValueError(
            f"Expected the records of this version of dgmbench in {path}, got "
            f"{type(error).__name__}; install it again."
        ) from None
    return tuple(record.model_copy(update={"stored": True}) for record in found)


def with_stored(records: Sequence[Record]) -> list[Record]:
    """Returns records with those of the package beside them, where a model is new to the package.

    On each task with a model that the package does not know stand the stored records of all models
    that were not run here, if they are of the same version of the task and of the same rows.
    """
    found = list(records)
    for task in dict.fromkeys(record.task for record in records):
        here = [record for record in records if record.task == task]
        stored = [r for r in stored_records(here[0].suite) if r.task == task]
        known, ran = {r.model for r in stored}, {r.model for r in here}
        rows = {r.rows for r in here if r.rows}
        if ran <= known:
            continue
        found += [
            r
            for r in stored
            if r.model not in ran
            and r.task_version == here[0].task_version
            and (not r.rows or not rows or r.rows in rows)
        ]
    return found


def beside(records: Sequence[Record], suite: str) -> list[Record]:
    """Returns records and those of the package for all cells that were not run here."""
    ran = {(record.task, record.model) for record in records}
    return [*records, *(r for r in stored_records(suite) if (r.task, r.model) not in ran)]
