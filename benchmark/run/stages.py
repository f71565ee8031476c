"""The three stages of a cell, each cached by the content of what it depends on.

train  ->  weights        (model class path + source + arguments, task + version, budget, seed)
probe  ->  `Evidence`     (+ number of samples, sampler settings)
score  ->  `Record`       (+ metrics and their protocols)
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ... import __version__
from ...baselines.controls.control import Control
from ..contract.evidence import Evidence
from ..contract.model import Budget, Diverged, GenerativeModel, Likelihood, seeded
from ..contract.task import Task
from ..suites.suite import Cell, Suite
from .cost import PeakMemory, counted_rows
from .store import Store, content_key
from .user_model import build

# Seeds of the stages are told apart, so that a sample never repeats the draws of training.
PROBE_SEED = 1_000_003
CHUNK = 1024


class NotStored(RuntimeError):
    """A model was trained before, and left nothing that could be loaded."""


def sample_size(suite: Suite, task: Task) -> int:
    """Returns the one number of points at which every row of a task is compared."""
    limits = [suite.samples]
    if task.test is not None:
        limits.append(len(task.test))
    if task.draw is None and task.unseen is not None:
        limits.append(len(task.unseen))
    return min(limits)


def keys(cell: Cell, suite: Suite, task: Task) -> dict[str, str]:
    """Returns the content keys of "train" and "probe"."""
    train = {
        "model": cell.model.fingerprint(),
        "task": [task.name, task.version, task.checksum],
        "budget": [suite.budget.steps, suite.budget.batch_size],
        "seed": cell.seed,
        "device": cell.device,
        "dgmbench": __version__,
    }
    key = content_key(train)
    return {"train": key, "probe": content_key({"train": key, "n": sample_size(suite, task)})}


@contextmanager
def all_seeded(seed: int) -> Iterator[None]:
    """As `seeded`, and for the global generators of NumPy and Python, which users' models use."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        with seeded(seed):
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def train(cell: Cell, suite: Suite, task: Task, store: Store, key: str) -> GenerativeModel:
    """Trains the cell's model, or loads it if that was done; writes weights, costs and curve.

    Args:
        cell: The cell.
        suite: Its suite.
        task: Its task.
        store: Where the stages are.
        key: Content key of the stage.

    Raises:
        Diverged: The loss became NaN or infinite.
        NotStored: It was trained before, but has no `state_dict` to load.
    """
    # Initialisation is part of training: the seed holds for both.
    with all_seeded(cell.seed):
        model = build(cell.model.load(), task.domain, dict(cell.model.arguments))
        if callable(getattr(model, "to", None)):
            model.to(cell.device)  # type: ignore[attr-defined]
        if store.done("train", key):
            return _restored(model, store.folder("train", key), cell.device)
        memory, start = PeakMemory(cell.device), time.perf_counter()
        if isinstance(model, Control):
            model.fit(task, suite.budget)  # no competitor: it may see the whole task
        else:
            model.fit(task.for_training(), suite.budget)
        _synchronise(cell.device)
        cost = _training_cost(model, suite.budget, time.perf_counter() - start, memory.read())
    with store.writing("train", key) as folder:
        state = _state(model)
        if state is not None:
            save_file(state, folder / "weights.safetensors")
        curve = [list(row) for row in getattr(model, "curve", [])]
        (folder / "curve.json").write_text(json.dumps(curve))
        (folder / "cost.json").write_text(json.dumps(cost))
    return model


def _restored(model: GenerativeModel, folder: Path, device: str) -> GenerativeModel:
    weights = folder / "weights.safetensors"
    if not weights.exists():
        raise NotStored("it has no state_dict, so that it cannot be probed again once trained")
    model.load_state_dict(load_file(weights, device=device))  # type: ignore[attr-defined]
    if isinstance(model, torch.nn.Module):
        model.eval()
    return model


def _state(model: Any) -> dict[str, Tensor] | None:
    state = model.state_dict() if callable(getattr(model, "state_dict", None)) else None
    if state is None:
        return None
    # safetensors takes neither views nor tensors that share memory.
    return {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in state.items()}


