"""DINOv2 features.

Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, 2023, arXiv:2304.07193;
as a space for distances between images: Stein et al., Exposing flaws of generative model
evaluation metrics, NeurIPS 2023, arXiv:2306.04675 (ViT-L/14, class token, images resized to 224 by
a bicubic filter).
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from .frozen import FrozenMap
from .images import normalised, to_rgb
from .transformers_folder import FILE, model_folder, pretrained
from .weights import in_hub_cache

REPOSITORY = "facebook/dinov2-large"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DINOv2(FrozenMap):
    """The class token of DINOv2 behind its last layer norm.

    Args:
        weights: Folder with `config.json` and `model.safetensors` as transformers writes them; by
            default `facebook/dinov2-large` in the Hugging Face hub's cache.
        checksum: SHA-256 of `model.safetensors`, or its beginning; by default the one that the
            hub's cache has on record.
        size: Height and width that images are resized to.
        levels: Levels of the images' domain, None for real values in [0, 1]; see `to_rgb`.
        batch: Images at once.

    Raises:
        FileNotFoundError: No such weights.
        ImportError: transformers is not installed.
        ValueError: The weights have another checksum.
    """

    name = "dinov2"

    def __init__(
        self,
        weights: Path | str | None = None,
        checksum: str = "",
        size: int = 224,
        levels: int | None = 256,
        batch: int = 64,
    ) -> None:
        super().__init__(batch)
        self.size = size
        self.levels = levels
        self.network = pretrained("Dinov2Model", model_folder(weights, REPOSITORY, checksum))
        self.freeze()

    @classmethod
    def weights_file(cls) -> Path:
        return in_hub_cache(REPOSITORY, FILE)

    def settings(self) -> dict[str, object]:
        return {"size": self.size, "levels": self.levels}

    def features(self, x: Tensor) -> Tensor:
        pixels = normalised(to_rgb(x, self.levels), self.size, MEAN, STD)
        return self.network(pixel_values=pixels).pooler_output
