"""Writes everything that a results folder shows: tables as CSV, Markdown and LaTeX, and the page.

Reads records and the small files that they name, nothing else; torch is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..benchmark.contract.files import write_atomically
from ..benchmark.contract.record import (
    Record,
    TaskRecord,
    read_records,
    read_tasks,
)
from .exports.csv_tables import leaderboard_csv, records_csv
from .exports.latex import leaderboard_tex
from .exports.markdown import leaderboard_md
from .hardware import machines, title
from .page.page import render_page
from .page.published import papers
from .stored import RESULTS, packed, stored_records, with_stored
from .tables.board import Board, boards


@dataclass(frozen=True)
class Results:
    """A results folder, read once.

    Attributes:
        root: The folder.
        records: The newest record of every cell, and those of the package beside them
            (`stored.with_stored`).
        tasks: Descriptions of tasks, by name.
        boards: Their tables, by name of the task.
    """

    root: Path
    records: Sequence[Record]
    tasks: Mapping[str, TaskRecord]
    boards: Mapping[str, Board]

    @classmethod
    def read(cls, root: Path, records: Sequence[Record] | None = None) -> Results:
        """Reads a folder with `records/` and `tasks/`.

        Args:
            root: The folder.
            records: Its records, where they have been read already.
        """
        records = with_stored(read_records(root) if records is None else records)
        return cls._of(root, records, read_tasks(root))

    @classmethod
    def of_package(cls, suite: str, tasks: Mapping[str, TaskRecord]) -> Results:
        """Returns the records of a suite that came with the package.

        Args:
            suite: Name of the suite.
            tasks: What is known of its tasks, by name.
        """
        came = [r.model_copy(update={"stored": False}) for r in stored_records(suite)]
        known = {r.task: tasks[r.task] for r in came if r.task in tasks}
        return cls._of(RESULTS / suite, came, known)

    @classmethod
    def _of(
        cls, root: Path, records: Sequence[Record], tasks: Mapping[str, TaskRecord]
    ) -> Results:
        primary = {name: task.primary for name, task in tasks.items()}
        return cls(root, records, tasks, boards(records, primary))


def write_report(results: Results) -> list[Path]:
    """Renders the tables and the page into the folder, and packs its records.

    `records.csv` and `records.jsonl.gz` hold what was run here; `leaderboard.{md,csv,tex}` and
    `report.html` also what came with the package.

    Returns:
        The files written, the page last.
    """
    records, found, root = results.records, results.boards, results.root
    heading, facts = title(records), machines(records)
    published = papers((root.parent / "reproduce", RESULTS / "reproduce"))
    contents = {
        "records.csv": records_csv([r for r in records if not r.stored]),
        "leaderboard.md": leaderboard_md(found, heading, facts),
        "leaderboard.csv": leaderboard_csv(found),
        "leaderboard.tex": leaderboard_tex(found),
        "report.html": render_page(heading, facts, records, results.tasks, found, root, published),
    }
    for name, text in contents.items():
        write_atomically(root / name, text.encode())
    write_atomically(root / "records.jsonl.gz", packed(records))
    return [root / name for name in contents]
