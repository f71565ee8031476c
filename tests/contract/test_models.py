"""The contract of a model: one law a function, over every model and every sort of domain."""

import math

import pytest
import torch
from dgmbench.baselines import MODELS
from dgmbench.baselines.controls.control import Control
from dgmbench.baselines.training import NeuralModel
from dgmbench.benchmark.contract.model import Budget, GenerativeModel, Likelihood, seeded
from dgmbench.benchmark.contract.task import Domain, Modes, Task
from dgmbench.benchmark.suites.panels import EXEMPLARS
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.rewards.environments import Grid, Subsets

BUDGET = Budget(steps=5, batch_size=32)
FAMILIES = {
    "latent", "adversarial", "flow", "autoregressive", "diffusion", "transport", "energy",
    "moment", "gflownet", "sampler", "classical", "control",
}  # fmt: skip


def rows(domain: Domain, n: int) -> torch.Tensor:
    if domain.levels is None:
        return torch.randn(n, *domain.shape)
    # Mostly low levels: a law that differs from the uniform one.
    return (torch.rand(n, *domain.shape).square() * domain.levels).long()


def toy(domain: Domain) -> Task:
    """A task with everything that a model can ask for, small."""
    with seeded(0):
        data = rows(domain, 400)
    middle = 0.0 if domain.levels is None else 0.33 * (domain.levels - 1)

    def log_reward(x):
        real = domain.levels is None
        return -(x.square() if real else x.float()).flatten(1).sum(1)

    return Task(
        name="toy",
        version=1,
        domain=domain,
        kind="toy",
        train=data[:200],
        val=data[200:264],
        test=data[264:328],
        holdout=data[328:],
        log_reward=log_reward,
        modes=Modes(2, lambda x: (x.flatten(1).float().mean(1) > middle).long()),
    )


DOMAINS = {
    "line": Domain((1,)),
    "plane": Domain((2,)),
    "grid": Domain((2,), levels=8, layout="grid", environment=Grid(2, 8)),
    "binary": Domain((5,), levels=2, environment=Subsets(5, 2)),
    "image": Domain((1, 4, 4), levels=17),
    "pixels": Domain((3, 4, 4), levels=256),
    "tokens": Domain((5,), levels=5, ordered=False, layout="sequence"),
}
# Each family's exemplar, and what trains at once, is tried on every sort of domain in each run;
# the other members on one of them, and on the rest in the slow tests.


def first_domain(name: str) -> str:
    """The plane, or for models of integers alone the bits or the grid."""
    words = [w for w in ("plane", "grid", "binary") if MODELS[name].supports(DOMAINS[w]) is None]
    return words[0] if words else "binary"


def case(name: str, word: str):
    quick = (
        word == first_domain(name)
        or name in (*EXEMPLARS, "transformer")
        or not issubclass(MODELS[name], NeuralModel)
    )
    # A worker that has trained a model on a domain tries all laws on it.
    marks = [pytest.mark.xdist_group(f"{name}-{word}"), *([] if quick else [pytest.mark.slow])]
    return pytest.param(name, DOMAINS[word], id=f"{name}-{word}", marks=marks)


CASES = [case(name, word) for name in MODELS for word in DOMAINS]


def fitted(name: str, domain: Domain, seed: int = 0) -> GenerativeModel:
    cls = MODELS[name]
    reason = cls.supports(domain)
    if reason:
        pytest.skip(reason)
    task = toy(domain)
    if cls.learns_from == "reward" and task.log_reward is None:
        pytest.skip("it learns from a reward")
    with seeded(seed):
        model = cls(domain)
        model.fit(task if issubclass(cls, Control) else task.for_training(), BUDGET)
    return model


@pytest.fixture(scope="module")
def trained():
    """Each (model, domain) is trained once for all laws."""
    cache = {}

    def get(name, domain):
        if (name, domain) not in cache:
            cache[name, domain] = fitted(name, domain)
        return cache[name, domain]

    return get


