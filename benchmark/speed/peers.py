"""The metrics as other libraries compute them, each as a function of two sets of float32 features.

Every function takes features `(N, d)` twice and returns one number of the definition that dgmbench
uses, so that values can be compared as well as times. A library is imported when it is called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

TORCHVISION = (
    "torchvision",
    "torchvision.datasets",
    "torchvision.models",
    "torchvision.models.inception",
    "torchvision.transforms",
    "torchvision.transforms.functional",
)


def without_torchvision() -> None:
    """Puts an empty torchvision in place of the real one, for this process.

    torch-fidelity and pytorch-fid import it for their data sets and networks; what they compute
    from features needs nothing of it, and its builds have to match torch's.
    """
    for name in TORCHVISION:
        module = ModuleType(name)
        module.__dict__["__getattr__"] = lambda attribute: type(attribute, (), {})
        module.__path__ = []
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


def without_attention() -> None:
    """Puts an empty linear_attention_transformer in place of the real one, for this process.

    torchgfn imports it for a net that is not used here; it and what it imports are six packages.
    """
    name = "linear_attention_transformer"
    module = ModuleType(name)
    module.__dict__["LinearAttentionTransformer"] = type(name, (), {})
    sys.modules.setdefault(name, module)


class Features(nn.Module):
    """What stands in for torchmetrics' network: rows of features pass as they are."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.num_features = d

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x`."""
        return x


def _torchmetrics(metric: Any, x: Tensor, y: Tensor) -> Any:
    metric.update(y, real=True)
    metric.update(x, real=False)
    return metric.compute()


def frechet_torchmetrics(x: Tensor, y: Tensor) -> float:
    """Frechet distance by torchmetrics."""
    fid = import_module("torchmetrics.image.fid")
    metric = fid.FrechetInceptionDistance(feature=Features(x.shape[1]))
    return float(_torchmetrics(metric, x, y))


def frechet_torch_fidelity(x: Tensor, y: Tensor) -> float:
    """Frechet distance by torch-fidelity."""
    without_torchvision()
    fid = import_module("torch_fidelity.metric_fid")
    sides = [fid.fid_features_to_statistics(side) for side in (x, y)]
    return float(fid.fid_statistics_to_metric(*sides, False)["frechet_inception_distance"])


def frechet_pytorch_fid(x: Tensor, y: Tensor) -> float:
    """Frechet distance by pytorch-fid."""
    without_torchvision()
    numpy = import_module("numpy")
    fid = import_module("pytorch_fid.fid_score")
    sides = [(f.mean(axis=0), numpy.cov(f, rowvar=False)) for f in (x.numpy(), y.numpy())]
    return float(fid.calculate_frechet_distance(*sides[0], *sides[1]))


def kid_torchmetrics(x: Tensor, y: Tensor) -> float:
    """Mean over 100 subsets of 1,000 of the polynomial MMD^2 by torchmetrics."""
    kid = import_module("torchmetrics.image.kid")
    metric = kid.KernelInceptionDistance(feature=Features(x.shape[1]), subsets=100)
    return float(_torchmetrics(metric, x, y)[0])


def kid_torch_fidelity(x: Tensor, y: Tensor) -> float:
    """Mean over 100 subsets of 1,000 of the polynomial MMD^2 by torch-fidelity."""
    without_torchvision()
    kid = import_module("torch_fidelity.metric_kid")
    out = kid.kid_features_to_metric(x, y, kid_subsets=100, kid_subset_size=1000, verbose=False)
    return float(out["kernel_inception_distance_mean"])


def prdc_prdc(x: Tensor, y: Tensor) -> float:
    """Density at k = 5 by prdc, which computes all four."""
    out = import_module("prdc").compute_prdc(y.numpy(), x.numpy(), nearest_k=5)
    return float(out["density"])


def vendi_default(x: Tensor, y: Tensor) -> float:
    """Vendi score by vendi-score's default call, float64."""
    return float(import_module("vendi_score.vendi").score_X(x.double().numpy()))


def vendi_dual(x: Tensor, y: Tensor) -> float:
    """Vendi score by vendi-score's dual call, float32."""
    return float(import_module("vendi_score.vendi").score_dual(x.numpy()))


def sliced_pot(x: Tensor, y: Tensor) -> float:
    """Sliced Wasserstein distance, p = 2, 1,000 directions, by POT."""
    ot = import_module("ot")
    return float(ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), n_projections=1000, seed=0))


def energy_geomloss(x: Tensor, y: Tensor) -> float:
    """Energy distance (of all pairs, the diagonal included) by geomloss."""
    loss = import_module("geomloss").SamplesLoss("energy", backend="tensorized")
    with torch.no_grad():
        return 2 * float(loss(x, y))
