"""Metrics that mean nothing on a kind of task, each with the reason that a table prints."""

from __future__ import annotations

_MANY = "The states cannot be listed: there are far too many."
_NO_LAW = "The law of the data is not known."
_NO_MODES = "The modes of the data are not known."
_NO_CLASSES = "No classifier goes with this task."
_NO_REWARD = "The task has no reward, so no normaliser to compare with."
_NOT_PIXELS = "Bits per dimension are for pixels; read the NLL."
_NO_IMAGES = "Meant for features of images; here `mmd` says the same in the data's space."

_WIDEST = 1024  # coordinates of a covariance: half of the samples that the suites draw
_STATES = ("total_variation", "l1_distance", "empirical_total_variation", "empirical_l1_distance")

# Real-valued vectors with a known law.
KNOWN_LAW = {
    **dict.fromkeys(_STATES, "A continuous space has no states to count."),
    "log_z_error": _NO_REWARD,
    "bits_per_dim": "The data are real-valued: there are no levels to count bits of.",
    "inception_score": _NO_CLASSES,
    "kernel_distance": _NO_IMAGES,
}

_NO_TRUTH = {"kl_to_truth": _NO_LAW, "log_z_error": _NO_REWARD}
_MODELESS = dict.fromkeys(("modes_captured", "high_quality", "reverse_kl"), _NO_MODES)

# Real-valued rows of a table.
TABLE = {**KNOWN_LAW, **_NO_TRUTH, **_MODELESS}

# Discrete rows that are no images: bits, characters, pitches.
DISCRETE = {
    **dict.fromkeys(_STATES, _MANY),
    **_NO_TRUTH,
    **_MODELESS,
    "bits_per_dim": _NOT_PIXELS,
    "inception_score": _NO_CLASSES,
    "kernel_distance": _NO_IMAGES,
}

# Discrete points of a known law, too many to be listed: with modes that are known, and without.
MANY_POINTS = {
    name: reason
    for name, reason in DISCRETE.items()
    if name not in _NO_TRUTH and name not in _MODELESS
}
MANY_SETS = {**MANY_POINTS, **_MODELESS}

# Images whose classes a classifier tells.
CLASSIFIED = {
    **dict.fromkeys(_STATES, _MANY),
    **_NO_TRUTH,
    "high_quality": "Every image is of some class: the classifier has no class for bad images.",
    "modes_captured": "Every image is of some class, noise too: a count alone says nothing.",
}

# Images without a classifier.
IMAGES = {**CLASSIFIED, **_MODELESS, "inception_score": _NO_CLASSES}


def too_few(rows: int, dim: int) -> dict[str, str]:
    """Returns what means nothing where there are fewer test rows than features.

    Args:
        rows: Number of test rows.
        dim: Number of features.
    """
    if rows > dim:
        return {}
    return {"frechet_distance": f"{rows} test rows cannot give a covariance of {dim} features."}


def too_wide(dim: int) -> dict[str, str]:
    """Returns what means nothing between images compared pixel by pixel.

    Args:
        dim: Number of pixels.
    """
    if dim <= _WIDEST:
        return {}
    return {"frechet_distance": f"A covariance of {dim:,} pixels asks for too many samples."}


def enumerable(states: int) -> dict[str, str]:
    """Returns what means nothing where all states can be listed.

    Args:
        states: How many there are.
    """
    few = f"Means nothing on {states} enumerable states"
    features = f"{few}: they have no features, and the distance to the exact law is known."
    balls = f"{few}: ties make every neighbour ball degenerate."
    diversity = f"{few}: the entropy of the law is known."
    copies = f"{few}: nearly every state is in the training rows."
    return {
        **dict.fromkeys(("frechet_distance", "kernel_distance", "sliced_wasserstein"), features),
        **dict.fromkeys(("precision", "recall", "density", "coverage"), balls),
        **dict.fromkeys(("vendi_score", "pairwise_diversity"), diversity),
        **dict.fromkeys(("nearest_neighbour_ratio", "authenticity", "ct_score"), copies),
        "bits_per_dim": _NOT_PIXELS,
        "inception_score": _NO_CLASSES,
    }
