"""Models that leave, spoil, lie or babble: each is a row with its reason, and the others go on."""

import subprocess
import sys
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.contract.record import read_records

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

RUN_ALL = Path(dgmbench.__file__).parent / "run_all.py"

MODELS = '''
import os, signal, subprocess, sys
import numpy as np
import torch

class Honest:
    def fit(self, task, budget):
        x = np.asarray(task.train)
        self.mean, self.std = x.mean(0), x.std(0)
    def sample(self, n):
        return self.mean + self.std * np.random.randn(n, 2)
    def log_prob(self, x):
        z = (np.asarray(x) - self.mean) / self.std
        return (-0.5 * z**2 - np.log(self.std) - 0.5 * np.log(2 * np.pi)).sum(1)

class Exits(Honest):
    def fit(self, task, budget):
        sys.exit(0)

class Interrupts(Honest):
    def fit(self, task, budget):
        raise KeyboardInterrupt

class Closes(Honest):
    def sample(self, n):
        raise GeneratorExit

class EndsAtOnce(Honest):
    def fit(self, task, budget):
        os._exit(0)

class Mute(Honest):
    class Error(Exception):
        def __str__(self):
            raise OSError
    def fit(self, task, budget):
        raise self.Error

class Foreign(Honest):
    def fit(self, task, budget):
        raise ValueError(b"\\xff\\xfe".decode("utf-8", "surrogateescape") + "x" * 5_000_000)

class Odd(Honest):
    paper = None
    @property
    def family(self):
        raise RuntimeError
    def curve(self):
        return 3
    supports = 3
    def state_dict(self):
        return {"a": object()}
    def load_state_dict(self, state):
        raise RuntimeError

class Spoils(Honest):
    """Changes its rows, the process and the folder, then does its work."""
    def fit(self, task, budget):
        task.train.sub_(task.train.mean(0) + 100)
        task.val.zero_()
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        np.seterr(all="raise")
        os.chdir("/")
        super().fit(task, budget)
    def log_prob(self, x):
        x += 100
        return super().log_prob(x)

class Leaves(Honest):
    def fit(self, task, budget):
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        super().fit(task, budget)

class Babbles(Honest):
    def fit(self, task, budget):
        for _ in range(40):
            print("y" * 2**20)
        super().fit(task, budget)

class Copies(Honest):
    def fit(self, task, budget):
        super().fit(task, budget)
        self.rows = task.train.clone()
    def sample(self, n):
        return self.rows[:n]

class Lies(Honest):
    likelihood = "exact"
    def log_prob(self, x):
        return super().log_prob(x) + 50

class Inherits(Honest):
    learns_from = "task"

class Complex(Honest):
    def sample(self, n):
        return np.ones((n, 2)) * 1j

class Infinite(Honest):
    def log_prob(self, x):
        return np.full(len(x), -np.inf)

class Silent(Honest):
    likelihood = "exact"
    def log_prob(self, x):
        raise NotImplementedError

class Scalar(Honest):
    likelihood = "exact"
    def log_prob(self, x):
        return -1.5

class Everywhere(Honest):
    def fit(self, task, budget):
        from dgmbench import load_task
        load_task("ring-8").test.zero_()
        super().fit(task, budget)
'''
EXPECTED = {
    "Honest": ("ok", ""),
    "Exits": ("failed", "SystemExit"),
    "Interrupts": ("failed", "KeyboardInterrupt"),
    "Closes": ("failed", "GeneratorExit"),
    "EndsAtOnce": ("killed", "exit code 0 before it was done"),
    "Mute": ("failed", "Error"),
    "Foreign": ("failed", "ValueError"),
    "Odd": ("ok", ""),
    "Spoils": ("ok", ""),
    "Leaves": ("ok", ""),
    "Babbles": ("ok", ""),
    "Copies": ("ok", ""),
    "Lies": ("ok", ""),
    "Inherits": ("not admitted", "only the controls of dgmbench"),
    "Complex": ("failed", "complex"),
    "Infinite": ("ok", ""),
    "Silent": ("ok", ""),
    "Scalar": ("ok", ""),
    "Everywhere": ("ok", ""),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The records of all of them and of two baselines, and what the command printed."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "models.py").write_text(MODELS)
    words = [word for name in EXPECTED for word in ("--model", f"models.py:{name}")]
    command = [
        sys.executable,
        str(RUN_ALL),
        "run",
        "--tasks",
        "ring-8",
        "--models",
        "oracle,noise",
    ]
    done = subprocess.run(
        [*command, *words, "--timeout", "60"], cwd=folder, capture_output=True, timeout=400
    )
    root = folder / "results" / "quick"
    return {r.model: r for r in read_records(root)}, done, root


@pytest.mark.parametrize("name", EXPECTED)
def test_every_model_is_a_row_with_its_reason(results, name):
    record, (status, said) = results[0][name], EXPECTED[name]
    assert (record.status, said in record.reason) == (status, True), record.reason
    assert len(record.reason) < 1000


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Infinite", "finite somewhere"),
        ("Silent", "samples, no likelihood"),
        ("Scalar", "Expected a tensor or an array as log_prob, got float"),
    ],
)
def test_a_likelihood_that_fails_empties_its_own_places(results, name, reason):
    record = results[0][name]
    found = {s.metric: s for s in record.scores if not record.probes[s.probe or "samples"]}
    assert found["mmd"].value is not None
    for metric in ("nll", "kl_to_truth"):
        assert (found[metric].value, reason in found[metric].reason) == (None, True)
    assert any(reason in note for note in record.notes) or name == "Silent"


