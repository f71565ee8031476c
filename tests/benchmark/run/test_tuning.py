"""Fair play: as many trials for everybody, judged on val, test never touched."""

from dataclasses import replace
from pathlib import Path

import pytest
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.run import tuning
from dgmbench.benchmark.run.job import Job
from dgmbench.benchmark.suites import SUITES
from dgmbench.benchmark.suites.suite import ModelSpec
from dgmbench.benchmark.tasks import Outline, load_task, outline_of

SPACE = {"a": (1, 2, 3), "b": ("x", "y")}


def test_draws_are_the_defaults_and_distinct_points_of_the_space():
    found = tuning.draws(SPACE, 5, seed=0)
    assert found[0] == {}
    assert len(found) == 5
    assert len({repr(d) for d in found}) == 5
    assert all(d["a"] in SPACE["a"] and d["b"] in SPACE["b"] for d in found[1:])
    assert found == tuning.draws(SPACE, 5, seed=0)


def test_a_small_space_is_drawn_once():
    assert len(tuning.draws(SPACE, 16, seed=0)) == 1 + 6


def test_no_draw_repeats_the_defaults():
    found = tuning.draws(SPACE, 16, 0, {"a": 2, "b": "y", "c": 1})
    assert {"a": 2, "b": "y"} not in found
    assert len(found) == 1 + 5
    assert len(tuning.draws(SPACE, 16, 0, {"a": 9, "b": "y"})) == 1 + 6


def test_every_space_names_arguments_of_its_model():
    for suite in SUITES.values():
        for name, space in suite.spaces.items():
            cls = ModelSpec.of(name, suite.models[name]).load()
            wanted = cls.__init__.__annotations__
            assert set(space) <= set(wanted), name


def trial(spec, outline=None, **budget):
    suite = replace(SUITES["quick"], budget=Budget(**budget))
    return Job(suite, outline or outline_of("ring-8"), spec, 0, "cpu", Path())


def test_a_trial_does_not_touch_test():
    task = replace(load_task("ring-8"), test=None, holdout=None, draw=None, log_density=None)
    outline = Outline.of(task)
    spec = ModelSpec.of("gmm", SUITES["quick"].models["gmm"])
    result = tuning.run_trial(trial(spec, outline, steps=20, batch_size=64))
    assert result["reason"] == ""
    assert result["value"] < 0.05


def test_a_trial_sees_val_in_the_place_of_test():
    task = load_task("ring-8")
    seen = tuning.on_val(task)
    assert seen.test is task.val and seen.holdout is None


def test_a_bad_draw_is_kept_with_its_reason():
    spec = ModelSpec("nsf", ModelSpec.of("nsf", SUITES["quick"].models["nsf"]).target, {"bins": 0})
    result = tuning.run_trial(trial(spec, steps=2, batch_size=64))
    assert result["value"] is None
    assert result["reason"]


def test_more_trials_than_the_rule_are_refused():
    with pytest.raises(ValueError, match="1 to 16"):
        tuning.tune("quick", trials=17)
