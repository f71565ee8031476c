"""A file of the user's with a task, a metric, a suite, a feature map: all commands know them."""

import json
import subprocess
import sys
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.contract.record import read_records

ROOT = Path(dgmbench.__file__).parent
LAB = """
from dataclasses import replace
import torch
from dgmbench.benchmark.contract.task import Card, Domain, Task
from dgmbench.benchmark.suites import SUITES
from dgmbench.benchmark.tasks import Outline
from dgmbench.benchmark.tasks.outline import Loaded
from dgmbench.metrics import Estimate, EstimatedMetric
from dgmbench.metrics.features.frozen import FrozenMap
from helper import SCALE

def line() -> Outline:
    card = Card(summary="Two numbers that are nearly equal.")
    task = Task("my-line", 1, Domain((2,)), "plane", card=card, feature_map="my-map")
    def read():
        g = torch.Generator().manual_seed(0)
        x = torch.randn(900, 1, generator=g)
        rows = x + SCALE * torch.randn(900, 2, generator=g)
        return Loaded({"train": rows[:500], "val": rows[500:600], "test": rows[600:]})
    return Outline(task, {"train": 500, "val": 100, "test": 300}, read)

class Distance(EstimatedMetric):
    "Distance of samples from the line x = y."
    higher_is_better = False
    def __init__(self):
        super().__init__()
        self.add_rows("samples")
    def update(self, samples):
        self.append_rows(samples=samples)
    def _estimate(self):
        x = self.rows("samples")
        d = (x[:, 0] - x[:, 1]).abs().double()
        return Estimate(float(d.mean()), float(d.std()) / len(d) ** 0.5, len(d))

class MyMap(FrozenMap):
    name = "my-map"
    def features(self, x):
        return x.flatten(1).double()

MINE = replace(SUITES["quick"], name="mine", summary="Mine.", tasks=("my-line",))
"""


def call(folder, *words, code=0):
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_all.py"), *words],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "my_lab.py").write_text(LAB)
    (folder / "helper.py").write_text("SCALE = 0.1\n")
    return folder


RUN = ("run", "--plugin", "my_lab.py", "--suite", "mine", "--models", "gaussian,oracle,noise")


@pytest.mark.slow
def test_a_suite_of_ones_own_runs_with_task_metric_and_map(folder):
    call(folder, *RUN)
    found = {r.model: r for r in read_records(folder / "results" / "mine")}
    assert {r.status for r in found.values()} == {"ok"}, [r.reason for r in found.values()]
    scores = {m: {s.metric: s for s in r.scores} for m, r in found.items()}
    assert scores["gaussian"]["distance"].value == pytest.approx(0.11, abs=0.03)
    assert scores["noise"]["distance"].value > 0.5
    assert "features my-map" in scores["gaussian"]["mmd"].protocol
    assert "3 done, 0 to do" in call(folder, *RUN).stdout
    assert "Distance" in (folder / "results" / "mine" / "leaderboard.md").read_text()


@pytest.mark.slow
def test_an_edit_of_what_a_plugin_imports_is_noticed(folder):
    call(folder, *RUN)
    (folder / "helper.py").write_text("SCALE = 0.2\n")
    assert "0 done, 3 to do" in call(folder, *RUN).stdout
    (folder / "helper.py").write_text("SCALE = 0.1\n")


@pytest.mark.slow
def test_its_metric_is_a_column_of_every_suite(folder):
    words = ("--tasks", "ring-8", "--models", "noise", "--plugin=my_lab.py")
    call(folder, "run", *words)
    (record,) = read_records(folder / "results" / "quick")
    assert any(s.metric == "distance" and s.value is not None for s in record.scores)


@pytest.mark.slow
def test_lists_say_where_a_thing_is_from(folder):
    for what, name in (("tasks", "my-line"), ("metrics", "distance"), ("suites", "mine")):
        told = json.loads(call(folder, "--plugin", "my_lab.py", "list", what, "--json").stdout)
        (found,) = [thing for thing in told if thing["name"] == name]
        assert found["origin"] == "my_lab.py"
        assert "[my_lab.py]" in call(folder, "list", what, "--plugin", "my_lab.py").stdout
    assert "my-line" in call(folder, "show", "my-line", "--plugin", "my_lab.py").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1\n", "Expected tasks, metrics, suites or feature maps in bad.py, got none"),
        ("import nowhere\n", "got ModuleNotFoundError"),
        (LAB.replace('"my-line", 1', '"ring-8", 1'), "Expected a task of a new name"),
        (LAB.replace("class Distance", "class NLL"), "Expected a metric of a new name"),
    ],
)
def test_what_is_no_plugin_is_one_sentence(folder, content, said):
    (folder / "bad.py").write_text(content)
    done = call(folder, "list", "tasks", "--plugin", "bad.py", code=2)
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert "Expected a file or a module" in call(folder, "list", "--plugin", code=2).stderr
