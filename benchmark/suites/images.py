"""Small pictures: clothes, photographs, faces."""

from __future__ import annotations

from dataclasses import replace

from ..contract.model import Budget
from .mnist import MNIST

IMAGES = replace(
    MNIST,
    name="images",
    chosen_in="mnist",
    summary="Clothes, photographs and faces, by multilayer perceptrons: 35 minutes on 2 cores "
    "without a GPU.",
    budget=Budget(steps=500, batch_size=128, timeout=3600.0),
    tasks=("fashion-mnist", "cifar10-20k", "frey-faces", "olivetti"),
)
