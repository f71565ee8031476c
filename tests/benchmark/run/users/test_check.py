"""The check before a run: each way to break the contract is one sentence; baselines pass."""

import re
import subprocess
import sys
from pathlib import Path

import dgmbench
import numpy as np
import pytest
import torch
from dgmbench import check_model
from dgmbench.baselines import MODELS
from dgmbench.benchmark.run.users.check import DOMAINS
from dgmbench.benchmark.suites.panels import EXEMPLARS
from torch import nn

ROOT = Path(dgmbench.__file__).parent


class Honest:
    """A normal law with the moments of train."""

    @staticmethod
    def supports(domain):
        return None if domain.levels is None else "real values only"

    likelihood = "exact"

    def fit(self, task, budget):
        self.mean, self.std = task.train.mean(0), task.train.std(0)

    def sample(self, n):
        return self.mean + self.std * torch.randn(n, *self.mean.shape)

    def log_prob(self, x):
        law = torch.distributions.Normal(self.mean, self.std)
        return law.log_prob(x).flatten(1).sum(1)

    def state_dict(self):
        return {"mean": self.mean, "std": self.std}

    def load_state_dict(self, state):
        self.mean, self.std = state["mean"], state["std"]


class Shifted(Honest):
    def log_prob(self, x):
        return super().log_prob(x) + 1


class Constant(Honest):
    def sample(self, n):
        return self.mean.expand(n, -1)


class Unseeded(Honest):
    generator = np.random.default_rng()

    def sample(self, n):
        return self.mean + torch.from_numpy(self.generator.normal(size=(n, len(self.mean))))


class Spoils(Honest):
    def fit(self, task, budget):
        super().fit(task, budget)
        task.train.zero_()
        torch.set_default_dtype(torch.float64)


class OfTheBatch(Honest):
    def log_prob(self, x):
        return super().log_prob(x - x.mean(0))


class Wide(Honest):
    def sample(self, n):
        return torch.zeros(n, 3)


class NotANumber(Honest):
    def sample(self, n):
        return super().sample(n) / torch.zeros(n, 1)


class Forgets(Honest):
    def load_state_dict(self, state):
        self.mean, self.std = state["mean"] * 0, state["std"]


class BuildsInFit(Honest):
    def fit(self, task, budget):
        super().fit(task, budget)
        self.net = nn.Linear(2, 2)

    def load_state_dict(self, state):
        raise KeyError("net")


class SaysNothing:
    def fit(self, task, budget):
        self.rows = task.train

    def sample(self, n):
        return self.rows[torch.randint(len(self.rows), (n,))] + 0.1

    def log_prob(self, x):
        return -x.float().flatten(1).square().sum(1)


class Raises(Honest):
    def fit(self, task, budget):
        raise ZeroDivisionError("no reason")


BROKEN = [
    (Shifted, "error", 'integrates to 2.718, not to 1: the claim "exact" cannot be true'),
    (Constant, "error", "the same points whatever the seed"),
    (Unseeded, "advice", "sampled twice from one seed it draws other points"),
    (Unseeded, "advice", "trained twice from one seed"),
    (Spoils, "advice", "fit changes the training rows"),
    (Spoils, "advice", "changes torch's default dtype"),
    (OfTheBatch, "error", "depends on the rows beside it"),
    (Wide, "error", r"sample failed: ValueError: Expected samples of shape \(N, 2\)"),
    (NotANumber, "error", "NaN or infinite"),
    (Forgets, "error", "restored from its state_dict it draws other points"),
    (BuildsInFit, "advice", "build its nets in the constructor"),
    (BuildsInFit, "advice", r"no to\(device\)"),
    (SaysNothing, "advice", "counts as an estimate: set likelihood"),
    (SaysNothing, "advice", "no state_dict and load_state_dict"),
    (Raises, "error", "fit failed: ZeroDivisionError: no reason"),
    (object, "error", "to have a method fit"),
]


@pytest.mark.parametrize(("cls", "kind", "said"), BROKEN)
def test_each_fault_is_a_sentence(cls, kind, said):
    found = check_model(cls, ["plane"])
    texts = [f.text for f in found.findings if f.kind == kind]
    assert any(re.search(said, text) for text in texts), str(found)
    assert found.ok is ("error" not in {f.kind for f in found.findings})


def test_a_model_that_holds_the_contract_gets_no_advice():
    found = check_model(Honest)
    assert found.ok
    kinds = {f.domain: f.kind for f in found.findings}
    assert kinds == {
        name: "ok" if domain.levels is None else "not claimed" for name, domain in DOMAINS.items()
    }


def test_a_domain_that_is_not_meant_is_told_how_to_refuse():
    found = check_model(SaysNothing, ["image"])
    assert not found.ok
    assert "let a static method supports(domain) return the reason" in str(found)


def test_advice_is_given_once_and_a_foreign_supports_is_no_claim():
    found = check_model(Spoils, ["plane"])
    texts = [f.text for f in found.findings]
    assert len(texts) == len(set(texts))

    class Foreign(Honest):
        def supports(self, what, more):
            return True

    assert check_model(Foreign, ["plane"]).ok


def test_what_claims_nothing_is_not_ok():
    assert not check_model(Honest, ["bits"]).ok
    with pytest.raises(ValueError, match="did you mean plane"):
        check_model(Honest, ["plain"])


# These are checked on every kind of domain, the cheap ones in each run; others on two kinds.
CHEAP = ("histogram", "ngram", "gan", "gfn-tb")
DEAR = tuple(name for name in (*EXEMPLARS, "transformer") if name not in CHEAP)
OTHERS = [
    name
    for name, cls in MODELS.items()
    if cls.learns_from != "task" and name not in (*CHEAP, *DEAR)
]


@pytest.mark.parametrize(
    "name", [*CHEAP, *(pytest.param(name, marks=pytest.mark.slow) for name in DEAR)]
)
def test_baselines_pass_without_advice(name):
    found = check_model(MODELS[name])
    assert found.ok, str(found)
    assert {f.kind for f in found.findings} <= {"ok", "not claimed"}, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_the_others_pass_without_advice_too(name):
    """On the first and on the last kind of domain that they claim: reals and integers, mostly."""
    claimed = [word for word, domain in DOMAINS.items() if MODELS[name].supports(domain) is None]
    found = check_model(MODELS[name], {claimed[0], claimed[-1]})
    assert {f.kind for f in found.findings} == {"ok"}, str(found)


@pytest.mark.slow
def test_the_command_checks_each_kind_in_a_process_of_its_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, torch\n"
        "class Ends:\n"
        "    def __init__(self, scale=1.0): self.scale = scale\n"
        "    def fit(self, task, budget):\n"
        "        if task.domain.levels: os._exit(3)\n"
        "        self.shape = task.train.shape[1:]\n"
        "    def sample(self, n): return self.scale * torch.randn(n, *self.shape)\n"
    )
    command = [sys.executable, str(ROOT / "run_all.py"), "check", "mine.py:Ends"]

    def run(*words):
        return subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    done = run("--domains", "plane,bits")
    assert done.returncode == 1, done.stderr
    assert "plane: ok: samples, no likelihood" in done.stdout
    assert "bits: error: its process ended with exit code 3" in done.stdout
    assert "Ends does not hold the contract on: bits." in done.stdout
    done = run("--domains", "plane", "--set", "scale=2.0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Ends holds the contract wherever it claims to." in done.stdout
    done = run("--set", "skale=2.0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean scale" in done.stderr