def test_the_command_ends_with_its_tables(results):
    _, done, root = results
    assert done.returncode == 1
    assert b"Traceback" not in done.stdout + done.stderr
    assert (root / "leaderboard.md").exists() and (root / "report.html").stat().st_size < 3e6


def values(record):
    names = {s.metric for s in record.scores if s.n is not None or s.estimator}
    return {s.metric: s.value for s in record.scores if s.metric in names}


def test_baselines_are_what_they_are_without_them(results, tmp_path):
    words = ["run", "--tasks", "ring-8", "--models", "oracle,noise", "--out", str(tmp_path)]
    subprocess.run([sys.executable, str(RUN_ALL), *words], check=True, capture_output=True)
    for record in read_records(tmp_path / "quick"):
        assert values(record) == values(results[0][record.model])


def test_what_a_model_does_to_its_rows_changes_no_other_number(results):
    """It fits shifted rows, so its samples are far away: the test rows stayed where they were."""
    spoilt, honest = (values(results[0][name]) for name in ("Spoils", "Honest"))
    assert spoilt["mmd"] > 10 * honest["mmd"]
    assert values(results[0]["Everywhere"])["nll"] == pytest.approx(honest["nll"], abs=1e-9)


def test_copies_are_named_and_a_lie_is_not_shown(results):
    records, _, root = results
    assert "copies of training rows" in records["Copies"].flags[0]
    scores = {s.metric: s for s in records["Lies"].scores}
    assert scores["nll"].value is None and "cannot be true" in scores["nll"].reason
    assert scores["mmd"].value is not None
    assert "copies of training rows" in (root / "leaderboard.md").read_text()


def test_what_was_not_used_of_a_model_is_told(results):
    records, _, root = results
    assert "its state_dict was not kept" in records["Odd"].notes[0]
    assert "its state\\_dict was not kept" in (root / "leaderboard.md").read_text()


def test_output_is_kept_within_bounds(results):
    (log,) = (results[2] / "logs").glob("*Babbles*")
    assert log.stat().st_size < 2**20 + 200


def test_nothing_goes_on(results):
    told = subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout
    assert "sleep 1000" not in told


def test_what_failed_is_tried_again_and_what_is_done_is_not(results):
    root = results[2]
    again = subprocess.run(
        [sys.executable, str(RUN_ALL), "run", "--tasks", "ring-8", "--models", "oracle,noise",
         "--model", "models.py:Honest", "--model", "models.py:Exits"],
        cwd=root.parents[1], capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert "4 cells, 3 done, 1 to do" in again.stdout
