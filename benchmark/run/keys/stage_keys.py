"""The content keys of a job's stages: what each was made from, and nothing else.

train  <-  model (sources, arguments), task, budget, seed, device, versions, how training works
probe  <-  train, the question, the arguments that only answers read, how probing works
score  <-  all probes, metrics, feature map, the name of the row, how scoring works
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import content as keys
from .content import content_key

if TYPE_CHECKING:
    from ..job import Job

TRAIN_CODE = ("benchmark.run.training", "benchmark.run.seeding")
PROBE_CODE = ("benchmark.run.probing", "benchmark.run.seeding")
SCORE_CODE = ("benchmark.run.scoring.answers",)


def stage_keys(job: Job) -> dict[str, str]:
    """Returns the content keys "train", one for each probe by its name, and "score"."""
    whole = job.model.target and getattr(job.model.load(), "learns_from", "") == "task"
    task = keys.task_key(job.outline) if whole else keys.rows_key(job.outline)
    train = content_key(
        {
            "model": keys.model_key(job.model),
            "task": task,
            "budget": [job.budget.steps, job.budget.batch_size],
            "seed": job.seed,
            "device": job.device,
            "stage": keys.stage_code(*TRAIN_CODE),
        }
    )
    found: dict[str, str] = {"train": train}
    arguments = keys.probe_arguments(job.model)
    for probe in job.probes:
        question = {**probe.question, "n": job.samples(probe)}
        found[probe.name] = content_key(
            {
                "train": train,
                "question": question,
                "arguments": arguments,
                "stage": keys.stage_code(*PROBE_CODE),
            }
        )
    answers = {p.name: [found[p.name], p.split, p.metrics] for p in job.probes}
    found["score"] = score_key(job, answers)
    return found


def score_key(job: Job, answers: Any) -> str:
    """Returns the content key of the stage "score".

    Args:
        job: The job.
        answers: What tells its answers from others.
    """
    suite = job.suite
    content: dict[str, Any] = {
        # The name is part of the row, not of the training: one model may stand under two names.
        "name": job.model.name,
        "answers": answers,
        "task": keys.task_key(job.outline),
        "metrics": {name: keys.metric_key(metric) for name, metric in suite.metrics.items()},
        "features": keys.map_key(job.task.feature_map, job.task.domain.levels),
        "refusal": job.refusal,
        "stage": keys.stage_code(*SCORE_CODE),
    }
    return content_key(content)
