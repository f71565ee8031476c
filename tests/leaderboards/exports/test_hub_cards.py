"""Cards for the hub: metadata that it reads, with error bars, seeds and protocols."""

from datetime import UTC, datetime

from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.exports.hub_cards import hub_cards, image_tasks
from dgmbench.leaderboards.tables.board import boards
from huggingface_hub import ModelCard

WHEN = datetime(2025, 1, 2, tzinfo=UTC)


def cards():
    def record(task, model, seed, value, family="flow"):
        nll = Score(
            metric="nll", value=float("inf"), mark="<=", unit="nats", direction="lower", n=300
        )
        mmd = Score(metric="mmd", value=value, stderr=0.01, direction="lower", protocol="n=300")
        return Record(
            suite="s", task=task, task_version=1, model=model, family=family, seed=seed,
            created=WHEN, scores=(mmd, nll), paper="arXiv:1906.04032", likelihood="exact",
        )  # fmt: skip

    records = [
        record(task, "nsf", seed, 0.1 + seed / 10) for task in ("a", "b") for seed in (0, 1)
    ]
    records.append(record("a", "oracle", 0, 0.0, "control"))
    return hub_cards(boards(records), image_tasks({"a": (1, 8, 8), "b": (2,)}))


def test_the_hub_reads_what_is_written():
    found = cards()
    assert list(found) == ["nsf"]
    data = ModelCard(found["nsf"]).data
    results = {(r.dataset_name, r.metric_type): r for r in data.eval_results}
    assert results.keys() == {("a", "mmd"), ("b", "mmd")}
    assert results["a", "mmd"].metric_value == 0.15000000000000002
    assert results["a", "mmd"].task_type == "unconditional-image-generation"
    assert results["b", "mmd"].task_type == "other"
    arguments = results["a", "mmd"].metric_args
    assert arguments["seeds"] == 2 and arguments["protocol"] == "n=300"
    assert arguments["stderr"] >= 0.05


def test_the_text_names_paper_and_likelihood():
    head, _, text = cards()["nsf"].split("---\n")
    assert head == "" and ModelCard(cards()["nsf"]).data.tags[0] == "dgmbench"
    assert "- paper: arXiv:1906.04032" in text and "- tasks: a, b" in text
