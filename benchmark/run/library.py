"""For users of the library: a model by name, and a suite without the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...baselines import MODELS
from ..contract.model import GenerativeModel
from ..contract.record import Record
from ..contract.task import Domain, Task
from ..names import known
from .execution import execute
from .job import Job
from .plan import make_plan
from .users.specs import AS_IT_IS, Variant, user_spec
from .users.user_model import build


def load_model(name: str, task: Task | Domain, **arguments: Any) -> GenerativeModel:
    """Returns an untrained model for a task.

    Train it by `model.fit(task.for_training(), Budget(steps=700))`.

    Args:
        name: A baseline's name such as "nsf", or "file.py:Class" of a model of one's own.
        task: The task, or the domain of its points.
        arguments: Keyword arguments of the model.

    Raises:
        ValueError: No model has that name, the model is not for that domain, or it does not take
            these arguments.
    """
    domain = task.domain if isinstance(task, Task) else task
    if ":" not in name:
        known("model", [name], MODELS)
    return build(user_spec(name).load(), domain, arguments)


def run(
    suite: str | None = None,
    *,
    tasks: Iterable[str] | None = None,
    models: Iterable[str] | None = None,
    user_models: Iterable[str] = (),
    variant: Variant = AS_IT_IS,
    seeds: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    timeout: float | None = None,
    out: Path | str = "results",
    watch: Callable[[Job, Record], None] = lambda job, record: None,
) -> list[Record]:
    """Runs a suite and returns its records; what is done is not done again.

    Cells run in processes of their own: in a script, call it under `if __name__ == "__main__":`.

    Args:
        suite: Name of the suite; by default the one that holds the tasks, without tasks quick.
        tasks: Names and addresses of tasks; all of the suite by default.
        models: Names of models; all by default; ["none"] for one's own alone.
        user_models: "file.py:Class" of models to put beside the baselines, or names of baselines.
        variant: Arguments, name and budget of those.
        seeds: How many seeds, from 0; the suite's own by default.
        device: "auto", "cpu" or "cuda".
        workers: Worker processes; one per core by default.
        timeout: Seconds after which a cell is stopped; the suite's own by default.
        out: Folder above the suite's own.
        watch: Called with each job and its record as it ends.

    Returns:
        The records of the cells that were asked for, whatever their status.

    Raises:
        ValueError: An unknown name, a model file that is not right, no such device, or an
            unwritable folder.
    """
    plan = make_plan(
        suite,
        out=Path(out),
        tasks=None if tasks is None else list(tasks),
        models=None if models is None else list(models),
        user_models=list(user_models),
        variant=variant,
        seeds=seeds,
        device=device,
        workers=workers,
        timeout=timeout,
    )
    asked = {job.cell for job in plan.jobs}
    return [record for record in execute(plan, watch).records if record.cell in asked]
