"""Every model computes where it is: on a device whose tensors refuse to meet the processor's.

The stand-in of `conftest.py` takes the place of a GPU: PyTorch's own (`FakeTensorMode` on "cuda")
needs a build that is linked with CUDA.
"""

import pytest
import torch
from dgmbench.baselines import MODELS
from dgmbench.benchmark.contract.model import Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from dgmbench.benchmark.suites.panels import EXEMPLARS
from dgmbench.benchmark.tasks.rewards.environments import Grid

DOMAINS = {
    "plane": Domain((2,)),
    "digits": Domain((1, 8, 8), levels=17),
    "bits": Domain((12,), levels=2, ordered=False, layout="bits"),
    "tokens": Domain((6,), levels=5, ordered=False, layout="sequence"),
    "grid": Domain((2,), levels=8, layout="grid", environment=Grid(2, 8)),
}
NEURAL = {name: cls for name, cls in MODELS.items() if hasattr(cls, "players")}


def cases():
    """Exemplars everywhere, the others on the first domain that they take; the rest is slow."""
    for name, cls in NEURAL.items():
        taken = [word for word, domain in DOMAINS.items() if cls.supports(domain) is None]
        for word in taken:
            quick = name in (*EXEMPLARS, "transformer") or word == taken[0]
            yield pytest.param(name, word, marks=() if quick else pytest.mark.slow)


TWICE = ("meanflow", "mmd-gan")  # whose losses differentiate an encoder or U-Net twice


def rows(domain, n=64):
    if domain.levels is None:
        return torch.randn(n, *domain.shape)
    return torch.randint(domain.levels, (n, *domain.shape))


def reward(x):
    return -x.flatten(1).float().sum(1)


def moved(model, device):
    """The model with every parameter and buffer on the device."""
    for module in model.modules():
        for name, p in list(module._parameters.items()):
            if p is not None:
                module._parameters[name] = torch.nn.Parameter(p.detach().to(device))
        for name, b in list(module._buffers.items()):
            if b is not None:
                module._buffers[name] = b.to(device)
    return model


@pytest.mark.parametrize(("name", "word"), list(cases()))
def test_loss_samples_and_likelihoods_stay_on_the_device(name, word, request):
    if word == "digits" and name in TWICE:
        pytest.skip("the stand-in has no second derivative of group normalisation")
    domain = DOMAINS[word]
    model, shown = NEURAL[name](domain), rows(domain)
    far = request.getfixturevalue("far")
    model = moved(model, far)
    assert model.device == far
    task = TrainingTask(domain, shown, shown, reward)
    model.prepare(task)
    stream = model.batches(task, 16)
    for player in model.players():
        loss = player.loss(next(stream))
        assert loss.device == far
        loss.backward()
    assert all(p.grad is None or p.grad.device == far for p in model.parameters())
    model.eval()
    with torch.no_grad():
        x = model.sample(8, **({"steps": 2} if model.samplers else {}))
        assert x.shape == (8, *domain.shape)
        assert x.device == far
        # Forward-mode derivatives do not see through the stand-in.
        if model.likelihood not in (Likelihood.NONE, Likelihood.ESTIMATE):
            assert model.log_prob(x).device == far
