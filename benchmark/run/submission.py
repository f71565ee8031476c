"""Samples without a model: read from a file or a folder of images, checked, scored as a row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..contract.evidence import Evidence
from ..contract.probe import Probe
from ..contract.record import Record
from ..contract.task import Domain
from ..suites.suite import ModelSpec, Suite
from ..tasks import Outline
from .answers import Answer, score_answers
from .job import Job
from .stage_keys import score_key
from .store import Store
from .subset import fixed_subset

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


def read_samples(path: Path, domain: Domain) -> Tensor:
    """Reads samples from .npz, .npy, .safetensors or a folder of images.

    Args:
        path: An .npz or .safetensors with one array (or one called "samples"), an .npy, or a
            folder of images.
        domain: What one point must be.

    Returns:
        Shape `(N, *shape)`, float32 on real-valued domains, int64 on discrete ones.

    Raises:
        ValueError: No such file, another format, pickled objects, or rows outside the domain.
    """
    if path.is_dir():
        x = _images(path, domain)
    elif not path.exists():
        raise ValueError(
            f"Expected a file or a folder of samples, got {path}, which is not there."
        )
    elif path.suffix in (".npz", ".npy"):
        x = torch.from_numpy(np.ascontiguousarray(_numpy(path)))
    elif path.suffix == ".safetensors":
        tensors = _safetensors(path)
        x = tensors[_only(tensors, path)]
    else:
        raise ValueError(
            f"Expected samples as .npz, .npy, .safetensors or a folder of images, got {path.name}."
        )
    x = domain.check("samples", x)
    return x.float() if domain.levels is None else x.long()


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"Expected a safetensors file, got {path.name}: {error}.") from None


def _numpy(path: Path) -> np.ndarray[Any, Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else loaded[_only(loaded, path)]
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"Expected plain numbers in {path.name}, got pickled objects, which are refused; "
                "save with numpy.savez(path, samples=array) of a numeric dtype."
            ) from None
        raise ValueError(f"Expected a NumPy file in {path.name}, got: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"Expected numbers in {path.name}, got dtype {array.dtype}.")
    return array.astype(np.int64) if array.dtype.kind in "ub" else array


def _only(names: Iterable[str], path: Path) -> str:
    """Returns the name of the samples among the arrays of a file."""
    found = list(names)
    if "samples" in found:
        return "samples"
    if len(found) != 1:
        raise ValueError(
            f"Expected one array in {path.name}, or one called samples, "
            f"got {', '.join(found) or 'none'}."
        )
    return found[0]


def _images(folder: Path, domain: Domain) -> Tensor:
    if not domain.is_image:
        raise ValueError(
            f"Expected points of shape {domain.shape}, got a folder of images; give a file."
        )
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ValueError(f"Expected images in {folder}, got none.")
    return torch.stack([_image(file, domain) for file in files])


def _image(file: Path, domain: Domain) -> Tensor:
    channels, height, width = domain.shape
    try:
        with Image.open(file) as image:
            pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    except (UnidentifiedImageError, OSError):
        raise ValueError(f"Expected an image in {file}, got a file that cannot be read.") from None
    if pixels.shape[:2] != (height, width):
        raise ValueError(
            f"Expected images of {height} x {width} pixels, "
            f"got {pixels.shape[0]} x {pixels.shape[1]} in {file}."
        )
    return torch.from_numpy(pixels).reshape(height, width, channels).permute(2, 0, 1).long()


def score_samples(x: Tensor, name: str, outline: Outline, suite: Suite, root: Path) -> Record:
    """Scores samples beside the models of a suite and writes their record.

    Args:
        x: Points of the task's domain, shape `(N, *shape)`.
        name: Name of the row.
        outline: The task.
        suite: Whose metrics and number of samples hold.
        root: The suite's results folder.

    Raises:
        ValueError: Too few samples, or a name that a model of the suite has.
    """
    question = Probe("samples")
    store = Store(root)
    job = Job(suite, outline, ModelSpec(name, ""), 0, "cpu", store.root, (question,))
    n = job.samples(question)
    if len(x) < n:
        raise ValueError(
            f"Expected at least {n} samples for {job.task.name}, at which every row is compared, "
            f"got {len(x)}."
        )
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"Expected a name of letters, digits, '.', '-' and '_', got {name}.")
    if name in suite.models:
        raise ValueError(f"Expected a name of your own, got {name}, a model of the suite.")
    chosen = x[fixed_subset(len(x), n)].contiguous()
    digest = hashlib.sha256(chosen.numpy().tobytes()).hexdigest()
    job = replace(job, keys={"samples": digest, "score": score_key(job, digest)})
    answers = [
        Answer(question, Evidence(samples=chosen)),
        Answer(Probe("likelihood"), Evidence()),  # so that likelihoods say why they are empty
    ]
    return score_answers(job, outline.load(), answers)
