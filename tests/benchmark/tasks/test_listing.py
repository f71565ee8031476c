"""What `list` says: right without reading the data, readable on 80 characters, whole as JSON."""

from __future__ import annotations

import json

import pytest
from dgmbench.benchmark.cli import console
from dgmbench.benchmark.cli.catalogue import listing
from dgmbench.benchmark.tasks import TASKS, load_task


@pytest.fixture
def narrow(monkeypatch, capsys):
    """Prints a listing on a terminal of 80 characters; returns its lines."""

    def lines(what: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(console.out, "_width", 80)
        console.print_list(listing(what), as_json=False)
        return capsys.readouterr().out.splitlines()

    return lines


@pytest.mark.parametrize("what", ["tasks", "models", "metrics", "suites"])
def test_nothing_is_cut_on_a_narrow_terminal(what, narrow, root):
    lines = narrow(what)
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    for thing in listing(what).things:
        assert thing["name"] in words
        assert set(thing["summary"].split()) <= set(words)


def test_tasks_are_grouped_by_kind(narrow, root):
    lines = narrow("tasks")
    heads = [line.split()[0] for line in lines if line.endswith("summary")]
    images = ["image", "colour-image", "binary-image"]
    rewards = ["grid", "bit-sequence", "bits", "wide-target", "target"]
    bits = ["binary", "wide-binary"]
    assert heads == ["plane", "vector", *images, "table", *bits, "sequence", *rewards]
    (mnist,) = (line for line in lines if line.startswith("mnist "))
    assert mnist.split()[:5] == ["mnist", "*", "1x28x28", "256", "50,000"]


def test_json_has_the_full_words(capsys):
    console.print_list(listing("models"), as_json=True)
    models = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert models["nsf"]["likelihood"] == {
        "real": "exact",
        "image": "lower bound",
        "binary": "lower bound",
        "grid": "lower bound",
    }
    assert models["gfn-tb"]["likelihood"]["real"] == "not supported"


def test_what_is_not_here_is_told_and_still_described(root):
    (root / "mnist").mkdir()
    (root / "mnist" / "train.parquet").write_bytes(b"")
    tasks = {task["name"]: task for task in listing("tasks").things}
    assert list(tasks) == list(TASKS)
    assert not tasks["mnist"]["available"]
    assert tasks["mnist"]["missing"] == ["mnist/test.parquet"]
    assert tasks["mnist"]["rows"]["train"] == 50_000
    (root / "mnist" / "test.parquet").write_bytes(b"")  # not read, so its content is no matter
    tasks = {task["name"]: task for task in listing("tasks").things}
    assert tasks["mnist"]["available"] and tasks["stacked-mnist"]["available"]
    assert tasks["ring-8"]["available"] and tasks["ring-8"]["missing"] == []


@pytest.mark.parametrize("name", ["digits", "wine", "hypergrid-8x8", "rings"])
def test_an_outline_says_what_the_task_is(name):
    outline, task = TASKS[name](), load_task(name)
    assert outline.task.train is None and outline.missing() == []
    assert outline.sizes == {
        split: len(rows)
        for split in ("train", "val", "test", "holdout")
        if (rows := getattr(task, split)) is not None
    }
    assert outline.task.domain == task.domain and outline.task.entropy == task.entropy


def test_a_package_that_is_missing_is_named(root, monkeypatch):
    monkeypatch.setattr("dgmbench.benchmark.tasks.outline.find_spec", lambda name: None)
    assert TASKS["bsds300"]().missing() == ["BSDS300/BSDS300.hdf5", "the package h5py"]
