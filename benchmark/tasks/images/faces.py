"""`olivetti` and `frey-faces`: two small sets of grey faces, from .npz files in the data root."""

from __future__ import annotations

from pathlib import Path

from ...contract.task import Card, Domain
from ..outline import Loaded, Outline
from ..readers.data_root import sha256, verify
from ..readers.npz import read_npz
from ..split import cut, tensors
from .parquet_sets import image_task

SHA256 = {
    "olivetti": "87fde6e7e0dff9701f9ace62e19359854009c03e8915fb859365d39e95cbc70a",
    "frey-faces": "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78",
}


def faces(
    name: str,
    file: str,
    arrays: tuple[str, ...],
    side: tuple[int, int],
    sizes: list[int],
    card: Card,
) -> Outline:
    """Returns a set of grey images, split at random.

    Args:
        name: Name of the task.
        file: Path of the .npz file in the data root.
        arrays: The arrays that the checksum is of; the first holds the images.
        side: Height and width.
        sizes: Rows of train, val, test and holdout.
        card: Where it comes from.
    """
    counts = dict(zip(("train", "val", "test", "holdout"), sizes, strict=True))

    def read(path: Path) -> Loaded:
        found = read_npz(path, *arrays)
        checksum = verify(name, SHA256[name], sha256(*found.values()))
        images = found[arrays[0]]
        parts = zip(counts, cut(len(images), sizes), strict=True)
        return Loaded(tensors({split: images[part][:, None] for split, part in parts}), checksum)

    # Version 1 had the rows in another order, and the people of olivetti in equal shares, which
    # made its splits more alike than chance does; version 2 compared levels, 3 compares pixels.
    domain = Domain((1, *side), levels=256)
    task = image_task(name, domain, counts["test"], card, version=3)
    return Outline(task, counts, read, (file,))


def olivetti() -> Outline:
    """Returns `olivetti`: 400 faces of 40 people; 240 train, 40 val, 80 test, 40 held out."""
    card = Card(
        summary="A grey face, 64x64 pixels of 256 levels.",
        source="AT&T Laboratories Cambridge, in the version of S. Roweis",
        licence="credit to AT&T Laboratories Cambridge",
        citation="Samaria & Harter 1994",
        pitfalls="240 training images of 40 people, split at random: nearly everybody in test is "
        "in train too, so this measures new pictures, not new people.",
    )
    file = "olivetti_faces/olivettifaces.npz"
    return faces("olivetti", file, ("images", "labels"), (64, 64), [240, 40, 80, 40], card)


def frey_faces() -> Outline:
    """Returns `frey-faces`: 1,965 frames of one man's face, 28x20."""
    card = Card(
        summary="A frame of a video of one man's face, 28x20 pixels of 256 levels.",
        source="research page of S. Roweis",
        licence="none stated",
        citation="Roweis, Saul & Hinton 2002, Global Coordination of Local Linear Models",
        pitfalls="Frames of one video, split at random: the frames before and after a "
        "test frame are in train, so memorisation can hardly be told from learning.",
    )
    file, sizes = "frey_faces/freyfaces.npz", [1_365, 200, 200, 200]
    return faces("frey-faces", file, ("images",), (28, 20), sizes, card)
