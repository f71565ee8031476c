"""Claims that cannot be true are refused, with the reason; the other numbers stay."""

import pytest
import torch
from dgmbench import metrics
from dgmbench.benchmark.contract.evidence import Evidence
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.probe import DEFAULT_PROBES
from dgmbench.benchmark.contract.record import Score
from dgmbench.benchmark.run.job import make_jobs
from dgmbench.benchmark.run.scoring.truthful import trouble
from dgmbench.benchmark.run.stages import run_job
from dgmbench.benchmark.suites.suite import ModelSpec, Suite
from dgmbench.benchmark.tasks import outline_of

MODEL = """
import torch
class Mine:
    likelihood = "exact"
    def fit(self, task, budget):
        x = task.train
        self.shape = tuple(x.shape[1:])
        self.rows = x
    def sample(self, n):
        return self.rows[torch.randint(len(self.rows), (n,))]
    def log_prob(self, x):
        {body}
"""
NORMAL = "return -0.5 * x.square().sum(1) - 1.8378770664093453{}"


def record(tmp_path, body, task="ring-8"):
    path = tmp_path / "mine.py"
    path.write_text(MODEL.format(body=body))
    asked = Suite(
        "s", "", (task,), {},
        {"mmd": metrics.MMD, "nll": metrics.NLL, "kl_to_truth": metrics.KLToTruth,
         "total_variation": metrics.TotalVariation},
        Budget(1), samples=256, probes=DEFAULT_PROBES,
    )  # fmt: skip
    spec = ModelSpec("mine", f"{path}:Mine")
    (job,) = make_jobs(asked, [outline_of(task)], [], [spec], [0], "cpu", tmp_path)
    found = run_job(job)
    assert found.status == "ok", found.reason
    return {s.metric: s for s in found.scores}


def test_a_density_that_holds_too_much_is_refused_and_the_samples_are_scored(tmp_path):
    scores = record(tmp_path, NORMAL.format(" + 50"))
    for metric in ("nll", "kl_to_truth"):
        assert scores[metric].value is None
        assert "cannot be true: its divergence from the truth is -4" in scores[metric].reason
    assert scores["mmd"].value is not None


def test_an_honest_density_stays(tmp_path):
    scores = record(tmp_path, NORMAL.format(""))
    assert scores["kl_to_truth"].value > 0


@pytest.mark.parametrize(("law", "said"), [("-3", "sums to 3.186"), ("-5", "sums to 0.4312")])
def test_a_law_that_does_not_sum_to_1_is_refused(tmp_path, law, said):
    body = f"return torch.full((len(x),), {law}.0, dtype=torch.float64)"
    scores = record(tmp_path, body, "hypergrid-8x8")
    assert said in scores["total_variation"].reason
    assert scores["nll"].value is None
    assert scores["mmd"].value is not None


def test_chance_and_estimates_are_not_refused():
    near = Score(metric="kl_to_truth", value=-0.3, stderr=0.1)
    far = near.model_copy(update={"value": -0.5})
    assert trouble([Evidence()], Likelihood.EXACT, [near]) == ""
    assert trouble([Evidence()], Likelihood.LOWER_BOUND, [far])
    assert trouble([Evidence()], Likelihood.ESTIMATE, [far]) == ""
    exact = Evidence(law=torch.full((4,), 0.25))
    assert trouble([exact], Likelihood.EXACT, []) == ""
