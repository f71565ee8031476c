"""`olivetti` and `frey-faces`: two small sets of grey faces, from .npz files in the data root."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..task import Card, Task
from .images import image_task
from .npz import read_npz
from .root import find, sha256, verify
from .split import cut, permutation, stratified

SHA256 = {
    "olivetti": "87fde6e7e0dff9701f9ace62e19359854009c03e8915fb859365d39e95cbc70a",
    "frey-faces": "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78",
}


def _by_split(
    images: NDArray[np.uint8], parts: list[NDArray[np.int64]]
) -> dict[str, NDArray[np.uint8]]:
    splits = ("train", "val", "test", "holdout")
    return {split: images[part][:, None] for split, part in zip(splits, parts, strict=True)}


def olivetti() -> Task:
    """Returns `olivetti`: 400 faces; of each of 40 people 6 train, 1 val, 2 test, 1 held out."""
    (path,) = find("olivetti", "olivetti_faces/olivettifaces.npz")
    images, labels = read_npz(path, "images", "labels").values()
    checksum = verify("olivetti", SHA256["olivetti"], sha256(images, labels))
    card = Card(
        summary="A grey face, 64x64 pixels of 256 levels.",
        source="AT&T Laboratories Cambridge, in the version of S. Roweis",
        licence="credit to AT&T Laboratories Cambridge",
        citation="Samaria & Harter 1994",
        pitfalls="240 training images of 40 people; everybody is in every split.",
    )
    parts = cut(stratified(labels), [240, 40, 80, 40])
    return image_task("olivetti", _by_split(images, parts), checksum, card)


def frey_faces() -> Task:
    """Returns `frey-faces`: 1,965 frames of one man's face, 28x20."""
    (path,) = find("frey-faces", "frey_faces/freyfaces.npz")
    images = read_npz(path, "images")["images"]
    checksum = verify("frey-faces", SHA256["frey-faces"], sha256(images))
    card = Card(
        summary="A frame of a video of one man's face, 28x20 pixels of 256 levels.",
        source="research page of S. Roweis",
        licence="none stated",
        citation="Roweis, Saul & Hinton 2002, Global Coordination of Local Linear Models",
        pitfalls="Frames of one video, split at random: the frames before and after a "
        "test frame are in train, so memorisation can hardly be told from learning.",
    )
    parts = cut(permutation(len(images)), [1_365, 200, 200, 200])
    return image_task("frey-faces", _by_split(images, parts), checksum, card)
