"""Inception-v3 features, those of the Frechet Inception distance.

Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium,
NeurIPS 2017, arXiv:1706.08500. The network is torch-fidelity's conversion of TensorFlow's graph of
2015-12-05, with TensorFlow's own resize; any other Inception-v3 gives other numbers.
"""

from __future__ import annotations

import importlib
import io
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import load_file
from torch import Tensor

from .frozen import FrozenMap
from .images import to_rgb
from .weights import verified

FILE = "weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d"  # what the file's publisher put into its name
ADVICE = (
    "fetch it from the releases of toshas/torch-fidelity (v0.2.0) on a machine with a network, "
    "or name another file as `weights`"
)


class InceptionV3(FrozenMap):
    """Inception-v3 behind its last pooling.

    Args:
        weights: File of weights (.pth or .safetensors); by default the one in torch's hub cache.
        checksum: SHA-256 of that file, or its beginning; by default the published one. Empty
            accepts any content, and what comes out is then no FID.
        layer: "2048" for features, "logits_unbiased" for the Inception score; see torch-fidelity.
        levels: Levels of the images' domain, None for real values in [0, 1]; see `to_rgb`.
        batch: Images at once.

    Raises:
        FileNotFoundError: No such file of weights.
        ImportError: torch-fidelity is not installed.
        ValueError: The file of weights has another checksum.
    """

    name = "inception-v3"

    def __init__(
        self,
        weights: Path | str | None = None,
        checksum: str = SHA256,
        layer: str = "2048",
        levels: int | None = 256,
        batch: int = 64,
    ) -> None:
        super().__init__(batch)
        self.layer = layer
        self.levels = levels
        path = verified(Path(weights or self.weights_file()), checksum, ADVICE)
        extractor = network_module().FeatureExtractorInceptionV3
        # The extractor unpickles what it is given: it is given a file made here, of mere tensors.
        self.network = extractor("inception-v3-compat", [layer], _as_file(path))
        self.freeze()

    @classmethod
    def weights_file(cls) -> Path:
        return Path(torch.hub.get_dir()) / "checkpoints" / FILE

    def settings(self) -> dict[str, object]:
        return {"layer": self.layer, "levels": self.levels}

    def features(self, x: Tensor) -> Tensor:
        return self.network(to_rgb(x, self.levels))[0]


def _as_file(path: Path) -> io.BytesIO:
    safe = path.suffix == ".safetensors"
    state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def network_module() -> ModuleType:
    """Returns torch-fidelity's module of the Inception network.

    The package as a whole imports torchvision, which this network has no need of and which has to
    match torch to the build; so the module is loaded without the package around it. Later imports
    of torch-fidelity do not notice.

    Raises:
        ImportError: torch-fidelity is not installed.
    """
    package, name = "torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("Expected torch-fidelity, which holds the network; install it with pip.")
    bare = ModuleType(package)
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = bare
    try:
        return importlib.import_module(name)
    finally:
        for loaded in [key for key in sys.modules if key.split(".")[0] == package]:
            del sys.modules[loaded]
