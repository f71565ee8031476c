"""CLIP image embeddings.

Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021,
arXiv:2103.00020; as the space of CMMD: Jayasumana et al., Rethinking FID, CVPR 2024,
arXiv:2401.09603 (ViT-L/14 at 336 pixels, embeddings of norm 1).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .transformers_map import TransformersMap


class CLIP(TransformersMap):
    """The projected image embedding of CLIP, of norm 1. For its arguments see the base class."""

    name = "clip"
    repository = "openai/clip-vit-large-patch14-336"
    architecture = "CLIPVisionModelWithProjection"
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

    def features(self, x: Tensor) -> Tensor:
        return F.normalize(self.network(pixel_values=self.pixels(x)).image_embeds)
