"""A metric of the user's on stored answers: a new column without a new training run."""

import subprocess
import sys
from pathlib import Path

import dgmbench
import pytest
import torch
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.run.scoring.added import add_metric, load_metric
from dgmbench.benchmark.run.users.submission import score_samples
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.tasks import load_task, outline_of

ROOT = Path(dgmbench.__file__).parent
MINE = """
import torch
from dgmbench.metrics import Estimate, EstimatedMetric

def spread(samples, reference):
    return float(samples.std() / reference.std())
spread.higher_is_better = False

def surprise(log_prob):
    return Estimate(float(-log_prob.mean()), 0.5, len(log_prob))
surprise.unit = "nats"

class RowMean(EstimatedMetric):
    higher_is_better = True
    def __init__(self):
        super().__init__()
        self.add_rows("samples")
    def update(self, samples):
        self.append_rows(samples=samples)
    def _estimate(self):
        x = self.rows("samples")
        return Estimate(float(x.mean()), float(x.std()) / len(x) ** 0.5, len(x))

def breaks(samples):
    raise ZeroDivisionError("no reason")

class Other:
    pass
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two baselines and a submission, scored once."""
    folder = tmp_path_factory.mktemp("added")
    (folder / "mine.py").write_text(MINE)
    root = folder / "results"
    dgmbench.run("quick", tasks=["ring-8"], models=["gmm", "oracle"], out=root)
    torch.manual_seed(0)
    x = load_task("ring-8").draw(2048)
    score_samples(x, "sent", outline_of("ring-8"), load_suite("quick"), root / "quick")
    return folder


def scores(folder, name):
    list(add_metric(folder / "results" / "quick", f"{folder / 'mine.py'}:{name}"))
    found = {r.model: r for r in read_records(folder / "results" / "quick")}
    return {m: {s.metric: s for s in r.scores} for m, r in found.items()}


def test_a_function_is_a_column_of_every_cell(folder):
    found = scores(folder, "spread")
    for model in ("gmm", "oracle", "sent"):
        assert found[model]["spread"].value == pytest.approx(1, abs=0.05)
        assert found[model]["spread"].stderr is None
        assert found[model]["spread"].direction == "lower"
        assert found[model]["mmd"].value is not None
    again = scores(folder, "spread")
    assert len(again["gmm"]) == len(found["gmm"])


def test_likelihoods_keep_their_claim(folder):
    found = scores(folder, "surprise")
    assert found["gmm"]["surprise"].mark == "=" and found["gmm"]["surprise"].stderr == 0.5
    assert found["gmm"]["surprise"].value == pytest.approx(found["gmm"]["nll"].value)
    assert found["sent"]["surprise"].reason == "the model gives samples, no likelihood"


def test_a_class_is_named_as_a_function(folder):
    found = scores(folder, "RowMean")
    assert found["oracle"]["row_mean"].direction == "higher"
    assert found["oracle"]["row_mean"].stderr > 0


def test_what_raises_is_told_in_its_place(folder):
    assert "ZeroDivisionError: no reason" in scores(folder, "breaks")["gmm"]["breaks"].reason


def test_what_is_no_metric_is_told(folder):
    with pytest.raises(ValueError, match=r"subclass of dgmbench\.metrics\.EstimatedMetric, or"):
        load_metric(f"{folder / 'mine.py'}:Other")


@pytest.mark.slow
def test_the_command_writes_the_tables_and_a_run_keeps_the_column(folder):
    command = [sys.executable, str(ROOT / "run_all.py")]
    words = ["score", "results/quick", "--metric", "mine.py:spread"]
    done = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 cells have the new metric." in done.stdout
    assert "Spread" in (folder / "results" / "quick" / "leaderboard.md").read_text()
    again = ["run", "--suite", "quick", "--tasks", "ring-8", "--models", "gmm"]
    done = subprocess.run([*command, *again], cwd=folder, capture_output=True, text=True)
    assert "1 done, 0 to do" in done.stdout
    assert "Spread" in (folder / "results" / "quick" / "leaderboard.md").read_text()
    for words, said in (
        (["score", "nowhere", "--metric", "mine.py:spread"], "Expected one folder with records"),
        (["score", "results/quick"], "Expected the task of the samples"),
    ):
        done = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
