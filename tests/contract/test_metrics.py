"""The contract of a metric: one law a function, over every metric class."""

import inspect
import math
import pickle
from functools import cache

import pytest
import torch
from dgmbench import metrics
from dgmbench.metrics import FUNCTIONS, Estimate

CLASSES = list(FUNCTIONS)
N = 120


def inputs(seed: int = 0) -> dict:
    """One tensor for each name of the data contract."""
    g = torch.Generator().manual_seed(seed)
    law = torch.rand(8, generator=g) + 0.1
    target = torch.rand(8, generator=g) + 0.1
    log_density = -torch.rand(N, generator=g) - 1
    return {
        "samples": torch.randn(N, 4, generator=g) + 0.5,
        "reference": torch.randn(N, 4, generator=g),
        "train": torch.randn(2 * N, 4, generator=g),
        "probabilities": torch.rand(N, 5, generator=g).softmax(1),
        "labels": torch.randint(-1, 5, (N,), generator=g),
        "modes": 5,
        "log_prob": log_density - 0.1 * torch.rand(N, generator=g),
        "log_density": log_density,
        "log_prob_samples": log_density + 0.1 * torch.rand(N, generator=g),
        "log_density_samples": log_density,
        "dims": 4,
        "law": law / law.sum(),
        "target": target / target.sum(),
        "states": torch.randint(0, 8, (N,), generator=g),
        "log_z_estimate": torch.tensor(3.1),
        "log_z": torch.tensor(3.0),
        "log_weights": 3.0 - 0.5 * torch.rand(N, generator=g),
        "log_weights_test": 3.0 + 0.5 * torch.rand(N, generator=g),
        "log_reward_samples": torch.randn(N, generator=g),
        "log_prob_points": log_density,
        "log_reward_points": log_density + torch.rand(N, generator=g),
        "score": torch.randn(N, 4, generator=g),
        "true_score": torch.randn(N, 4, generator=g),
    }


def needs(cls) -> list[str]:
    given = inputs()
    arguments = list(inspect.signature(cls.update).parameters.values())[1:]
    return [p.name for p in arguments if p.default is p.empty or p.name in given]


def estimated(cls, given: dict, parts: int = 1) -> dict[str, Estimate]:
    metric = cls()
    rows = {
        k: v for k, v in given.items() if torch.is_tensor(v) and len(v.shape) and k not in FIXED
    }
    for part in range(parts):
        metric.update(
            **{k: given[k].chunk(parts)[part] if k in rows else given[k] for k in needs(cls)}
        )
    result = metric.estimate()
    return result if isinstance(result, dict) else {"": result}


@cache
def plain(cls) -> dict[str, Estimate]:
    """The estimate of the inputs as they are, made once for all laws that compare with it."""
    return estimated(cls, inputs())


# Laws over states are whole, not rows that come in batches.
FIXED = {"law", "target"}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_input_is_in_the_data_contract(cls):
    assert set(needs(cls)) <= set(inputs())


@pytest.mark.parametrize("cls", CLASSES)
def test_unit_and_direction_are_declared_for_each_number(cls):
    numbers = plain(cls)
    for attribute in (cls.unit, cls.higher_is_better):
        assert set(attribute) == set(numbers) if isinstance(attribute, dict) else "" in numbers


@pytest.mark.parametrize("cls", CLASSES)
def test_an_estimate_has_value_error_bar_and_n(cls):
    for estimate in plain(cls).values():
        assert math.isfinite(estimate.value)
        assert math.isnan(estimate.stderr) or estimate.stderr >= 0
        assert estimate.n > 0


