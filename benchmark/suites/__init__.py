"""Suites: tasks x models x metrics x seeds under one budget."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..names import known
from .binary import BINARY
from .canary import CANARY
from .highdim import HIGHDIM
from .images import IMAGES
from .mnist import MNIST
from .quick import QUICK
from .reward import REWARD
from .sequences import SEQUENCES
from .standard import STANDARD
from .suite import Recipe, Suite
from .tabular import TABULAR
from .toy2d import TOY2D

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        QUICK,
        STANDARD,
        TOY2D,
        HIGHDIM,
        TABULAR,
        BINARY,
        SEQUENCES,
        MNIST,
        IMAGES,
        REWARD,
        CANARY,
    )
}

STEPS_FROM = "standard"  # the suite whose arguments others take where they have no own ones


@cache
def load_suite(name: str) -> Suite:
    """Returns a suite with the recipes that were chosen for it on validation data.

    Raises:
        ValueError: There is no suite of this name.
    """
    known("suite", [name], SUITES)
    suite = SUITES[name]
    return replace(
        suite,
        recipes=recipes_of(suite.chosen_in or name),
        seconds=read_choices(name).get("seconds", {}),
    )


def recipes_of(name: str) -> dict[str, dict[str, Recipe]]:
    """Returns the recipes that were chosen for a suite, by kind of task and model."""
    choices = read_choices(name)
    tried = [found.get("trials", {}) for found in (choices, read_choices(STEPS_FROM))]

    def searched(kind: str, model: str) -> bool:
        return any(model in trials.get(kind, {}) for trials in tried)

    return {
        kind: {
            model: Recipe(**recipe, searched=searched(kind, model))
            for model, recipe in models.items()
        }
        for kind, models in choices.get("recipes", {}).items()
    }


def choices_path(name: str) -> Path:
    """The file beside the suite with its chosen arguments, trials and seconds."""
    return Path(__file__).with_name(f"{name}.json")


def read_choices(name: str) -> dict[str, Any]:
    """Returns what `tune` wrote for a suite; empty where it has not run."""
    path = choices_path(name)
    return json.loads(path.read_text()) if path.exists() else {}
