"""Feature maps: frozen networks under the distances, chosen by the name that a task gives.

A map turns both sides of a distance into rows: with `phi = feature_map("digits-cnn")` it is
`frechet_distance(phi(samples), phi(reference))`.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from .cache import FeatureCache
from .clip import CLIP
from .digits_cnn import DigitsCNN
from .dinov2 import DINOv2
from .frozen import FrozenMap
from .inception import InceptionV3
from .linear import PCA, Identity, OneHot, Pixels, RandomProjection
from .mnist_cnn import MNISTCNN, StackedMNISTCNN

FEATURE_MAPS: dict[str, Callable[..., FrozenMap]] = {
    kind.name: kind
    for kind in (
        Identity,
        Pixels,
        OneHot,
        PCA,
        RandomProjection,
        DigitsCNN,
        MNISTCNN,
        StackedMNISTCNN,
        InceptionV3,
        DINOv2,
        CLIP,
    )
}


def feature_map(name: str, **arguments: Any) -> FrozenMap:
    """Returns the feature map of that name, frozen and ready.

    Args:
        name: One of `FEATURE_MAPS`.
        arguments: Passed to the map: `levels` of `one-hot`, `reference` and `dim` of `pca`,
            `weights` of a network, ...

    Returns:
        A module that turns points `(N, *shape)` into features `(N, d)`.

    Raises:
        ValueError: No map has that name; the message names the nearest.
        FileNotFoundError: The weights of a published network are not on this machine.
    """
    if name not in FEATURE_MAPS:
        near = get_close_matches(name, FEATURE_MAPS, n=1, cutoff=0.0)[0]
        known = ", ".join(FEATURE_MAPS)
        raise ValueError(
            f"Expected a feature map among {known}, got {name!r}; did you mean {near!r}?"
        )
    return FEATURE_MAPS[name](**arguments)


__all__ = [
    "CLIP",
    "FEATURE_MAPS",
    "DINOv2",
    "DigitsCNN",
    "FeatureCache",
    "FrozenMap",
    "Identity",
    "InceptionV3",
    "OneHot",
    "PCA",
    "RandomProjection",
    "StackedMNISTCNN",
    "feature_map",
]
