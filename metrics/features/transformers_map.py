"""Feature maps whose networks transformers holds: CLIP, DINOv2."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from .frozen import FrozenMap
from .images import normalised, to_rgb
from .weights import blob_checksum, in_hub_cache, verified

FILE = "model.safetensors"


class TransformersMap(FrozenMap):
    """What a network of transformers makes of images, resized and normalised as it was trained.

    Args:
        weights: Folder with `config.json` and `model.safetensors` as transformers writes them; by
            default the class's `repository` in the Hugging Face hub's cache.
        checksum: SHA-256 of `model.safetensors`, or its beginning; by default the one that the
            hub's cache has on record.
        size: Height and width that images are resized to; by default the usual one.
        levels: Levels of the images' domain, None for real values in [0, 1]; see `to_rgb`.
        batch: Images at once.

    Attributes:
        repository: Owner and name of the weights on the hub.
        architecture: Name of the network's class in transformers.
        usual_size: Height and width that images are resized to; None for the network's own.
        mean: Mean of each colour that is subtracted.
        std: What is divided by.

    Raises:
        FileNotFoundError: No such weights.
        ImportError: transformers is not installed.
        ValueError: The weights have another checksum.
    """

    repository: ClassVar[str]
    architecture: ClassVar[str]
    usual_size: ClassVar[int | None] = None
    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]

    def __init__(
        self,
        weights: Path | str | None = None,
        checksum: str = "",
        size: int | None = None,
        levels: int | None = 256,
        batch: int = 64,
    ) -> None:
        super().__init__(batch)
        folder = model_folder(weights, self.repository, checksum)
        self.network = pretrained(self.architecture, folder)
        self.size: int = size or self.usual_size or self.network.config.image_size
        self.levels = levels
        self.freeze()

    @classmethod
    def weights_file(cls) -> Path:
        return in_hub_cache(cls.repository, FILE)

    def settings(self) -> dict[str, object]:
        return {"size": self.size, "levels": self.levels}

    def pixels(self, x: Tensor) -> Tensor:
        """Returns images as the network takes them, `(B, 3, size, size)`."""
        return normalised(to_rgb(x, self.levels), self.size, self.mean, self.std)


def model_folder(weights: Path | str | None, repository: str, checksum: str) -> Path:
    """Returns the folder that holds a model's configuration and its verified weights.

    Args:
        weights: The folder, or None for the Hugging Face hub's cache.
        repository: Owner and name on the hub.
        checksum: SHA-256 of the weights, or its beginning; if empty, the one that the hub's cache
            has on record.

    Raises:
        FileNotFoundError: No such weights, or no configuration beside them.
        ValueError: The weights have another checksum.
    """
    advice = (
        f"fetch {repository} with `hf download` on a machine with a network, "
        "or name a folder as `weights`"
    )
    path = Path(weights) / FILE if weights else in_hub_cache(repository, FILE)
    verified(path, checksum or blob_checksum(path), advice)
    verified(path.with_name("config.json"), "", advice)
    return path.parent


def pretrained(architecture: str, folder: Path) -> Any:
    """Returns a network of transformers with the weights of a folder.

    Args:
        architecture: Name of a model's class in transformers.
        folder: What `model_folder` returned.

    Raises:
        ImportError: transformers is not installed.
    """
    if find_spec("transformers") is None:
        raise ImportError("Expected transformers, which holds the network; install it with pip.")
    kind = getattr(import_module("transformers"), architecture)
    return kind.from_pretrained(folder, local_files_only=True)
