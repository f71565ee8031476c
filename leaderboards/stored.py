"""The records that come with the package, so that a new model stands beside the baselines at once.

`results/<suite>.jsonl.gz` holds one record a line, with hardware, commit and log p per test row,
and without the small files that a page draws.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from ..benchmark.contract.files import cache_folder, tell, write_atomically
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
    """Returns the records of a suite that came with the package, or newer ones that were fetched.

    Raises:
        ValueError: The package's file is damaged or of another version.
    """
    path = RESULTS / f"{suite}.jsonl.gz"
    found = unpacked(path.read_bytes(), str(path)) if path.is_file() else ()
    newer = fetched_folder() / path.name
    if newer.is_file():
        try:
            fetched = unpacked(newer.read_bytes(), str(newer))
        except ValueError as error:  # of another version by now: the package's own stay
            tell(f"{str(error).rstrip('.')}; those of the package are used.")
            return found
        return max(found, fetched, key=_newest)
    return found


def unpacked(content: bytes, where: str) -> tuple[Record, ...]:
    """Returns the records of a file as `packed` writes it, marked as stored.

    Args:
        content: The file's.
        where: Its name, for the message.

    Raises:
        ValueError: It is damaged, or of another version.
    """
    try:
        lines = gzip.decompress(content).splitlines()
        found = [Record.model_validate_json(line) for line in lines]
    except (OSError, EOFError, zlib.error, ValidationError) as error:
        raise ValueError(
            f"Expected the records of this version of dgmbench in {where}, got "
            f"{type(error).__name__}; install or fetch them again."
        ) from None
    return tuple(record.model_copy(update={"stored": True}) for record in found)


def fetched_folder() -> Path:
    """Where fetched records lie."""
    return cache_folder() / "results"


def keep_fetched(suite: str, content: bytes) -> int:
    """Keeps the records of a suite that were fetched; returns their number.

    Raises:
        ValueError: They are damaged, of another version, or of another suite.
    """
    found = unpacked(content, f"what was fetched for {suite}")
    if not found or {record.suite for record in found} != {suite}:
        raise ValueError(f"Expected records of the suite {suite}, got others.")
    fetched_folder().mkdir(parents=True, exist_ok=True)
    write_atomically(fetched_folder() / f"{suite}.jsonl.gz", content)
    stored_records.cache_clear()
    return len(found)


def _newest(records: Sequence[Record]) -> float:
    return max((record.created.timestamp() for record in records), default=0.0)


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
        beside_them = [r for r in stored if r.model not in ran]
        same = [r for r in beside_them if r.task_version == here[0].task_version]
        kept = [r for r in same if not r.rows or not rows or r.rows in rows]
        if len(same) < len(beside_them):
            _left_out(len(beside_them) - len(same), task, "are of another version of it")
        if len(kept) < len(same):
            _left_out(len(same) - len(kept), task, "saw other rows")
        found += kept
    return found


def _left_out(count: int, task: str, why: str) -> None:
    records = "1 stored record" if count == 1 else f"{count} stored records"
    tell(f"{records} of {task} left out: they {why} and cannot stand beside these.")


def beside(records: Sequence[Record], suite: str) -> list[Record]:
    """Returns records and those of the package for all cells that were not run here."""
    ran = {(record.task, record.model) for record in records}
    return [*records, *(r for r in stored_records(suite) if (r.task, r.model) not in ran)]
