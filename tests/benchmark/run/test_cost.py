from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from dgmbench.benchmark import suites
from dgmbench.benchmark.run import training
from dgmbench.benchmark.run.cost import Clock, counted_rows
from dgmbench.benchmark.run.training import _over_class, _unsearched
from dgmbench.benchmark.suites import SUITES, recipes_of
from dgmbench.benchmark.suites.suite import Recipe
from torch import nn

PEAK = """
import torch
from dgmbench.benchmark.run.cost import PeakMemory
from dgmbench.benchmark.run.processes.guardian import keep_freed_memory
KEEP
before = torch.ones(500_000_000, dtype=torch.uint8)
del before
peak = PeakMemory("cpu")
held = peak.read()
torch.ones(300_000_000, dtype=torch.uint8)
print((peak.read() - held) / 1e6)
"""


@pytest.mark.parametrize("keep", ["", "keep_freed_memory()"])
def test_peak_memory_counts_what_is_freed_again(keep):
    # In a process of its own, as in a race: an old one may hold pages that the system takes back.
    code = PEAK.replace("KEEP", keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 200 < float(done.stdout) < 400


def test_rows_that_a_network_evaluates_are_counted():
    class Model:
        network = "net"
        net = nn.Linear(2, 2)

    with counted_rows(Model()) as count:
        Model.net(torch.zeros(3, 2))
        Model.net(torch.zeros(4, 2))
    assert count.total == 7
    Model.net(torch.zeros(5, 2))
    assert count.total == 7  # the hook is gone
    with counted_rows(object()) as none:
        pass
    assert none.total == 0 and "not counted" in none.reason


class Held:
    """What a user's object may hold its nets in, behind the wrapper's `inner`."""

    def __init__(self, **held):
        self.inner = self
        self.__dict__.update(held)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 2)

    def forward(self, x, scale=1):
        return self.body(self.body(x)) * scale


def test_nets_of_a_users_object_are_found_and_calls_within_calls_count_once():
    net = Nested()
    for held in (Held(model=net), Held(nets={"a": [net]}), Held(network="net", net=net)):
        with counted_rows(held) as count:
            net(torch.zeros(3, 2))
            net(x=torch.zeros(4, 2), scale=2)
        assert (count.total, count.reason) == (7, "")


def test_what_is_not_counted_says_so():
    class NoNetwork:
        network = ""

    with counted_rows(NoNetwork()) as count:
        pass
    assert count.reason == "no network is evaluated"
    with counted_rows(Held(model=Nested())) as count:
        pass
    assert "not called as modules" in count.reason


def test_core_seconds_are_those_of_the_process_alone():
    clock = Clock("cpu")
    time.sleep(0.2)
    assert clock.seconds() > 0.2 > 2 * clock.core_seconds()
    while clock.core_seconds() < 0.05:
        pass
    assert clock.seconds() > 0.25


def test_a_model_above_the_compute_class_is_told(monkeypatch):
    """In minutes of the reference machine: a slow machine takes longer, and trains no more."""
    job = SimpleNamespace(suite=replace(SUITES["quick"], core_minutes=1.0))
    for quicker in (0.5, 1.0, 2.0):
        monkeypatch.setattr(training, "pace", lambda q=quicker: q)
        assert _over_class(job, 80.0 / quicker) == []
        (note,) = _over_class(job, 120.0 / quicker)
        assert note == (
            "trained for 2.0 core-minutes of the reference machine where the suite's class is 1"
        )
    assert _over_class(SimpleNamespace(suite=SUITES["quick"]), 1e6) == []


def test_arguments_that_nobody_searched_are_told_beside_those_that_were():
    recipes = {"plane": {"nsf": Recipe(searched=True), "made": Recipe(), "gan": Recipe(own=True)}}
    spaces = {name: {} for name in ("nsf", "made", "gan", "vae")}
    suite = replace(SUITES["quick"], recipes=recipes, spaces=spaces)

    def told(model, kind="plane"):
        task, name = SimpleNamespace(kind=kind), SimpleNamespace(name=model)
        return _unsearched(SimpleNamespace(suite=suite, task=task, model=name))

    assert told("made") == told("vae") != []
    assert "not searched" in told("made")[0]
    for fair in ("nsf", "gan", "histogram"):  # searched; the user's own; nothing to be searched
        assert told(fair) == []
    assert told("made", "image") == []  # nobody's were


def test_recipes_know_whose_arguments_were_searched(monkeypatch):
    recipes = {"plane": {"nsf": {"steps": 5}, "glow": {"steps": 5}}}
    kept = {"standard": {"recipes": recipes, "trials": {"plane": {"nsf": [{}]}}}}
    kept["toy2d"] = {"recipes": recipes}  # it takes the arguments of standard
    monkeypatch.setattr(suites, "read_choices", kept.__getitem__)
    for name in kept:
        plane = recipes_of(name)["plane"]
        assert plane["nsf"].searched and not plane["glow"].searched
