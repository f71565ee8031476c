"""What the columns of a table are called, which theme they belong to, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...benchmark.contract.record import Record, Score

FAMILIES = (
    "latent",
    "adversarial",
    "flow",
    "autoregressive",
    "diffusion",
    "transport",
    "energy",
    "moment",
    "gflownet",
    "sampler",
    "classical",
    "user",
    "control",
)

# Each theme is a table of its own, so that tables stay narrow.
_THEMES = {
    "distance": {
        "frechet_distance": "Fréchet distance",
        "frechet_distance_infinity": "Fréchet distance, n → ∞",
        "kernel_distance": "Kernel distance",
        "mmd": "MMD²",
        "energy_distance": "Energy distance",
        "sliced_wasserstein": "Sliced Wasserstein",
        "mind": "MIND",
        "wasserstein": "Wasserstein",
        "sinkhorn_divergence": "Sinkhorn divergence",
        "c2st": "C2ST",
        "cmmd": "CMMD",
        "mmd_test": "MMD test, p-value",
        "inception_score": "Inception score",
    },
    "fidelity & diversity": {
        "precision": "Precision",
        "recall": "Recall",
        "density": "Density",
        "coverage": "Coverage",
        "clipped_density": "Clipped density",
        "clipped_coverage": "Clipped coverage",
        "symmetric_precision": "Symmetric precision",
        "symmetric_recall": "Symmetric recall",
        "probabilistic_precision": "P-precision",
        "probabilistic_recall": "P-recall",
        "alpha_precision": "Alpha-precision",
        "beta_recall": "Beta-recall",
        "vendi_score": "Vendi score",
        "pairwise_diversity": "Pairwise diversity",
        "modes_captured": "Modes captured",
        "high_quality": "High quality",
        "reverse_kl": "Reverse KL of modes",
        "ndb": "Different bins (NDB)",
        "js": "JS divergence of bins",
    },
    "memorisation": {
        "nearest_neighbour_ratio": "Nearest-neighbour ratio",
        "authenticity": "Authenticity",
        "ct_score": "C_T",
        "feature_likelihood_divergence": "FLD",
    },
    "likelihood": {
        "nll": "NLL",
        "bits_per_dim": "Bits per dimension",
    },
    "known truth": {
        "kl_to_truth": "KL(truth ‖ model)",
        "reverse_kl_to_truth": "KL(model ‖ truth)",
        "total_variation": "Total variation",
        "l1_distance": "L1 distance",
        "jensen_shannon_divergence": "Jensen-Shannon divergence",
        "empirical_total_variation": "Empirical total variation",
        "empirical_l1_distance": "Empirical L1 distance",
        "fisher_divergence": "Fisher divergence",
        "log_z_error": "Error of log Z",
    },
    "reward": {
        "effective_sample_size": "Effective sample size",
        "elbo_gap": "log Z − ELBO",
        "eubo_gap": "EUBO − log Z",
        "importance_log_z_error": "Error of log Z by weights",
        "top_reward": "Best 100, log reward",
        "reward_correlation": "Rank correlation with reward",
    },
    "further metrics": {},
    "cost": {
        "parameters": "Parameters",
        "training_seconds": "Training time",
        "training_core_seconds": "Core time",
        "training_flops": "Training FLOPs",
        "training_examples": "Examples",
        "samples_per_second": "Samples per second",
        "nfe": "NFE",
        "flops_per_sample": "FLOPs per sample",
        "peak_memory": "Peak memory",
        "memory_growth": "Memory growth",
    },
}
THEMES = tuple(_THEMES)
_THEME_OF = {metric: theme for theme, labels in _THEMES.items() for metric in labels}
LABELS = {metric: label for labels in _THEMES.values() for metric, label in labels.items()}
_ORDER = {metric: place for place, metric in enumerate(LABELS)}
_COST_UNITS = {
    "training_seconds": "s",
    "training_core_seconds": "s",
    "peak_memory": "B",
    "memory_growth": "B",
}


def label(metric: str) -> str:
    """Returns what a reader calls a metric; an unknown one is named after its function."""
    return LABELS.get(metric) or metric.replace("_", " ").capitalize() or "(unnamed)"


def theme(metric: str) -> str:
    """Returns the theme of a metric; an unknown one is a further metric."""
    return _THEME_OF.get(metric, "further metrics")


def family_rank(family: str) -> int:
    """Returns the place of a family in a table; an unknown one stands before the controls."""
    order = [*FAMILIES[:-1], family, FAMILIES[-1]]
    return order.index(family)


@dataclass(frozen=True)
class Column:
    """Numbers that may be compared: one metric, one unit, one protocol.

    Attributes:
        metric: The metric's function name.
        unit: Unit of every number in the column.
        protocol: Protocol of every number in the column.
        direction: "lower" or "higher" is better; "" where neither is.
        words: Where a metric has several columns on a task, what sets this one apart: how the
            likelihood is computed, how the model was asked, or a letter; else "".
        estimator: How the likelihood is computed that it rests on; "" where it rests on none.
    """

    metric: str
    unit: str
    protocol: str
    direction: str = ""
    words: str = ""
    estimator: str = ""

    @property
    def plain(self) -> str:
        """What the metric is called."""
        return label(self.metric)

    @property
    def label(self) -> str:
        """The heading, without unit and arrow."""
        return f"{self.plain} [{self.words}]" if self.words else self.plain

    @property
    def theme(self) -> str:
        """The table that the column belongs to."""
        return theme(self.metric)

    @property
    def arrow(self) -> str:
        """Where better is: "↓", "↑" or nothing."""
        return {"lower": "↓", "higher": "↑"}.get(self.direction, "")

    @property
    def is_cost(self) -> bool:
        """Whether the column is a cost: printed with SI prefixes, never ranked."""
        return self.theme == "cost"

    @property
    def printed_unit(self) -> str:
        """Unit in the heading; costs carry theirs in the cell."""
        return "" if self.is_cost else self.unit

    @property
    def cost_unit(self) -> str:
        """Unit symbol behind a cost's SI prefix."""
        return _COST_UNITS.get(self.metric, "")

    def holds(self, score: Score) -> bool:
        """Whether a score's number belongs here."""
        return (score.metric, score.unit, score.protocol) == (
            self.metric,
            self.unit,
            self.protocol,
        )


