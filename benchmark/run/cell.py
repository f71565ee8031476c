"""One cell from training to its record; whatever befalls it becomes a row with a reason."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ...baselines.controls.control import Control
from ...metrics.features import FeatureCache
from ..contract.evidence import Evidence
from ..contract.model import Diverged, Likelihood
from ..contract.record import File, Record, Score, Status, write_record
from ..contract.task import Task
from ..suites import load_suite
from ..suites.suite import Cell, Suite
from ..tasks import load_task
from . import stages
from .provenance import environment
from .scoring import Inputs, load_map, metric_fingerprint, scores
from .store import Store, content_key

# Samples that a page shows: a grid of images, a cloud of points.
SHOWN_IMAGES, SHOWN_POINTS = 64, 2048
MEASURED = {
    "parameters": "trainable, or the numbers kept where none is trained by gradient",
    "nfe": "rows that the network evaluates a sample",
    "peak_memory": "tensors on the GPU, or resident set with libraries, in training",
}


def all_keys(cell: Cell, suite: Suite, task: Task) -> dict[str, str]:
    """Returns the content keys of the cell's stages: "train", "probe" and "score"."""
    metrics = {name: metric_fingerprint(metric) for name, metric in suite.metrics.items()}
    # The name is part of the row, not of the training: one model may stand under two names.
    name = cell.model.name
    keys = stages.keys(cell, suite, task)
    content = {"name": name, "metrics": metrics, "refuses": dict(task.refuses)}
    # Cells without features are scored again once the weights of the map are there.
    content["features"] = [task.feature_map, *load_map(task.feature_map, task.domain.levels)[1:]]
    return keys | {"score": content_key({**content, "probe": keys["probe"]})}


def admitted(cell: Cell, task: Task) -> str:
    """Returns why the model cannot play on the task, or "" if it can."""
    cls = cell.model.load()
    wants = getattr(cls, "learns_from", "samples")
    if wants == "reward" and task.log_reward is None:
        return "it learns from a reward, and the task has none"
    if wants == "samples" and task.train is None:
        return "it learns from samples, and the task has none"
    supports = getattr(cls, "supports", None)
    reason = (supports(task.domain) if callable(supports) else None) or ""
    return reason or ((cls.refuses(task) if issubclass(cls, Control) else None) or "")


def run_cell(cell: Cell) -> Record:
    """Runs the stages of a cell that are not done yet and writes its record.

    Returns:
        The record, whatever its status.
    """
    suite, task, store = load_suite(cell.suite), load_task(cell.task), Store(cell.root)
    keys, phase = all_keys(cell, suite, task), "train"
    try:
        reason = admitted(cell, task)
        if reason:
            return finish(cell, "not admitted", phase="", reason=reason)
        note_phase(cell, phase)
        if not (store.done("probe", keys["probe"]) and store.done("train", keys["train"])):
            model = stages.train(cell, suite, task, store, keys["train"])
            phase = note_phase(cell, "probe")
            stages.probe(model, cell, suite, task, store, keys["probe"])
        phase = note_phase(cell, "score")
        return score_cell(cell, suite, task, store, keys)
    except Diverged as error:
        return finish(cell, "diverged", phase, str(error))
    except stages.NotStored as error:
        return finish(cell, "not admitted", phase, str(error))
    except MemoryError as error:
        return finish(cell, "out of memory", phase, str(error) or "no memory left")
    except Exception as error:  # recorded with its traceback: the other cells go on
        (cell.root / "errors").mkdir(exist_ok=True)
        (cell.root / "errors" / f"{file_name(cell)}.txt").write_text(traceback.format_exc())
        status: Status = "out of memory" if "out of memory" in str(error) else "failed"
        return finish(cell, status, phase, f"{type(error).__name__}: {error}")


