"""Small pictures: clothes, photographs, faces."""

from __future__ import annotations

from dataclasses import replace

from .mnist import MNIST

IMAGES = replace(
    MNIST,
    name="images",
    chosen_in="mnist",
    summary="Clothes, photographs and faces; 500 steps for all until `tune` has chosen "
    "recipes of 15 core-minutes: hours on 2 cores without a GPU.",
    tasks=("fashion-mnist", "cifar10-20k", "frey-faces", "olivetti"),
)