def _training_cost(
    model: GenerativeModel, budget: Budget, seconds: float, memory: int
) -> dict[str, Any]:
    return {
        "parameters": _count(model),
        "training_seconds": seconds,
        "peak_memory": memory,
        "training_examples": budget.steps * budget.batch_size,
    }


def _count(model: Any) -> int | None:
    """Trainable parameters; the numbers that are kept where none is trained by gradient."""
    parameters = getattr(model, "parameters", None)
    trained = sum(p.numel() for p in parameters()) if callable(parameters) else 0
    state = _state(model)
    kept = None if state is None else sum(v.numel() for v in state.values())
    return trained or kept


def probe(
    model: GenerativeModel, cell: Cell, suite: Suite, task: Task, store: Store, key: str
) -> None:
    """Draws samples and log-probabilities; writes them as evidence, with their costs.

    Args:
        model: The trained model.
        cell: Its cell.
        suite: Its suite.
        task: Its task.
        store: Where the stages are.
        key: Content key of the stage.

    Raises:
        Diverged: A sample is NaN or infinite.
        ValueError: What the model returned is not of its domain, or belies its claim.
    """
    n = sample_size(suite, task)
    with all_seeded(PROBE_SEED + cell.seed), torch.no_grad():
        model.sample(min(n, 32))  # the first call pays for memory and kernels
        _synchronise(cell.device)
        with counted_rows(model) as rows:
            start = time.perf_counter()
            samples = model.sample(n)
            _synchronise(cell.device)
            seconds = time.perf_counter() - start
        evidence = examine(model, task, _checked(samples, n, task).cpu())
    cost = {"samples_per_second": n / seconds, "nfe": rows[0] / n if rows else None}
    with store.writing("probe", key) as folder:
        evidence.save(folder / "evidence.safetensors")
        (folder / "cost.json").write_text(json.dumps(cost))
        claim = {"likelihood": model.likelihood.value, "paper": model.paper}
        (folder / "claim.json").write_text(json.dumps(claim))


def _checked(samples: Tensor, n: int, task: Task) -> Tensor:
    if len(samples) != n:
        raise ValueError(f"Expected {n} samples from the model, got {len(samples)}.")
    if samples.is_floating_point() and not bool(samples.isfinite().all()):
        bad = int((~samples.flatten(1).isfinite()).any(1).sum())
        raise Diverged(f"{bad} of {n} samples are NaN or infinite")
    return task.domain.check("samples", samples)


def examine(model: GenerativeModel, task: Task, samples: Tensor) -> Evidence:
    """Returns the evidence of a model whose samples have been drawn.

    Raises:
        ValueError: A log-probability is NaN or of the wrong shape, or an exact law does not sum
            to 1.
    """
    claim = model.likelihood
    log_prob = law = own = None
    if claim in (Likelihood.EXACT, Likelihood.LOWER_BOUND, Likelihood.ESTIMATE):
        if task.test is not None:
            log_prob = _log_prob(model, task.test)
    if claim is Likelihood.EXACT:
        own = _log_prob(model, samples)
        if task.domain.is_enumerable:
            law = _log_prob(model, task.domain.states()).exp()
            if not math.isclose(float(law.sum()), 1.0, abs_tol=1e-3):
                raise ValueError(
                    f"Expected an exact likelihood to sum to 1 over the {len(law)} states, "
                    f"got {float(law.sum()):.4f}."
                )
    log_z = model.log_z()
    return Evidence(
        samples, log_prob, own, law, None if log_z is None else torch.tensor(float(log_z))
    )


def _log_prob(model: GenerativeModel, x: Tensor) -> Tensor:
    """Returns float64 log-probabilities on the CPU, shape `(B,)`, in chunks."""
    device = getattr(model, "device", torch.device("cpu"))
    parts = [model.log_prob(rows.to(device)).detach().cpu().double() for rows in x.split(CHUNK)]
    log_prob = torch.cat(parts)
    if log_prob.shape != (len(x),):
        raise ValueError(f"Expected log_prob of shape ({len(x)},), got {tuple(log_prob.shape)}.")
    bad = int(log_prob.isnan().sum())
    if bad:
        raise ValueError(f"Expected log_prob without NaN, got {bad} of {len(x)} rows.")
    return log_prob


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
