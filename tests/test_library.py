"""What a user of the library needs, by the names that the package gives at its top."""

import subprocess
import sys

import dgmbench
import pytest
import torch
from dgmbench.benchmark.contract.model import Budget, seeded


def test_the_top_names_are_there_and_load_nothing_before_they_are_used():
    assert set(dgmbench.__all__) <= set(dir(dgmbench))
    for name in dgmbench.__all__:
        assert callable(getattr(dgmbench, name))
    with pytest.raises(AttributeError, match="no attribute 'lod_task'"):
        dgmbench.lod_task  # noqa: B018
    code = "import dgmbench, sys; print([m for m in ('torch', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_model_is_trained_and_measured_in_ten_lines():
    from dgmbench import load_model, load_task
    from dgmbench.metrics import mmd, nll

    task = load_task("ring-8")
    with seeded(0):
        model = load_model("gmm", task, components=8)
        model.fit(task.for_training(), Budget(steps=50))
        samples = model.sample(512)
    assert mmd(samples, task.test[:512]).value < 0.02
    assert nll(model.log_prob(task.test)).value == pytest.approx(task.entropy, abs=0.1)


def test_a_model_of_ones_own_is_loaded_by_its_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "class Mean:\n"
        "    def fit(self, task, budget):\n"
        "        self.mean = task.train.mean(0)\n"
        "    def sample(self, n):\n"
        "        return self.mean.expand(n, -1).clone()\n"
    )
    task = dgmbench.load_task("ring-8")
    model = dgmbench.load_model(f"{tmp_path / 'mine.py'}:Mean", task)
    model.fit(task.for_training(), Budget(steps=1))
    assert torch.allclose(model.sample(3)[0], task.train.mean(0))


def test_an_unknown_model_is_told_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean vae"):
        dgmbench.load_model("vea", dgmbench.load_task("ring-8"))


def test_a_suite_runs_and_its_boards_are_made(tmp_path):
    records = dgmbench.run("quick", tasks=["ring-8"], models=["noise", "oracle"], out=tmp_path)
    assert {r.model: r.status for r in records} == {"noise": "ok", "oracle": "ok"}
    found = dgmbench.read_records(tmp_path / "quick")
    assert [r.cell for r in found] == [r.cell for r in records]
    board = dgmbench.boards(found)["ring-8"]
    assert [row.model for row in board.rows] == ["oracle", "noise"]


def test_a_notebook_needs_no_command_line():
    """The lines of the README: a model is trained and stands beside the truth, in numbers."""
    from dgmbench import evaluate, load_model, load_task

    task = load_task("ring-8")
    with seeded(0):
        model = load_model("gmm", task, components=8)
        model.fit(task.for_training(), Budget(steps=50))
    found = evaluate(model, task).set_index("metric")
    assert found.value["mmd"] < 0.01 and found.mark["nll"] == "="
    assert 0 <= found.value["kl_to_truth"] < 0.01
    samples = evaluate(task.draw(2048), "ring-8", metrics=["mmd", "nll"]).set_index("metric")
    assert abs(samples.value["mmd"]) < 4 * samples.stderr["mmd"]
    assert samples.reason["nll"] == "the model gives samples, no likelihood"


def test_evaluate_takes_objects_and_metrics_of_ones_own():
    from dgmbench import evaluate
    from dgmbench.metrics import EnergyDistance

    task = dgmbench.load_task("ring-8")

    class Lies:
        likelihood = "exact"

        def sample(self, n):
            return task.train[:n].numpy()

        def fit(self, task, budget):
            pass

        def log_prob(self, x):
            return torch.full((len(x),), 9.0)

    found = evaluate(Lies(), task).set_index("metric")
    assert "the claim cannot be true" in found.reason["nll"]
    (row,) = evaluate(Lies(), task, metrics={"mine": EnergyDistance}, n=300).itertuples()
    assert (row.metric, row.n) == ("mine", 300)
    with pytest.raises(ValueError, match="did you mean mmd"):
        evaluate(task.test, task, metrics=["mmdd"])
    with pytest.raises(ValueError, match="of shape"):
        evaluate(torch.zeros(5, 3), task)
