"""The harness with models that fail in every way, and with a newcomer's model."""

import json
import subprocess
import sys
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.cli import main as cli
from dgmbench.benchmark.contract.record import read_records

RUN_ALL = Path(dgmbench.__file__).parent / "run_all.py"

MODELS = '''
import os, signal, time
import numpy as np

class Plain:
    """Neither a base class, nor tensors, nor a state_dict."""
    def fit(self, task, budget):
        rows = np.asarray(task.train)
        self.mean, self.std = rows.mean(0), rows.std(0)
    def sample(self, n):
        return self.mean + self.std * np.random.randn(n, *self.mean.shape)
    def log_prob(self, x):
        z = (np.asarray(x) - self.mean) / self.std
        return (-0.5 * z**2 - np.log(self.std) - 0.5 * np.log(2 * np.pi)).sum(1)

class Raises(Plain):
    def fit(self, task, budget):
        raise RuntimeError("no such luck")

class RaisesInSample(Plain):
    def sample(self, n):
        raise KeyError("late")

class Diverges(Plain):
    def sample(self, n):
        return np.full((n, 2), np.nan)

class Hangs(Plain):
    def fit(self, task, budget):
        time.sleep(600)

class Killed(Plain):
    def sample(self, n):
        os.kill(os.getpid(), signal.SIGKILL)
'''
FAULTY = ["Raises", "RaisesInSample", "Diverges", "Hangs", "Killed"]


def run(*words, cwd, code):
    done = subprocess.run(
        [sys.executable, str(RUN_ALL), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """The command line in this process: what starts no worker needs no process of its own."""

    def call(*words, cwd=tmp_path):
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["run_all.py", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "mine.py").write_text(MODELS)
    words = [w for name in ["Plain", *FAULTY] for w in ("--model", f"mine.py:{name}")]
    common = ["run", "--tasks", "ring-8", "--models", "gmm,noise", "--timeout", "20"]
    done = run(*common, *words, "--workers", "2", cwd=folder, code=1)
    return folder, done, {r.model: r for r in read_records(folder / "results" / "quick")}


def test_faulty_models_are_rows_and_the_others_go_on(faulty):
    _, done, records = faulty
    told = {name: (records[name].status, records[name].phase) for name in FAULTY}
    assert told == {
        "Raises": ("failed", "train"),
        "RaisesInSample": ("failed", "probe"),
        "Diverges": ("diverged", "probe"),
        "Hangs": ("timed out", "train"),
        "Killed": ("killed", "probe"),
    }
    assert "no such luck" in records["Raises"].reason
    assert records["gmm"].status == records["noise"].status == records["Plain"].status == "ok"
    assert "8 cells" in done.stdout
    assert "3 ok" in done.stdout


def test_a_newcomers_numbers_stand_beside_the_baselines(faulty):
    folder, _, records = faulty
    scores = {s.metric: s for s in records["Plain"].scores}
    # A standard-normal fit of the ring: variance 1/2 + 0.01 a coordinate, NLL = log(2 pi e 0.51).
    assert scores["nll"].value == pytest.approx(2.165, abs=0.05)
    assert scores["nll"].mark == "~"  # an undeclared likelihood is an estimate
    assert records["Plain"].family == "user"
    board = (folder / "results" / "quick" / "leaderboard.csv").read_text()
    assert "Plain" in board


def test_what_is_done_is_not_done_again_and_what_failed_is(faulty, here):
    folder, _, before = faulty
    sound = ["run", "--tasks", "ring-8", "--models", "gmm,noise", "--model", "mine.py:Plain"]
    code, told, _ = here(*sound, cwd=folder)
    assert code == 0 and "3 cells, 3 done, 0 to do; about 0.0 minutes" in told
    code, told, _ = here(*sound, "--model", "mine.py:Raises", cwd=folder)
    assert code == 1 and "4 cells, 3 done, 1 to do; unknown minutes" in told
    after = {r.model: r for r in read_records(folder / "results" / "quick")}
    assert after["gmm"].created == before["gmm"].created


def test_nothing_half_written_is_left(faulty):
    root = faulty[0] / "results" / "quick"
    assert not [p for p in root.rglob("*.tmp")]
    assert not list((root / "running").glob("*"))


def test_what_comes_out_is_all_there(faulty):
    root = faulty[0] / "results" / "quick"
    names = ["records.csv", "leaderboard.md", "leaderboard.csv", "leaderboard.tex", "report.html"]
    for name in names:
        assert (root / name).stat().st_size > 100, name
    page = (root / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    for name in FAULTY:
        assert name in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--suite", "quik"], "did you mean quick"),
        (["run", "--tasks", "ring8"], "the nearest name is"),
        (["run", "--models", "vea"], "did you mean vae"),
        (["run", "--model", "nowhere.py:X"], "nowhere.py"),
        (["run", "--model", "mine.py"], "file.py:Class"),
        (["run", "--model", "mine.py:Absent"], "Absent"),
        (["run", "--model", "broken.py:X"], "to be Python"),
        (["run", "--seeds", "0"], "at least one seed"),
        (["run", "--device", "gpu"], "auto, cpu or cuda"),
        (["run", "--out", "/proc/none"], "--out"),
        (["report", "nowhere"], "nowhere"),
        (["list", "modles"], "did you mean models"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_code_2(words, said, tmp_path, here):
    (tmp_path / "mine.py").write_text("class There: pass\n")
    (tmp_path / "broken.py").write_text("def :\n")
    code, _, told = here(*words)
    assert code == 2
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_from_a_shell_too(tmp_path):
    done = run("run", "--suite", "quik", cwd=tmp_path, code=2)
    assert done.stderr.count("\n") == 1 and "did you mean quick" in done.stderr


def test_lists_are_json_objects(here):
    keys = {
        "models": {"name", "family", "likelihood", "paper"},
        "tasks": {"name", "summary"},
        "metrics": {"name", "unit", "higher_is_better"},
        "suites": {"name", "tasks", "models", "metrics"},
    }
    for what, wanted in keys.items():
        code, told, _ = here("list", what, "--json")
        rows = json.loads(told)
        assert code == 0
        assert rows and all(wanted <= set(row) for row in rows)


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_cuda_where_there_is_none_is_told(here):
    code, _, told = here("run", "--device", "cuda")
    assert code == 2
    assert "--device cpu" in told