def heading(column: Column, label: str = "") -> str:
    """Returns the heading on one line: label, unit, arrow.

    Args:
        column: The column.
        label: What to call it; its own label by default.
    """
    unit = f" ({column.printed_unit})" if column.printed_unit else ""
    return f"{label or column.label}{unit} {column.arrow}".strip()


def columns_of(records: Iterable[Record]) -> list[Column]:
    """Returns the columns with at least one number, themes in order.

    Answers in other steps or by other samplers are points of a curve and have no column.
    """
    directions: dict[tuple[str, str, str], str] = {}
    words: dict[tuple[str, str, str], str] = {}
    ways: dict[tuple[str, str, str], str] = {}
    scores = [(record, score) for record in records for score in record.scores]
    for record, score in scores:
        if score.value is not None and score.value == score.value and not is_point(record, score):
            key = (score.metric, score.unit, score.protocol)
            directions[key] = directions.get(key) or score.direction
            words.setdefault(key, score.estimator or score.probe.partition(": ")[2])
            ways.setdefault(key, score.estimator)
    keys = sorted(directions, key=_place)
    return [Column(*key, directions[key], _words(key, keys, words), ways[key]) for key in keys]


def is_point(record: Record, score: Score) -> bool:
    """Whether a score is a point of the curve of quality against function evaluations.

    Its probe names steps or a sampler: the samples are the model's at another price.
    """
    return is_curve(record.probes.get(score.probe, {}))


def is_curve(settings: Mapping[str, object]) -> bool:
    """Whether a probe with these settings is a point of a curve."""
    return bool(settings.get("steps") or settings.get("sampler"))


def order(column: Column) -> tuple[int, int, str, str, str]:
    """Sorts columns by theme, then as the theme lists its metrics."""
    return _place((column.metric, column.unit, column.protocol))


def _place(key: tuple[str, str, str]) -> tuple[int, int, str, str, str]:
    metric, unit, protocol = key
    place = _ORDER.get(metric, len(_ORDER))
    return THEMES.index(theme(metric)), place, metric, unit, protocol


def _words(
    key: tuple[str, str, str],
    keys: list[tuple[str, str, str]],
    words: Mapping[tuple[str, str, str], str],
) -> str:
    """What sets a column apart from the others of its metric; letters where words do not."""
    same = [other for other in keys if other[0] == key[0]]
    if len(same) == 1:
        return ""
    if len({words[other] for other in same}) == len(same):
        return words[key] or "default"
    place = same.index(key)
    return chr(ord("A") + place) if place < 26 else f"A{place}"
