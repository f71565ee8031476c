"""The likelihood that a fitted model gives rows held back, for comparisons of likelihoods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....baselines import MODELS
from ....metrics.numerics.row_mean import row_mean
from ...contract.model import Budget, seeded
from ...tasks.registry import load_task


def log_likelihood(
    task_name: str, model_name: str, arguments: Mapping[str, Any], budget: Budget
) -> tuple[float, float]:
    """Fits a model with seed 0, and returns its mean log-likelihood of the test rows.

    Args:
        task_name: Name of a task with test rows.
        model_name: A key of `MODELS`, with an exact likelihood.
        arguments: Its arguments.
        budget: Its training.

    Returns:
        The mean in nats, and its standard error over rows.

    Raises:
        MissingData: The task is not in the data root.
        ValueError: The task has no test rows.
    """
    task = load_task(task_name)
    if task.test is None:
        raise ValueError(f"Expected test rows of {task_name}, got none.")
    with seeded(0):
        model = MODELS[model_name](task.domain, **arguments)
        model.fit(task.for_training(), budget)
        found = row_mean(model.log_prob(task.test))
    return found.value, found.stderr or 0.0
