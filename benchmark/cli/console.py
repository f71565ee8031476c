"""What the user sees while a suite runs and when it is done. Nothing here imports torch."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from ...leaderboards.exports.terminal import print_boards
from ...leaderboards.report import Results, write_report
from ...leaderboards.trackers import Tracker, tracker
from ..contract.record import SETTLED, Record, read_records
from .text_columns import aligned, fits

if TYPE_CHECKING:
    from ..run.execution import Outcome
    from ..run.job import Job
    from ..run.plan import Plan
    from ..run.submissions.verify import Verified
    from ..run.users.check import Checked, Finding
    from .catalogue import Listing

out = Console(highlight=False, soft_wrap=True)


def run(plan: Plan, track: Sequence[str] = ()) -> int:
    """Shows the plan, runs it with live progress, prints the tables; returns the exit code.

    Args:
        plan: What to do.
        track: Names of trackers that are told of every cell as it ends.
    """
    from ..run.execution import execute

    trackers = {name: tracker(name, plan.root) for name in track}
    print_plan(plan)
    start = time.perf_counter()
    watch = Watch(plan, trackers)
    # What `kill` and batch systems send stops the workers too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with watch:
            outcome = execute(plan, watch.ended)
    except KeyboardInterrupt:
        out.print(
            f"Stopped. Everything that had finished is in {plan.root}; "
            "the same command goes on from there."
        )
        return 130
    results = Results.read(plan.root, outcome.records)
    files = write_report(results)
    asked = dict.fromkeys(job.task.name for job in plan.jobs)
    print_boards({task: results.boards[task] for task in asked if task in results.boards}, out)
    print_outcome(outcome, time.perf_counter() - start)
    print_files(files)
    return 1 if outcome.failures else 0


def print_plan(plan: Plan) -> None:
    """Prints cells, estimated minutes, device and workers."""
    done = len(plan.jobs) - len(plan.todo)
    minutes = f"about {plan.seconds / 60:.1f} minutes"
    if plan.unknown and not plan.seconds:
        minutes = "unknown minutes"
    elif plan.unknown:
        minutes += f" and those of {', '.join(plan.unknown)}, which are unknown,"
    out.print(
        f"Suite {plan.suite.name}: {len(plan.jobs)} cells, {done} done, {len(plan.todo)} to do; "
        f"{escape(minutes)} on {plan.device} with {plan.workers} workers."
    )


class Running(ProgressColumn):
    """What runs at this moment, from the words that the workers leave on disk.

    Args:
        root: The results folder.
    """

    max_refresh = 1.0

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def render(self, task: Task) -> Text:
        names = sorted(path.name for path in (self.root / "running").glob("*"))
        return Text(", ".join(name.replace("--", " / ") for name in names) or "starting")


class Left(ProgressColumn):
    """Time left: the plan's estimate at first, the pace of this run in the end.

    Args:
        seconds: The plan's estimate of the whole.
    """

    max_refresh = 1.0

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def render(self, task: Task) -> Text:
        done = task.completed / max(1, task.total or 1)
        elapsed = task.elapsed or 0.0
        paced = elapsed / done if done else self.seconds
        left = max(0, int((1 - done) * self.seconds + done * paced - elapsed))
        return Text(f"about {left // 60}:{left % 60:02d} left")


class Watch:
    """Live progress on a terminal; a plain line a cell elsewhere.

    Args:
        plan: What runs.
        trackers: Told of every cell as it ends, by name.
    """

    def __init__(self, plan: Plan, trackers: Mapping[str, Tracker]) -> None:
        self.total, self.count = len(plan.todo), 0
        self.trackers = dict(trackers)
        self.progress = Progress(
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            Left(plan.seconds),
            Running(plan.root),
            console=out,
            disable=not out.is_terminal,
            transient=True,
        )
        self.bar = self.progress.add_task("cells", total=self.total)

    def __enter__(self) -> Watch:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def ended(self, job: Job, record: Record) -> None:
        """Counts a job that has ended; tells its reason where it did not go well."""
        self.count += 1
        why = f" ({record.reason})" if record.reason else ""
        line = f"[{self.count}/{self.total}] {job}: {record.status}{why}"
        if not out.is_terminal:
            print(line, flush=True)
        elif record.status not in SETTLED:
            out.print(escape(line))
        self.progress.update(self.bar, completed=self.count)
        for name, told in list(self.trackers.items()):
            try:
                told(record)
            except Exception as error:  # a service that is down must not cost the run its cells
                del self.trackers[name]
                print(
                    f"{name} failed and is told of no further cell: "
                    f"{type(error).__name__}: {error}",
                    file=sys.stderr,
                )


def print_outcome(outcome: Outcome, seconds: float) -> None:
    """Prints how many cells ended how."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(outcome.counts.items()))
    out.print(f"Cells: {counts}. {seconds:.0f} seconds.")


