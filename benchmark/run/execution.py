"""Runs what a plan has left to do, and shares it with other runs on the same folder."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..contract.record import SETTLED, Record, read_record
from ..plugged import LOADED
from .job import Job
from .plan import Plan
from .plugins import load_plugin
from .processes.claims import Claims
from .processes.workers import Lost, cores, run_local, visible_gpus
from .recording import finish, forget_phase
from .stages import answer, run_job

Watch = Callable[[Job, Record], None]


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        records: The newest record of every cell in the folder.
        counts: Number of the cells that were asked for, by status.
    """

    records: list[Record]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Cells that ended neither well nor as not admitted."""
        return sum(n for status, n in self.counts.items() if status not in SETTLED)


@dataclass(frozen=True)
class Step:
    """What one process does for a job.

    Attributes:
        job: The job.
        scores: Whether it goes as far as the record; else it trains and probes alone.
    """

    job: Job
    scores: bool = True

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles such that the other process has the user's plugins before it reads the job."""
        return _with_plugins, (tuple(LOADED), pickle.dumps((self.job, self.scores)))


def _with_plugins(places: tuple[str, ...], content: bytes) -> Step:
    for place in places:
        load_plugin(place)
    return Step(*pickle.loads(content))


def take(step: Step) -> Record | None:
    """Does a step, in a process of its own."""
    return run_job(step.job) if step.scores else answer(step.job)


class Steps:
    """What is left to do, one step whenever a process is free.

    A job that another run has claimed waits until that run is done with it.

    Attributes:
        elsewhere: Jobs that another run finished meanwhile, with their records.
    """

    def __init__(self, jobs: list[Job], claims: Claims) -> None:
        self.claims = claims
        # A user's model is scored by another process than its own, which never saw it.
        self.left = deque(Step(job, not job.model.is_users or bool(job.refusal)) for job in jobs)
        self.running = 0
        self.elsewhere: list[tuple[Job, Record]] = []

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Step | None:
        for _ in range(len(self.left)):
            step = self.left.popleft()
            if not self.claims.claim(step.job.file_name):
                self.left.append(step)
                continue
            record = read_record(step.job.root, step.job.cell, step.job.keys["score"])
            if record is None or not record.settled:
                self.running += 1
                return step
            self.claims.release(step.job.file_name)
            self.elsewhere.append((step.job, record))
        if self.left or self.running:
            return None
        raise StopIteration

    def ended(self, step: Step, record: Record | None) -> None:
        """Takes note that a step has ended; without a record its job is to be scored next."""
        self.running -= 1
        if record is None:
            self.left.appendleft(Step(step.job))
        else:
            self.claims.release(step.job.file_name)


def execute(plan: Plan, watch: Watch) -> Outcome:
    """Runs what is left to do.

    Args:
        plan: What to do.
        watch: Called with each job and its record as it ends.

    Raises:
        KeyboardInterrupt: The user stopped it; what had ended is on disk.
    """
    records = dict(plan.records)

    def ended(job: Job, record: Record) -> None:
        records[job.cell] = record
        watch(job, record)

    with Claims(plan.root) as claims:
        steps = Steps(plan.todo, claims)
        for step, result in run_local(
            take,
            steps,
            workers=plan.workers,
            timeout=plan.timeout,
            threads=max(1, cores() // plan.workers),
            log=lambda step: plan.root / "logs" / f"{step.job.file_name}.txt",
            gpus=visible_gpus() if plan.device == "cuda" else (),
        ):
            record = _lost(step.job, result) if isinstance(result, Lost) else result
            if record is not None:
                ended(step.job, record)
            steps.ended(step, record)
    for job, record in steps.elsewhere:
        ended(job, record)
    outcome = Outcome([records[cell] for cell in sorted(records)])
    for job in plan.jobs:
        status = records[job.cell].status
        outcome.counts[status] = outcome.counts.get(status, 0) + 1
    return outcome


def _lost(job: Job, lost: Lost[Step]) -> Record:
    """The record of a job whose process did not come back: its own, if it had written one."""
    written = read_record(job.root, job.cell, job.keys["score"])
    if written is not None and written.settled:
        return written
    return finish(job, lost.status, forget_phase(job), lost.reason)  # type: ignore[arg-type]