def score_cell(cell: Cell, suite: Suite, task: Task, store: Store, keys: dict[str, str]) -> Record:
    """Scores the evidence of a probed cell; no model is in sight."""
    probed, trained = store.folder("probe", keys["probe"]), store.folder("train", keys["train"])
    evidence = Evidence.load(probed / "evidence.safetensors")
    claim = json.loads((probed / "claim.json").read_text())
    features = FeatureCache(cell.root / "features")
    inputs = Inputs(task, evidence, Likelihood(claim["likelihood"]), features)
    costs = json.loads((trained / "cost.json").read_text())
    costs |= json.loads((probed / "cost.json").read_text())
    found = [*scores(suite, inputs), *cost_scores(costs, cell.device)]
    files = shown(cell.root, keys["score"], task, evidence, (trained / "curve.json").read_text())
    return finish(cell, "ok", scores=tuple(found), files=files, claim=claim)


def cost_scores(costs: dict[str, Any], device: str) -> list[Score]:
    """Returns the costs as scores; a cost that does not apply says why."""
    kinds: tuple[tuple[str, str, str, str], ...] = (
        ("parameters", "", "", "the object has no parameters()"),
        ("training_seconds", "seconds", "lower", ""),
        ("samples_per_second", "1/second", "higher", ""),
        ("nfe", "", "lower", "no network is evaluated"),
        ("peak_memory", "bytes", "lower", ""),
    )
    return [
        Score(
            metric=name,
            value=costs.get(name),
            unit=unit,
            direction=direction,  # type: ignore[arg-type]
            protocol=f"on {device}, {MEASURED.get(name, 'one process')}",
            reason=reason if costs.get(name) is None else "",
        )
        for name, unit, direction, reason in kinds
    ]


def shown(root: Path, key: str, task: Task, evidence: Evidence, curve: str) -> dict[str, File]:
    """Writes the small files that a page shows, and returns them by name."""
    folder = root / "files" / key[:24]
    folder.mkdir(parents=True, exist_ok=True)
    n = SHOWN_IMAGES if task.domain.is_image else SHOWN_POINTS
    np.save(folder / "samples.npy", evidence.samples[:n].numpy())
    (folder / "curve.json").write_text(curve)
    names = {"samples": "samples.npy", "curve": "curve.json"}
    if evidence.law is not None:
        np.save(folder / "law.npy", evidence.law.numpy())
        names["law"] = "law.npy"
    return {name: File.of(folder / file, root) for name, file in names.items()}


def finish(
    cell: Cell,
    status: Status,
    phase: Any = "",
    reason: str = "",
    *,
    scores: tuple[Score, ...] = (),
    files: dict[str, File] | None = None,
    claim: dict[str, str] | None = None,
) -> Record:
    """Writes and returns the record of a cell."""
    suite, task = load_suite(cell.suite), load_task(cell.task)
    cls = cell.model.load()
    if claim is None:
        claim = {"likelihood": "none", "paper": getattr(cls, "paper", "")}
    record = Record(
        suite=cell.suite,
        task=task.name,
        task_version=task.version,
        model=cell.model.name,
        family=getattr(cls, "family", "user"),
        seed=cell.seed,
        model_path=cell.model.target,
        arguments={k: _plain(v) for k, v in cell.model.arguments.items()},
        likelihood=claim["likelihood"],
        paper=claim["paper"],
        learns_from=getattr(cls, "learns_from", "samples"),
        keys=all_keys(cell, suite, task),
        status=status,
        phase=phase,
        reason=reason,
        scores=scores,
        files=files or {},
        environment=environment(cell.device),
        created=datetime.now(UTC),
    )
    write_record(record, cell.root)
    forget_phase(cell)
    return record


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def file_name(cell: Cell) -> str:
    """A file name for the cell."""
    return f"{cell.task}--{cell.model.name}--s{cell.seed}"


def note_phase(cell: Cell, phase: str) -> str:
    """Leaves word on disk of the stage that a cell is in, for those who must bury it."""
    folder = cell.root / "running"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file_name(cell)).write_text(phase)
    return phase


def forget_phase(cell: Cell) -> str:
    """Takes that word away and returns it; "train" where there was none."""
    path = cell.root / "running" / file_name(cell)
    phase = path.read_text() if path.exists() else "train"
    path.unlink(missing_ok=True)
    return phase