@pytest.mark.parametrize("name", MODELS)
def test_family_paper_and_reason_are_declared(name):
    cls = MODELS[name]
    assert cls.family in FAMILIES
    assert (cls.learns_from == "task") == (cls.family == "control")
    assert cls.learns_from in {"samples", "reward", "task"}
    assert cls.paper or cls.family == "control"
    reasons = {word: cls.supports(domain) for word, domain in DOMAINS.items()}
    assert all(r is None or (isinstance(r, str) and len(r) > 10) for r in reasons.values())
    assert any(r is None for r in reasons.values())


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_samples_are_points_of_the_domain(name, domain, trained):
    model = trained(name, domain)
    with seeded(1):
        x = model.sample(40)
    assert x.shape == (40, *domain.shape)
    assert x.dtype == (torch.float32 if domain.levels is None else torch.int64)
    domain.check("samples", x)


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_a_seed_fixes_the_samples_and_the_caller_keeps_the_state(name, domain, trained):
    model = trained(name, domain)
    before = torch.get_rng_state()
    with seeded(2):
        a = model.sample(16)
    with seeded(2):
        b = model.sample(16)
    with seeded(3):
        c = model.sample(16)
    assert torch.equal(a, b)
    alike = len(a.unique(dim=0)) == 1  # five steps may leave a generator of bits with one point
    assert alike or not torch.equal(a, c)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_log_prob_is_what_the_claim_says(name, domain, trained):
    model, x = trained(name, domain), toy(domain).test[:16]
    if model.likelihood is Likelihood.NONE:
        with pytest.raises(NotImplementedError):
            model.log_prob(x)
        return
    with seeded(4):
        log_prob = model.log_prob(x, draws=2)
    assert log_prob.shape == (len(x),)
    assert not log_prob.isnan().any()


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_exact_means_that_it_sums_to_one(name, domain, trained):
    model = trained(name, domain)
    if model.likelihood is not Likelihood.EXACT:
        pytest.skip("the claim is another")
    if domain.num_states <= 2**14:
        total = model.log_prob(domain.unrestricted.states()).double().exp().sum()
    elif domain.levels is None and domain.dim <= 2:
        # A grid wide enough for the tails of a model of standard normal data.
        edge = torch.linspace(-12, 12, 1201 if domain.dim == 1 else 241)
        points = torch.cartesian_prod(*[edge] * domain.dim).reshape(-1, domain.dim)
        density = torch.cat([model.log_prob(p).double() for p in points.split(4096)]).exp()
        total = density.sum() * float(edge[1] - edge[0]) ** domain.dim
    else:
        pytest.skip("too many states to sum over")
    # The box of the noise control has edges that a grid cannot meet.
    assert float(total) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_a_lower_bound_sums_to_at_most_one(name, domain, trained):
    model = trained(name, domain)
    if model.likelihood is not Likelihood.LOWER_BOUND or domain.num_states > 2**14:
        pytest.skip("the claim is another, or the states are too many")
    draws = 4 if domain.num_states < 2**10 else 2  # the sum over many states has little noise
    with seeded(5):
        bounds = torch.stack([model.log_prob(domain.states()) for _ in range(draws)]).double()
    # log p >= E[bound] for every state, so exp of the mean bound sums to at most 1; what its noise
    # adds to an exponential is taken off.
    bound = bounds.mean(0) - bounds.var(0) / (2 * draws)
    assert float(bound.exp().sum()) < 1.1


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_state_dict_makes_a_fresh_instance_the_same(name, domain, trained):
    model = trained(name, domain)
    if not callable(getattr(model, "state_dict", None)):
        pytest.skip("it has no state")
    fresh = MODELS[name](domain)
    fresh.load_state_dict({k: v.clone() for k, v in model.state_dict().items()})
    if isinstance(fresh, torch.nn.Module):
        fresh.eval()
    with seeded(6):
        a = model.sample(8)
    with seeded(6):
        b = fresh.sample(8)
    assert torch.equal(a, b)
    if model.likelihood is not Likelihood.NONE:
        x = toy(domain).test[:8]
        with seeded(7):
            expected = model.log_prob(x, draws=1)
        with seeded(7):
            assert torch.equal(fresh.log_prob(x, draws=1), expected)


@pytest.mark.parametrize(
    ("name", "domain"), [c for c in CASES if issubclass(MODELS[c.values[0]], NeuralModel)]
)
def test_every_parameter_gets_a_gradient_and_moves(name, domain):
    cls, task = MODELS[name], toy(domain)
    if cls.supports(domain) or (cls.learns_from == "reward" and task.log_reward is None):
        pytest.skip("not its domain")
    with seeded(0):
        model = cls(domain)
        before = {k: p.detach().clone() for k, p in model.named_parameters()}
        model.fit(task.for_training(), BUDGET)
    trainable = {k: p for k, p in model.named_parameters() if p.requires_grad}
    still = [k for k, p in trainable.items() if p.grad is None and torch.equal(p, before[k])]
    assert not still, f"no gradient reached {still}"


@pytest.mark.parametrize(
    ("name", "domain"), [c for c in CASES if issubclass(MODELS[c.values[0]], NeuralModel)]
)
def test_the_curve_is_finite_and_the_network_is_there(name, domain, trained):
    model = trained(name, domain)
    assert isinstance(getattr(model, model.network), torch.nn.Module)
    assert model.curve
    assert all(math.isfinite(loss) for _, _, loss in model.curve)


def test_models_never_see_test_or_truth():
    shown = load_task("ring-8").for_training()
    assert not {"test", "draw", "log_density", "log_z", "holdout"} & set(vars(shown))
