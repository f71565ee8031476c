"""DINOv2 features.

Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, 2023, arXiv:2304.07193;
as a space for distances between images: Stein et al., Exposing flaws of generative model
evaluation metrics, NeurIPS 2023, arXiv:2306.04675 (ViT-L/14, class token, images resized to 224 by
a bicubic filter).
"""

from __future__ import annotations

from torch import Tensor

from .transformers_map import TransformersMap


class DINOv2(TransformersMap):
    """The class token of DINOv2 behind its last layer norm. For its arguments see the base class.

    Images are resized to 224 pixels, not to the 518 that the network was trained on last.
    """

    name = "dinov2"
    repository = "facebook/dinov2-large"
    architecture = "Dinov2Model"
    usual_size = 224
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def features(self, x: Tensor) -> Tensor:
        return self.network(pixel_values=self.pixels(x)).pooler_output