@pytest.mark.parametrize("cls", CLASSES)
def test_compute_is_the_plain_value(cls):
    metric, given = cls(), inputs()
    metric.update(**{k: given[k] for k in needs(cls)})
    value = metric.compute()
    estimate = plain(cls) if isinstance(value, dict) else plain(cls)[""]
    pairs = (
        [(value[k], estimate[k]) for k in value]
        if isinstance(value, dict)
        else [(value, estimate)]
    )
    for tensor, one in pairs:
        assert tensor.ndim == 0
        assert float(tensor) == pytest.approx(one.value, rel=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_function_and_the_class_agree(cls):
    given = inputs()
    function = FUNCTIONS[cls]
    keywords = {k: given[k] for k in inspect.signature(function).parameters if k in needs(cls)}
    result = function(**keywords)
    result = result if isinstance(result, dict) else {"": result}
    for name, estimate in plain(cls).items():
        assert result[name].value == pytest.approx(estimate.value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_batches_do_not_matter(cls):
    if not set(needs(cls)) - FIXED - {"modes", "dims", "log_z", "log_z_estimate"}:
        pytest.skip("nothing comes in batches")
    whole, split = plain(cls), estimated(cls, inputs(), parts=3)
    for name, estimate in whole.items():
        assert split[name].value == pytest.approx(estimate.value, rel=1e-9, abs=1e-11)
        assert split[name].stderr == pytest.approx(estimate.stderr, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_order_of_rows_does_not_matter(cls):
    given = inputs()
    paired = [
        {"log_prob", "log_density"},
        {"log_prob_samples", "log_density_samples"},
        {"score", "true_score"},
        {"log_prob_points", "log_reward_points"},
    ]
    shuffled = dict(given)
    for i, name in enumerate(given):
        if torch.is_tensor(given[name]) and given[name].ndim and name not in FIXED:
            group = next((j for j, pair in enumerate(paired) if name in pair), 10 + i)
            order = torch.randperm(
                len(given[name]), generator=torch.Generator().manual_seed(group)
            )
            shuffled[name] = given[name][order]
    a, b = plain(cls), estimated(cls, shuffled)
    for name in a:
        assert b[name].value == pytest.approx(a[name].value, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_callers_random_state_is_untouched(cls):
    before = torch.get_rng_state()
    estimated(cls, inputs())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("name", ["samples", "reference", "log_prob", "probabilities", "score"])
def test_nan_is_an_error_that_counts_rows(cls, name):
    if name not in needs(cls):
        pytest.skip("not an input")
    given = inputs()
    given[name] = given[name].clone()
    given[name][3] = math.nan
    with pytest.raises(ValueError, match="1 of 120"):
        estimated(cls, given)


@pytest.mark.parametrize("cls", CLASSES)
def test_no_update_is_an_error(cls):
    with pytest.raises(ValueError, match="Expected"):
        cls().estimate()


@pytest.mark.parametrize("cls", CLASSES)
def test_reset_and_pickle(cls):
    metric, given = cls(), inputs()
    keywords = {k: given[k] for k in needs(cls)}
    metric.update(**keywords)
    first = metric.compute()
    copy = pickle.loads(pickle.dumps(metric))
    metric.reset()
    metric.update(**keywords)
    for other in (metric.compute(), copy.compute()):
        assert str(other) == str(first)


# Arguments under which a class goes other ways than by default.
VARIANTS = [
    *((cls, {}) for cls in CLASSES),
    (metrics.FrechetDistance, {"rows": 40}),
    (metrics.KernelDistance, {"subsets": 3, "subset_size": 50}),
    (metrics.MMDTest, {"permutations": 20}),
    (metrics.InceptionScore, {"splits": 3}),
    (metrics.C2ST, {"classifier": "logistic"}),
    (metrics.VendiScore, {"kernel": "rbf"}),
    (metrics.ModeCoverage, {"histogram": "all"}),
]


def on(device, given: dict) -> dict:
    """The data contract on a device, with samples and reference of different number."""
    given = given | {"reference": given["reference"][20:]}
    given["nearest"] = given["labels"].clamp(min=0)
    return {k: v.to(device) if torch.is_tensor(v) else v for k, v in given.items()}


def estimate_on(device, cls, arguments: dict) -> dict[str, Estimate]:
    metric, given = cls(**arguments).to(device), on(device, inputs())
    names = [*needs(cls), *(["nearest"] if "histogram" in arguments else [])]
    metric.update(**{k: given[k] for k in names})
    result = metric.estimate()
    return result if isinstance(result, dict) else {"": result}


def the_same(found: dict[str, Estimate], expected: dict[str, Estimate], rel: float) -> None:
    for name, estimate in expected.items():
        assert found[name].value == pytest.approx(estimate.value, rel=rel, abs=1e-9)
        assert found[name].stderr == pytest.approx(estimate.stderr, rel=1e-4, nan_ok=True)
        assert found[name].n == estimate.n


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("cls", "arguments"), VARIANTS)
def test_a_gpu_gives_the_values_of_the_processor(cls, arguments):
    the_same(estimate_on("cuda", cls, arguments), estimate_on("cpu", cls, arguments), rel=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("cls", CLASSES)
def test_a_function_takes_inputs_on_a_gpu(cls):
    function, given, near = FUNCTIONS[cls], on("cuda", inputs()), on("cpu", inputs())
    names = [k for k in inspect.signature(function).parameters if k in needs(cls)]
    found, expected = (function(**{k: side[k] for k in names}) for side in (given, near))
    if not isinstance(found, dict):
        found, expected = {"": found}, {"": expected}
    the_same(found, expected, rel=1e-6)


# By default C2ST fits networks, on the processor wherever the points are.
@pytest.mark.parametrize(("cls", "arguments"), [v for v in VARIANTS if v != (metrics.C2ST, {})])
def test_no_metric_mixes_devices(cls, arguments, request):
    expected = estimate_on("cpu", cls, arguments)
    rel = 1e-6 if "subsets" in arguments else 1e-9  # products of subsets in single precision
    the_same(estimate_on(request.getfixturevalue("far"), cls, arguments), expected, rel)


def test_a_value_is_on_the_device_of_its_metric(far):
    metric = metrics.MMD().to(far)
    metric.update(torch.ones(4, 2).to(far), torch.ones(4, 2).to(far))
    assert metric.compute().device == far


def test_the_stand_in_for_a_gpu_refuses_what_a_gpu_refuses(far):
    x, near = torch.arange(6.0).reshape(2, 3).to(far), torch.ones(3)
    for mixed in (lambda: x + near, lambda: near[x[0].long()], lambda: x.numpy()):
        with pytest.raises((RuntimeError, TypeError)):
            mixed()
    assert (x @ x.mT).sum().device == torch.zeros(2, device=x.device).device == far
    assert x[torch.tensor([1])].cpu().tolist() == [[3, 4, 5]]
    assert (x * torch.tensor(2.0)).sum().item() == 30


def test_two_sides_on_two_devices_are_an_error(far):
    with pytest.raises(ValueError, match="one device, got meta and cpu"):
        metrics.mmd(torch.ones(4, 2).to(far), torch.ones(4, 2))


def test_the_names_of_functions_are_their_classes():
    for cls, function in FUNCTIONS.items():
        assert cls.__name__.lower() == function.__name__.replace("_", "")
        assert getattr(metrics, function.__name__) is function
        assert getattr(metrics, cls.__name__) is cls