def print_files(files: list[Path]) -> None:
    """Names what was written, the report last."""
    for path in sorted(files, key=lambda p: p.suffix == ".html"):
        print(f"Wrote {path}")


def print_status(root: Path) -> None:
    """Prints how many cells of a results folder ended how, and each failure."""
    records = read_records(root)
    counts = Counter(record.status for record in records)
    out.print(", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "no cells")
    for r in records:
        if r.status not in SETTLED:
            print(f"{r.task} / {r.model} / seed {r.seed}: {r.status} in {r.phase}: {r.reason}")


def print_scores(record: Record) -> None:
    """Prints the scores of one record."""
    table = Table(title=f"{record.model} on {record.task}", title_justify="left")
    for column in ("metric", "value", "standard error", "unit", "note"):
        number = column in ("value", "standard error")
        table.add_column(column, justify="right" if number else "left", no_wrap=column == "metric")
    for score in record.scores:
        empty = score.value is None
        table.add_row(
            score.metric,
            "" if score.value is None else f"{score.mark}{score.value:.5g}",
            "" if score.stderr is None else f"{score.stderr:.2g}",
            score.unit,
            score.reason if empty else score.note,
        )
    out.print(table)


def print_verified(found: Verified, model: str) -> None:
    """Prints what a check of a bundle found, a line for each fault, and the tier."""
    for verdict in found.verdicts:
        for text in verdict.trouble:
            print(f"{verdict.what}: {text}.")
        for text in verdict.unchecked:
            print(f"{verdict.what}: not checked: {text}.")
    print(f"{model} is {found.tier}." if found.ok else f"{model} is refused.")


def told_bound(record: Record, probe: str) -> list[str]:
    """Returns the NLL of a record by a probe in words; nothing where its suite measures none."""
    words = {"<=": "NLL at most", "~": "NLL about"}
    return [
        f"{words.get(score.mark, 'NLL')} {score.value:.4g} ± {score.stderr:.2g} nats"
        + (f" ({score.note})" if score.note else "")
        for score in record.scores
        if score.probe == probe and score.metric == "nll" and score.value is not None
    ]


def print_findings(findings: Sequence[Finding]) -> None:
    """Prints what a check found on one kind of domain, a line each."""
    for finding in findings:
        out.print(escape(str(finding)))


def print_verdict(name: str, checked: Checked) -> int:
    """Prints whether a model may run; returns the exit code."""
    failed = list(dict.fromkeys(f.domain for f in checked.findings if f.kind == "error"))
    if failed:
        out.print(escape(f"{name} does not hold the contract on: {', '.join(failed)}."))
    elif checked.ok:
        out.print(escape(f"{name} holds the contract wherever it claims to."))
    else:
        out.print(escape(f"{name} claims none of these kinds of points."))
    return 0 if checked.ok else 1


def print_list(listing: Listing, *, as_json: bool) -> None:
    """Prints things as columns that stay readable on 80 characters, or all of them as JSON."""
    if as_json:
        json.dump(listing.things, sys.stdout, indent=1)
        print()
        return
    groups: dict[str, list[list[str]]] = {}
    first, *others = listing.columns
    for thing in listing.things:
        group = thing.get(listing.group, first)
        rows = groups.setdefault(group, [[group, *others]])
        rows.append([cell(thing) for cell in listing.columns.values()])
    width = _width()
    beside = all(fits(rows, width) for rows in groups.values())
    for rows in groups.values():
        for i, line in enumerate(aligned(rows, width, beside=beside)):
            out.print(Text(line, "bold" if i == 0 else ""))
        out.print()
    for line in textwrap.wrap(listing.legend, width):
        out.print(Text(line))


def _width() -> int:
    """Returns the characters of a line: at least 72, and many where no terminal limits them."""
    known = out.is_terminal or "COLUMNS" in os.environ
    return max(72, out.width) if known else 200
