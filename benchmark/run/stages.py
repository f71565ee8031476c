"""A job from training to its record; whatever befalls it becomes a row with a reason."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..contract.model import Diverged, GenerativeModel
from ..contract.probe import Probe
from ..contract.record import Phase, Record, Status
from ..contract.told import no_memory, told
from .job import Job
from .keys.stage_keys import stage_keys
from .probing import probe
from .recording import finish, note_phase
from .scoring.answers import Answer, score_answers
from .store import Store
from .training import restored, train


def run_job(job: Job) -> Record:
    """Runs the stages of a job that are not done yet and writes its record.

    Returns:
        The record, whatever its status.
    """
    return answer(job) or recorded(job, "score", lambda: score(job))


def answer(job: Job) -> Record | None:
    """Trains and probes a job's model where that is not done; scores nothing.

    Of a user's model this is all that its process does: what it changed there ends with it.

    Returns:
        None, or the record of a job that failed or is not admitted.
    """
    if job.refusal:
        return finish(job, "not admitted", reason=job.refusal)
    store = Store(job.root)
    if store.done("train", job.keys["train"]) and not _open_questions(job, store):
        return None
    found: list[GenerativeModel] = []
    with job.model.around():
        failure = recorded(job, "train", lambda: found.append(_trained(job, store)))
        return failure or recorded(job, "probe", lambda: _ask(job, found[0], store))


def _open_questions(job: Job, store: Store) -> list[Probe]:
    return [p for p in job.probes if not store.done("probe", job.keys[p.name])]


def _trained(job: Job, store: Store) -> GenerativeModel:
    """Returns the model, restored where that can be; trained anew, its answers are too."""
    model = restored(job, store)
    if model is not None:
        return model
    for question in job.probes:
        store.forget("probe", job.keys[question.name])
    job.model.load()
    _check_sources(job)
    return train(job, _shown(job), store)


def _check_sources(job: Job) -> None:
    """Refuses a model whose files were edited since the run began: its key is that of the old."""
    if job.model.is_users and stage_keys(job)["train"] != job.keys["train"]:
        raise ValueError(
            f"Expected the files of {job.model.name} to stay as they were when the run began, but "
            "they were edited since; run it again."
        )


def _shown(job: Job) -> Any:
    """What the model may see; the rest of the task's rows leaves the memory at once."""
    task = job.outline.load()
    if getattr(job.model.load(), "learns_from", "samples") == "task":
        return task
    shown = task.for_training()
    return shown.copied() if job.model.is_users else shown


def _ask(job: Job, model: GenerativeModel, store: Store) -> None:
    task = job.outline.load()
    for question in _open_questions(job, store):
        probe(job, question, model, task, store)


def recorded(job: Job, phase: Phase, work: Callable[[], Any]) -> Any:
    """Runs a stage; whatever it raises becomes the job's record.

    Returns:
        What the stage returned, or the record of its failure.
    """
    note_phase(job, phase)
    try:
        return work()
    except Diverged as error:
        return finish(job, "diverged", phase, str(error))
    except MemoryError as error:
        return finish(job, "out of memory", phase, str(error) or "no memory left")
    except BaseException as error:  # recorded with its traceback: the other jobs go on
        _keep_traceback(job)
        status: Status = "out of memory" if no_memory(error) else "failed"
        return finish(job, status, phase, told(error))


def _keep_traceback(job: Job) -> None:
    folder = job.root / "errors"
    folder.mkdir(exist_ok=True)
    text = traceback.format_exc().encode("utf-8", "replace")
    (folder / f"{job.file_name}.txt").write_bytes(text[-100_000:])


def score(job: Job) -> Record:
    """Scores the answers of a probed model and writes its record; no model is in sight."""
    store = Store(job.root)
    trained = _there(store, "train", job.keys["train"])
    answers = [Answer.load(p, _there(store, "probe", job.keys[p.name])) for p in job.probes]
    cost = json.loads((trained / "cost.json").read_text())
    curve = (trained / "curve.json").read_text()
    return score_answers(job, job.outline.load(), answers, cost, curve)


def _there(store: Store, stage: str, key: str) -> Path:
    folder = store.open(stage, key)
    if folder is None:
        raise ValueError(f"Expected the stage {stage!r} to be there, got none; run it again.")
    return folder
