"""One trained model, several questions: each has its key, its evidence and its column."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dgmbench import metrics
from dgmbench.benchmark.contract.evidence import Evidence
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.probe import DEFAULT_PROBES, Probe
from dgmbench.benchmark.contract.record import Record, read_records
from dgmbench.benchmark.contract.task import Domain, Task
from dgmbench.benchmark.run.job import make_jobs
from dgmbench.benchmark.run.scoring.subset import fixed_subset
from dgmbench.benchmark.run.stages import run_job
from dgmbench.benchmark.suites.suite import ModelSpec, Suite
from dgmbench.benchmark.tasks.outline import Outline

TOYS = Path(__file__).with_name("toy_models.py")
SCALE, centres = (runpy.run_path(str(TOYS))[name] for name in ("SCALE", "centres"))


def ring(counts=(512, 256, 256), conditional=False):
    """Eight narrow modes on a ring; with a context, each row's is the mode that it comes from."""
    generator = torch.Generator().manual_seed(1)
    labels = {
        split: torch.randint(8, (n,), generator=generator)
        for split, n in zip(("train", "val", "test"), counts, strict=True)
    }
    rows = {
        split: centres(k) + SCALE * torch.randn(len(k), 2, generator=generator)
        for split, k in labels.items()
    }
    given = {"context": labels, "conditional": True} if conditional else {}
    return Task("toy-ring", 1, Domain((2,)), "plane", **rows, **given)


def suite(*probes, **metrics_asked):
    """A suite of one task that asks every model these probes."""
    return Suite(
        "toy", "", ("toy-ring",), {}, metrics_asked, Budget(1, 8), samples=256, probes=probes
    )


def job(task, asked, root, model="Refined", seed=0, **arguments):
    """The job of a toy model."""
    spec = ModelSpec(model.lower(), f"{TOYS}:{model}", arguments)
    (found,) = make_jobs(asked, [Outline.of(task)], [], [spec], [seed], "cpu", root)
    return found


STEPS = [Probe(sampler="walk", steps=k, metrics=("mmd",)) for k in (1, 5, 25)]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """The record of one model asked for 10 (its own), 1, 5 and 25 steps."""
    asked = suite(*DEFAULT_PROBES, *STEPS, mmd=metrics.MMD, energy_distance=metrics.EnergyDistance)
    return run_job(job(ring(), asked, tmp_path_factory.mktemp("probes")))


def by_probe(record, metric):
    return {s.probe: s for s in record.scores if s.metric == metric}


def test_one_model_is_asked_for_several_numbers_of_steps(record):
    assert record.status == "ok", record.reason
    found = by_probe(record, "mmd")
    assert list(found) == [
        "samples",
        *(f"samples: walk, {k}" for k in ("1 step", "5 steps", "25 steps")),
    ]
    one, five, many = (found[name].value for name in list(found)[1:])
    assert one > five > 0
    assert many < one / 10


def test_every_answer_has_its_own_number_of_evaluations(record):
    found = {probe: score.value for probe, score in by_probe(record, "nfe").items()}
    assert list(found.values()) == [10, 1, 5, 25]
    assert found["samples: walk, 25 steps"] == 25


def test_a_record_says_what_was_asked(record):
    assert record.probes["samples"] == {}
    assert record.probes["samples: walk, 5 steps"]["steps"] == 5
    assert {s.probe for s in record.scores} <= {*record.probes, ""}


def test_no_two_questions_share_a_column(record):
    protocols = [s.protocol for s in record.scores if s.metric == "mmd"]
    assert len(set(protocols)) == 4


def test_a_metric_reads_only_the_probes_that_name_it(record):
    assert list(by_probe(record, "energy_distance")) == ["samples"]


def test_a_question_of_some_tasks_is_asked_there_alone(tmp_path):
    here, elsewhere = Probe(steps=3, tasks=("toy-ring",)), Probe(steps=5, tasks=("moons",))
    found = job(ring(), suite(Probe(), here, elsewhere, mmd=metrics.MMD), tmp_path)
    assert [p.name for p in found.probes] == ["samples", "samples: 3 steps"]
    everywhere = job(ring(), suite(Probe(), Probe(steps=3), mmd=metrics.MMD), tmp_path)
    assert found.keys["samples: 3 steps"] == everywhere.keys["samples: 3 steps"]


def test_every_question_has_its_own_key(record):
    assert {"train", "score", "samples", "likelihood"} < set(record.keys)
    assert len(set(record.keys.values())) == len(record.keys) == 7


def trained(root):
    return sorted(path.name for path in (root / "stages" / "train").iterdir())


def probed(root):
    return sorted(path.name for path in (root / "stages" / "probe").iterdir())


def test_a_new_question_does_not_train_again(tmp_path):
    run_job(job(ring(), suite(Probe(), mmd=metrics.MMD), tmp_path))
    before, answers = trained(tmp_path), probed(tmp_path)
    run_job(job(ring(), suite(Probe(), *STEPS, mmd=metrics.MMD), tmp_path))
    assert trained(tmp_path) == before
    assert len(probed(tmp_path)) == len(answers) + 3


def test_who_reads_an_answer_does_not_ask_again(tmp_path):
    run_job(job(ring(), suite(Probe(), mmd=metrics.MMD), tmp_path))
    before = probed(tmp_path)
    asked = suite(Probe(metrics=("prdc",)), prdc=metrics.PRDC)
    record = run_job(job(ring(), asked, tmp_path))
    assert "recall" in {s.metric for s in record.scores}
    assert probed(tmp_path) == before


