"""A job: one model on one task with one seed, with everything that its stages need.

It is made once, from outlines: no rows are read for it. Task, keys and admission are not looked up
again by name further down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..contract.model import Budget
from ..contract.probe import Probe
from ..contract.record import cell_name
from ..contract.task import Task
from ..suites.suite import ModelSpec, Suite
from ..tasks import Outline
from .keys.stage_keys import stage_keys
from .users.user_model import users_refusal


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        suite: The suite, whose metrics, probes and budget hold.
        outline: The task without its rows.
        model: The model.
        seed: From which the seeds of initialisation, training and sampling are derived.
        device: "cpu" or "cuda".
        root: The results folder, absolute.
        probes: What this model is asked on this task.
        keys: Content keys: "train", one for each probe's name, "score".
        refusal: Why the model is not admitted to the task; empty where it is.
    """

    suite: Suite
    outline: Outline
    model: ModelSpec
    seed: int
    device: str
    root: Path
    probes: tuple[Probe, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    def __str__(self) -> str:
        return f"{self.task.name} / {self.model.name} / seed {self.seed}"

    @property
    def task(self) -> Task:
        """The task without its rows."""
        return self.outline.task

    @property
    def budget(self) -> Budget:
        """What the model may spend."""
        return self.suite.budget_of(self.model.name, self.task.kind, self.task.name)

    @property
    def cell(self) -> tuple[str, str, int]:
        """Task, model and seed, as in `Record.cell`."""
        return self.task.name, self.model.name, self.seed

    @property
    def file_name(self) -> str:
        """A file name for the job."""
        return cell_name(*self.cell)

    def samples(self, probe: Probe) -> int:
        """Returns the number of samples of a probe: by default one number for all models.

        That is the suite's, or fewer: as many as there are test rows to compare with, and, where
        the oracle has no sampler, unseen rows for it to show.
        """
        sizes = self.outline.sizes or {}
        limits = [probe.n or self.suite.samples]
        if probe.split in sizes:
            limits.append(sizes[probe.split])
        if self.task.draw is None and probe.n is None and "test" in sizes:
            limits.append(sizes["holdout"] if "holdout" in sizes else sizes.get("val", limits[0]))
        return min(limits)


def make_jobs(
    suite: Suite,
    outlines: Iterable[Outline],
    models: Iterable[str],
    users: Iterable[ModelSpec],
    seeds: Iterable[int],
    device: str,
    root: Path,
) -> list[Job]:
    """Returns the jobs of a run, task by task.

    Args:
        suite: The suite.
        outlines: The tasks.
        models: Names of models of the suite.
        users: Models of the user's.
        seeds: Seeds.
        device: "cpu" or "cuda".
        root: The results folder.

    Raises:
        ValueError: A model cannot be imported.
    """
    seeds, models, users, root = list(seeds), list(models), list(users), root.absolute()
    jobs = []
    for outline in outlines:
        specs = [*(suite.spec(name, outline.task.kind) for name in models), *users]
        for spec in specs:
            refusal = refused(spec, outline.task)
            probes = () if refusal else asked(suite, spec, outline.task.name)
            for seed in seeds:
                job = Job(suite, outline, spec, seed, device, root, probes, refusal=refusal)
                jobs.append(replace(job, keys=stage_keys(job)))
    return jobs


def asked(suite: Suite, spec: ModelSpec, task: str) -> tuple[Probe, ...]:
    """Returns the probes of a suite that a model can answer on a task."""
    return tuple(
        probe
        for probe in suite.probes
        if (not probe.models or spec.name in probe.models)
        and (not probe.tasks or task in probe.tasks)
        and _answers(spec.load(), probe)
    )


def _answers(cls: Any, probe: Probe) -> bool:
    if probe.sampler is None and probe.steps is None:
        return True
    samplers = getattr(cls, "samplers", ())
    return bool(samplers) and (probe.sampler is None or probe.sampler in samplers)


def refused(spec: ModelSpec, task: Task) -> str:
    """Returns why a model is not admitted to a task, or "" if it is.

    Args:
        spec: The model.
        task: The task, with or without its rows.
    """
    cls = spec.load()
    wants = getattr(cls, "learns_from", "samples")
    if wants == "task" and spec.is_users:
        return "only the controls of dgmbench learn from the whole task"
    if wants == "reward" and task.log_reward is None:
        return "it learns from a reward, and the task has none"
    if wants not in ("reward", "task") and not task.has("train"):
        return "it learns from samples, and the task has none"
    if task.conditional and not getattr(cls, "conditional", False):
        return "the task is conditional, and it takes no context"
    if spec.is_users:
        return users_refusal(cls, task.domain)
    return cls.supports(task.domain) or (cls.refuses(task) if wants == "task" else "") or ""
