"""A user's object: how it is made, what of it is used, and what can never cost its row."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from dgmbench.benchmark.contract.model import Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from dgmbench.benchmark.run.users.user_model import build
from torch import nn

PLANE = Domain((2,))


class Base:
    def fit(self, task, budget):
        pass

    def sample(self, n):
        return np.zeros((n, 2))


class Takes:
    """Classes by how they take the domain; `got` is what came."""

    class Nothing(Base):
        def __init__(self):
            self.got = None

    class Positional(Base):
        def __init__(self, domain):
            self.got = domain

    class AnotherName(Base):
        def __init__(self, what):
            self.got = what

    class Flag(Base):
        def __init__(self, collapse=False):
            self.got = collapse or None

    class Size(Base):
        def __init__(self, hidden=64):
            self.got = None if hidden == 64 else hidden

    class Keyword(Base):
        def __init__(self, *, domain, hidden=64):
            self.got = domain

    class Both(Base):
        def __init__(self, domain, hidden=64):
            self.got = domain

    class Everything(Base):
        def __init__(self, *args, **kwargs):
            self.got = kwargs.get("domain")

    @dataclass
    class Data(Base):
        domain: Domain
        hidden: int = 3

        @property
        def got(self):
            return self.domain


def makes(domain):
    return Takes.Positional(domain)


@pytest.mark.parametrize(
    ("make", "wants"),
    [
        (Takes.Nothing, False),
        (Takes.Positional, True),
        (Takes.AnotherName, True),
        (Takes.Flag, False),
        (Takes.Size, False),
        (Takes.Keyword, True),
        (Takes.Both, True),
        (Takes.Everything, False),
        (Takes.Data, True),
        (makes, True),
        (partial(Takes.Both, hidden=3), True),
    ],
)
def test_the_domain_goes_where_it_belongs(make, wants):
    assert build(make, PLANE, {}).inner.got == (PLANE if wants else None)


def test_arguments_that_it_does_not_take_are_told_with_those_it_takes():
    with pytest.raises(ValueError, match=r"among hidden, got hiden; did you mean hidden\?"):
        build(Takes.Both, PLANE, {"hiden": 3})
    with pytest.raises(ValueError, match="among none at all, got hidden"):
        build(Takes.Nothing, PLANE, {"hidden": 3})


@pytest.mark.parametrize("method", ["fit", "sample"])
def test_two_methods_are_needed(method):
    cls = type("Mine", (Base,), {method: None})
    with pytest.raises(ValueError, match=f"Expected Mine to have a method {method}"):
        build(cls, PLANE, {})


def made(**attributes):
    return build(type("Mine", (Base,), attributes), PLANE, {})


def raising(*_):
    raise RuntimeError("private")


@pytest.mark.parametrize(
    "attributes",
    [
        {"paper": None},
        {"paper": property(raising)},
        {"family": property(raising)},
        {"curve": lambda self: 3},
        {"curve": property(raising)},
        {"curve": [object()]},
        {"supports": 3},
        {"parameters": raising},
        {"state_dict": raising, "load_state_dict": raising},
        {"state_dict": lambda self: {"a": object()}, "load_state_dict": raising},
        {"device": 7},
    ],
)
def test_side_attributes_never_cost_a_row(attributes):
    model = made(**attributes)
    model.fit(None, None)
    assert model.sample(3).shape == (3, 2)
    assert model.paper == "" and model.curve == [] and model.state_dict() is None
    assert model.parameters() == []
    assert model.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("curve", "rows"),
    [
        ([3.0, 2.0], [(1, "loss", 3.0), (2, "loss", 2.0)]),
        ([(5, "net", 1)], [(5, "net", 1.0)]),
        (np.array([3.0, 2.0]), [(1, "loss", 3.0), (2, "loss", 2.0)]),
        (torch.ones(2), []),
    ],
)
def test_curves_of_several_kinds_are_kept(curve, rows):
    assert made(curve=curve).curve == rows


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("exact", Likelihood.EXACT),
        (Likelihood.LOWER_BOUND, Likelihood.LOWER_BOUND),
        (None, Likelihood.ESTIMATE),
        (3, Likelihood.ESTIMATE),
    ],
)
def test_the_claim_is_a_word_or_one_of_ours(claim, expected):
    model = made(likelihood=claim, log_prob=lambda self, x: x.sum(1))
    assert model.likelihood is expected
    assert made().likelihood is Likelihood.NONE


STATE = {
    "weights": np.arange(6.0).reshape(2, 3),
    "net": {"a": torch.ones(2), "steps": 7},
    "layers": [np.float32(2.5), (torch.zeros(1), "relu", None, True)],
    3: 1.5,
}


def test_a_nested_state_comes_back_as_it_was():
    class Stateful(Base):
        state = STATE

        def state_dict(self):
            return self.state

        def load_state_dict(self, state):
            self.state = state

    model = build(Stateful, PLANE, {})
    flat, layout = model.state_dict(), model.layout()
    assert all(isinstance(value, torch.Tensor) for value in flat.values())
    other = build(Stateful, PLANE, {})
    other.inner.state = None
    other.load_state_dict(flat, layout)
    found = other.inner.state
    assert np.array_equal(found["weights"], STATE["weights"])
    assert torch.equal(found["net"]["a"], torch.ones(2)) and found["net"]["steps"] == 7
    assert found["layers"][1][1:] == ("relu", None, True) and found[3] == 1.5


def test_a_torch_module_is_a_model_as_it_is():
    class Net(nn.Module):
        def __init__(self, domain):
            super().__init__()
            self.layer = nn.Linear(domain.dim, 1)

        fit, sample = Base.fit, Base.sample

    model = build(Net, PLANE, {})
    assert sum(p.numel() for p in model.parameters()) == 3
    other = build(Net, PLANE, {})
    other.load_state_dict(model.state_dict(), model.layout())
    assert torch.equal(other.inner.layer.weight, model.inner.layer.weight)


def test_it_is_handed_only_what_was_asked():
    calls = []

    class Steps(Base):
        def sample(self, n, **given):
            calls.append(given)
            return np.zeros((n, 2))

    model = build(Steps, PLANE, {})
    model.sample(1)
    model.sample(1, steps=3, sampler="euler")
    assert calls == [{}, {"steps": 3, "sampler": "euler"}]


def test_rows_that_are_shown_are_copies():
    rows = torch.zeros(3, 2)
    shown = TrainingTask(PLANE, rows, None, None, {"train": rows}).copied()
    shown.train.add_(1)
    shown.context["train"].add_(1)
    assert not rows.any()