def test_an_argument_of_answers_alone_asks_again_and_does_not_train_again(tmp_path):
    asked = suite(Probe(), mmd=metrics.MMD)
    first = run_job(job(ring(), asked, tmp_path))
    second = run_job(job(ring(), asked, tmp_path, rate=0.9))
    assert first.keys["train"] == second.keys["train"]
    assert first.keys["samples"] != second.keys["samples"]
    assert by_probe(first, "mmd")["samples"].value != by_probe(second, "mmd")["samples"].value


def test_samples_can_be_compared_with_more_of_train_than_there_are_test_rows(tmp_path):
    """As FID-50k against train is: many samples, the training rows, a column of its own."""
    task = ring((1024, 64, 64))
    many = Probe(n=1024, split="train", metrics=("frechet_distance",))
    record = run_job(
        job(task, suite(Probe(), many, frechet_distance=metrics.FrechetDistance), tmp_path)
    )
    found = by_probe(record, "frechet_distance")
    assert found["samples"].n == 64
    other = found["samples: 1,024 samples, against train"]
    assert other.n == 1024
    assert "against all 1024 train rows" in other.protocol
    assert found["samples"].protocol != other.protocol


def test_a_record_holds_the_likelihood_of_a_fixed_subset_of_the_test_rows(tmp_path):
    task = ring((256, 64, 3000), conditional=True)
    record = run_job(job(task, suite(*DEFAULT_PROBES, nll=metrics.NLL), tmp_path, "RingByLabel"))
    assert record.status == "ok", record.reason
    kept = record.row_log_probs()
    assert kept.dtype == np.float32
    assert len(kept) == 2048
    nll = by_probe(record, "nll")["likelihood"]
    assert -kept.mean() == pytest.approx(nll.value, abs=4 * nll.stderr)
    chosen = fixed_subset(3000, 2048)
    assert len(set(chosen.tolist())) == 2048


def test_a_likelihood_can_be_asked_for_fewer_rows(tmp_path):
    task = ring((256, 64, 3000), conditional=True)
    few = Probe("likelihood", n=512)
    record = run_job(job(task, suite(Probe(), few, nll=metrics.NLL), tmp_path, "RingByLabel"))
    assert record.status == "ok", record.reason
    nll = by_probe(record, "nll")["likelihood: 512 rows"]
    assert nll.n == 512 and "512 test rows" in nll.protocol
    kept = record.row_log_probs("likelihood: 512 rows")
    assert len(kept) == 512
    assert -kept.mean() == pytest.approx(nll.value, rel=1e-5)


def test_a_record_says_what_the_model_was_allowed_and_what_it_cost(record):
    assert record.budget == {"steps": 1, "batch_size": 8}
    costs = {s.metric: s for s in record.scores}
    assert costs["training_seconds"].value > 0
    assert costs["training_core_seconds"].value > 0
    assert "flops_per_sample" in costs


def test_a_record_comes_back_from_its_file_as_it_was(tmp_path):
    record = run_job(job(ring(), suite(Probe(), mmd=metrics.MMD), tmp_path))
    (found,) = read_records(tmp_path)
    assert Record.model_validate(found.model_dump()) == record


class TestContext:
    """A task whose rows come with a label: the model is told it, and judged by it."""

    def test_samples_follow_the_labels_of_the_test_rows(self, tmp_path):
        task = ring(conditional=True)
        asked = suite(*DEFAULT_PROBES, mmd=metrics.MMD, nll=metrics.NLL)
        record = run_job(job(task, asked, tmp_path, "RingByLabel"))
        assert record.status == "ok", record.reason
        found = map(Evidence.load, tmp_path.glob("stages/probe/*/evidence.safetensors"))
        (answer,) = [evidence for evidence in found if evidence.samples is not None]
        labels, samples = answer.context.long(), answer.samples
        assert torch.equal(labels, task.context["test"])
        assert (samples - centres(labels)).norm(dim=1).max() < 10 * SCALE

    def test_its_density_is_that_given_the_label(self, tmp_path):
        task = ring(conditional=True)
        record = run_job(
            job(task, suite(*DEFAULT_PROBES, nll=metrics.NLL), tmp_path, "RingByLabel")
        )
        nll = by_probe(record, "nll")["likelihood"]
        entropy = 1 + np.log(2 * np.pi * SCALE**2)  # of one mode: the label says which
        assert nll.value == pytest.approx(entropy, abs=4 * nll.stderr)

    def test_a_model_that_takes_no_context_is_not_admitted(self, tmp_path):
        found = job(ring(conditional=True), suite(Probe(), mmd=metrics.MMD), tmp_path, "Refined")
        assert found.refusal == "the task is conditional, and it takes no context"
        assert run_job(found).status == "not admitted"

    def test_a_model_never_sees_the_labels_of_test(self):
        shown = ring(conditional=True).for_training()
        assert set(shown.context) == {"train", "val"}

    def test_the_labels_are_a_part_of_what_the_rows_are(self):
        task = ring(conditional=True)
        other = replace(task, context={k: (c + 1) % 8 for k, c in task.context.items()})
        assert Outline.of(task).load().checksum != Outline.of(other).load().checksum
