"""CLIP image embeddings.

Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021,
arXiv:2103.00020; as the space of CMMD: Jayasumana et al., Rethinking FID, CVPR 2024,
arXiv:2401.09603 (ViT-L/14 at 336 pixels, embeddings of norm 1).
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from .frozen import FrozenMap
from .images import normalised, to_rgb
from .transformers_folder import FILE, model_folder, pretrained
from .weights import in_hub_cache

REPOSITORY = "openai/clip-vit-large-patch14-336"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class CLIP(FrozenMap):
    """The projected image embedding of CLIP, of norm 1.

    Args:
        weights: Folder with `config.json` and `model.safetensors` as transformers writes them; by
            default `openai/clip-vit-large-patch14-336` in the Hugging Face hub's cache.
        checksum: SHA-256 of `model.safetensors`, or its beginning; by default the one that the
            hub's cache has on record.
        levels: Levels of the images' domain, None for real values in [0, 1]; see `to_rgb`.
        batch: Images at once.

    Raises:
        FileNotFoundError: No such weights.
        ImportError: transformers is not installed.
        ValueError: The weights have another checksum.
    """

    name = "clip"

    def __init__(
        self,
        weights: Path | str | None = None,
        checksum: str = "",
        levels: int | None = 256,
        batch: int = 64,
    ) -> None:
        super().__init__(batch)
        self.levels = levels
        folder = model_folder(weights, REPOSITORY, checksum)
        self.network = pretrained("CLIPVisionModelWithProjection", folder)
        self.size: int = self.network.config.image_size
        self.freeze()

    @classmethod
    def weights_file(cls) -> Path:
        return in_hub_cache(REPOSITORY, FILE)

    def settings(self) -> dict[str, object]:
        return {"size": self.size, "levels": self.levels}

    def features(self, x: Tensor) -> Tensor:
        pixels = normalised(to_rgb(x, self.levels), self.size, MEAN, STD)
        return F.normalize(self.network(pixel_values=pixels).image_embeds)
