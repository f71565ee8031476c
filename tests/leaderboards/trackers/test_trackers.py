"""Trackers: the numbers that arrive are those of the record."""

from __future__ import annotations

import math
import shutil

import pytest
from dgmbench.benchmark.cli.console import Watch
from dgmbench.benchmark.contract.record import read_records
from dgmbench.leaderboards.page.attachments import curve
from dgmbench.leaderboards.trackers import TRACKERS, tracker
from dgmbench.leaderboards.trackers.told import told


@pytest.fixture
def record(results):
    return next(r for r in read_records(results) if "curve" in r.files and r.status == "ok")


def test_a_cell_is_told_with_its_curve_scores_and_arguments(record, results):
    cell = told(record, results)
    assert cell.name == f"{record.task}/{record.model}/seed-{record.seed}"
    assert cell.given["task"] == record.task and cell.given["status"] == "ok"
    for player, rows in curve(record.files["curve"], results).items():
        finite = [(int(step), loss) for step, loss in rows if math.isfinite(loss)]
        assert cell.curves[f"loss/{player}"] == finite
    values = {s.value for s in record.scores if s.value is not None and math.isfinite(s.value)}
    assert values <= set(cell.scores.values())


def test_a_metric_that_was_measured_twice_has_its_probes_name(record, results):
    twice = record.model_copy(
        update={
            "scores": tuple(
                record.scores[0].model_copy(update={"metric": "mmd", "value": x, "probe": name})
                for x, name in ((1.0, "samples"), (2.0, "nfe-5"), (math.inf, "nfe-9"))
            )
        }
    )
    found = told(twice, results).scores
    assert (found["mmd/samples"], found["mmd/nfe-5"]) == (1.0, 2.0)
    assert "mmd" not in found and "mmd/nfe-9" not in found


def test_a_missing_curve_is_no_curve(record, tmp_path):
    assert told(record, tmp_path).curves == {}


def test_mlflow_holds_the_scores_on_a_local_store(record, results, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    uri = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    send = tracker("mlflow", results)
    send(record)
    send(record.model_copy(update={"seed": 7, "status": "failed"}))
    client = mlflow.tracking.MlflowClient(uri)
    experiment = client.get_experiment_by_name(f"dgmbench/{record.suite}")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    cell = told(record, results)
    run = runs[cell.name]
    for name, value in cell.scores.items():
        assert run.data.metrics[f"score/{name}"] == pytest.approx(value)
    assert run.data.params == {name: value for name, value in cell.given.items() if value}
    for name, rows in cell.curves.items():
        history = client.get_metric_history(run.info.run_id, name)
        assert sorted((m.step, m.value) for m in history) == sorted(rows)
    ended = {name: r.info.status for name, r in runs.items()}
    assert ended[cell.name] == "FINISHED"
    assert ended[cell.name.replace(f"seed-{record.seed}", "seed-7")] == "FAILED"


def test_tensorboard_holds_curve_and_scores(record, results, tmp_path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard"
    )
    cell = told(record, results)
    root = shutil.copytree(results, tmp_path / "copy")
    tracker("tensorboard", root)(record)
    found = accumulators.EventAccumulator(str(root / "tensorboard" / cell.name)).Reload()
    for name, rows in cell.curves.items():
        kept = [(event.step, event.value) for event in found.Scalars(name)]
        assert kept == [(step, pytest.approx(value)) for step, value in rows]
    for name, value in cell.scores.items():
        assert found.Scalars(f"score/{name}")[0].value == pytest.approx(value)


@pytest.mark.slow
def test_wandb_keeps_a_run_offline(record, results, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    send = tracker("wandb", results)
    send.root = tmp_path
    send(record)
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_unknown_trackers_are_named(tmp_path):
    with pytest.raises(ValueError, match=f"among {', '.join(TRACKERS)}, got 'clearml'"):
        tracker("clearml", tmp_path)


def test_a_tracker_whose_package_is_missing_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(ValueError, match=r"pip install 'dgmbench\[track\]'"):
        tracker("mlflow", tmp_path)


class Plan:
    todo, seconds = (None, None), 0.0

    def __init__(self, root):
        self.root = root


def test_a_service_that_is_down_costs_the_run_nothing(record, tmp_path, capsys):
    told = []

    def down(record):
        told.append(record)
        raise ConnectionError("no route")

    with Watch(Plan(tmp_path), {"mlflow": down}) as watch:
        watch.ended("a job", record)
        watch.ended("a job", record)
    assert len(told) == 1
    assert (
        "mlflow failed and is told of no further cell: ConnectionError" in capsys.readouterr().err
    )
