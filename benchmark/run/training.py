"""The stage "train": from a job to a trained model, its weights, its costs and its curve."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...baselines.checkpoints import Checkpoint
from ..contract.model import GenerativeModel
from ..suites.suite import NO_RECIPE
from .cost import Clock, PeakMemory
from .pace import pace
from .seeding import all_seeded, derived_seed
from .users.user_model import build
from .visits import watched

if TYPE_CHECKING:
    from .job import Job
    from .store import Store


QUICKEST = 5.0  # no core is so many times as quick as that of the reference machine


def train(job: Job, task: Any, store: Store) -> GenerativeModel:
    """Trains the job's model and writes weights, costs and curve.

    Args:
        job: The job.
        task: What the model may see: a `TrainingTask`; for a control the whole task.
        store: Where the stages are.

    Raises:
        Diverged: The loss became NaN or infinite.
    """
    # Initialisation is part of training: the seed holds for both.
    with all_seeded(derived_seed(job.seed, "training", job.task.name, job.model.target)):
        model = made(job)
        memory, clock = PeakMemory(job.device), Clock(job.device)
        checkpoint = _checkpoint(job, store)
        learns_from = getattr(job.model.load(), "learns_from", "samples")
        task, checkpoint.beside = watched(task, job.task, learns_from)
        if getattr(model, "resumes", False) is True:
            model.fit(task, job.budget, checkpoint)  # type: ignore[call-arg]
        else:
            model.fit(task, job.budget)
        seconds = checkpoint.seconds + clock.seconds()
        of_cores = checkpoint.core_seconds + clock.core_seconds()
        peak = memory.read(), memory.growth()
    with store.writing("train", job.keys["train"]) as folder:
        state = _state(model)
        if state is not None:
            save_file(state, folder / "weights.safetensors")
            layout = getattr(model, "layout", lambda: None)()
            (folder / "layout.json").write_text(json.dumps(layout))
        found = checkpoint.beside.curve() if checkpoint.beside is not None else []
        curve = [list(row) for row in [*getattr(model, "curve", []), *found]]
        (folder / "curve.json").write_text(json.dumps(curve))
        cost = _cost(model, job, seconds, of_cores, peak)
        (folder / "cost.json").write_text(json.dumps(cost))
    return model


def restored(job: Job, store: Store) -> GenerativeModel | None:
    """Returns the model as it was trained before, or None where it must be trained again.

    That is where it was not trained, left no weights, or does not take them back.
    """
    folder = store.open("train", job.keys["train"])
    if folder is None or not (folder / "weights.safetensors").exists():
        return None
    if getattr(job.model.load(), "learns_from", "samples") == "task":
        return None  # controls hold samplers and densities, which are no weights
    with all_seeded(derived_seed(job.seed, "training", job.task.name, job.model.target)):
        model = made(job)
    try:
        state = load_file(folder / "weights.safetensors", device=job.device)
        layout = json.loads((folder / "layout.json").read_text())
        given = () if layout is None else (layout,)
        model.load_state_dict(state, *given)  # type: ignore[attr-defined]
    except Exception:
        if not job.model.is_users:
            raise  # weights of ours fit: their key holds the code that they came from
        return None  # a net that is built in `fit` has no place for its weights yet
    if callable(getattr(model, "eval", None)):
        model.eval()  # type: ignore[attr-defined]
    return model


def made(job: Job) -> GenerativeModel:
    """Returns the model as it is before training, on the job's device."""
    model = build(job.model.load(), job.task.domain, dict(job.model.arguments))
    if callable(getattr(model, "to", None)):
        model.to(job.device)  # type: ignore[attr-defined]
    return model


def _state(model: Any) -> dict[str, Tensor] | None:
    state = model.state_dict() if callable(getattr(model, "state_dict", None)) else None
    if state is None:
        return None
    # safetensors takes neither views nor tensors that share memory.
    return {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in state.items()}


def _cost(
    model: GenerativeModel,
    job: Job,
    seconds: float,
    core_seconds: float,
    memory: tuple[int, int | None],
) -> dict[str, Any]:
    on_cores = not job.device.startswith("cuda")
    over = _over_class(job, core_seconds) if on_cores else []
    return {
        "device": model.device.type,
        "parameters": _count(model),
        "training_seconds": seconds,
        "training_core_seconds": core_seconds if on_cores else None,
        "training_examples": _number(model, "examples"),
        "training_flops": _number(model, "training_flops"),
        "peak_memory": memory[0],
        "memory_growth": memory[1],
        "notes": [
            *dict.fromkeys(getattr(model, "notes", ())),
            *_own_budget(job),
            *_unsearched(job),
            *over,
        ],
    }


def _own_budget(job: Job) -> list[str]:
    """Says that the budget is not one that was chosen for the suite."""
    recipe = job.suite.recipes.get(job.task.kind, {}).get(job.model.name)
    if recipe is None or not recipe.own:
        return []
    budget = job.budget
    return [f"its user's own budget: {budget.steps:,} steps of {budget.batch_size:,}"]


def _unsearched(job: Job) -> list[str]:
    """Says that a model has its defaults where the arguments of others were searched."""
    suite, name = job.suite, job.model.name
    recipes = suite.recipes.get(job.task.kind, {})
    recipe = recipes.get(name, NO_RECIPE)
    known_space = name in suite.spaces and not recipe.own
    if not known_space or recipe.searched or not any(r.searched for r in recipes.values()):
        return []
    return ["its arguments are not searched for this kind of task, as those of others are"]


def _over_class(job: Job, core_seconds: float) -> list[str]:
    """Says that a model spent more than half as much again as the compute class of its suite."""
    minutes, spent = job.suite.core_minutes, core_seconds / 60
    if not minutes or spent * QUICKEST <= 1.5 * minutes:
        return []
    spent *= pace()
    if spent <= 1.5 * minutes:
        return []
    return [
        f"trained for {spent:.1f} core-minutes of the reference machine where the suite's class "
        f"is {minutes:g}"
    ]


def _checkpoint(job: Job, store: Store) -> Checkpoint:
    """Where a training that is cut off leaves its state for the next run."""
    return Checkpoint(store.root / "checkpoints" / f"{job.keys['train'][:24]}.safetensors")


def _number(model: Any, name: str) -> int | None:
    """A count that a model of ours keeps; 0 counts as none."""
    return getattr(model, name, None) or None


def _count(model: Any) -> int | None:
    """Trainable parameters; the numbers that are kept where none is trained by gradient."""
    parameters = getattr(model, "parameters", None)
    held = parameters() if callable(parameters) else ()
    trained = sum(p.numel() if isinstance(p, Tensor) else np.size(p) for p in held)
    state = _state(model)
    kept = None if state is None else sum(v.numel() for v in state.values())
    return trained or kept
