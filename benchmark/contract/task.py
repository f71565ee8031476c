"""What is to be modelled: samples, an exact density, a reward, or several of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from .environment import Environment, listed_points

Layout = Literal["vector", "image", "bits", "sequence", "grid"]
SPLITS = ("train", "val", "test", "holdout")
# Domains of at most this many points are enumerated: exact laws, sums to one.
MOST_STATES = 2**16


@dataclass(frozen=True)
class Domain:
    """What one point is.

    Attributes:
        shape: Event shape: `(D,)` vector, `(C, H, W)` image, `(T,)` sequence.
        levels: None for real values; K for integers 0..K-1 (2 bits, 256 pixels, V tokens).
        ordered: Whether neighbouring levels are alike (pixels, counts) or mere names (tokens).
        layout: What coordinates are to each other, by which nets are chosen: "image" for shapes
            `(C, H, W)`, "vector" otherwise, unless "bits", "sequence" or "grid" is said.
        environment: How a point is built step by step, on tasks with a reward that say it. It
            also says which combinations of levels are points, where not all are.
    """

    shape: tuple[int, ...]
    levels: int | None = None
    ordered: bool = True
    layout: Layout | None = None
    environment: Environment | None = None

    def __post_init__(self) -> None:
        if self.layout is None:
            object.__setattr__(self, "layout", "image" if len(self.shape) == 3 else "vector")

    @property
    def dim(self) -> int:
        """Number of coordinates D of one point."""
        return math.prod(self.shape)

    @property
    def is_nominal(self) -> bool:
        """Whether levels are mere names, three or more: they have no order and no distances."""
        return not self.ordered and (self.levels or 0) > 2

    @property
    def is_image(self) -> bool:
        """Whether a point is laid out as `(C, H, W)`."""
        return len(self.shape) == 3

    @property
    def is_restricted(self) -> bool:
        """Whether only some combinations of levels are points: sets of a size, acyclic graphs."""
        return self.environment is not None and not self.environment.is_full

    @property
    def num_states(self) -> float:
        """Number of points of the domain; infinite where it is real-valued or above 1e304."""
        if self.environment is not None and self.is_restricted:
            return self.environment.num_points
        if self.levels is None or self.dim * math.log(self.levels) > 700:  # beyond float64
            return math.inf
        return float(self.levels) ** self.dim

    @property
    def is_enumerable(self) -> bool:
        """Whether the points are few enough (2^16) for sums over all of them."""
        return self.num_states <= MOST_STATES

    def states(self) -> Tensor:
        """Returns every point of a small discrete domain, in lexicographic order.

        Returns:
            int64, shape `(S, *shape)`.

        Raises:
            ValueError: The domain is real-valued or has more than 2^20 points.
        """
        if self.levels is None or self.num_states > 2**20:
            raise ValueError(f"Expected a domain of at most 2^20 points, got {self.num_states:g}.")
        if self.environment is not None and self.is_restricted:
            return listed_points(self.environment).reshape(-1, *self.shape)
        axes = [torch.arange(self.levels)] * self.dim
        return torch.cartesian_prod(*axes).reshape(-1, *self.shape)

    def index(self, x: Tensor) -> Tensor:
        """Returns the row of each point in `states()`: shape `(N, *shape)` to int64 `(N,)`.

        Combinations of levels that are no points have the row after the last, S.
        """
        if self.levels is None:
            raise ValueError("Expected a discrete domain, got a real-valued one.")
        code = self._code(x)
        if not self.is_restricted:
            return code
        known = self._code(self.states().to(x.device))
        row = torch.searchsorted(known, code).clamp(max=len(known) - 1)
        return row.where(known[row] == code, len(known))

    def _code(self, x: Tensor) -> Tensor:
        place = (self.levels or 0) ** torch.arange(self.dim - 1, -1, -1, device=x.device)
        return (x.flatten(1).long() * place).sum(1)

    @property
    def unrestricted(self) -> Domain:
        """The domain in which all combinations of levels are points."""
        return replace(self, environment=None)

    def on_grid(self, law: Tensor) -> Tensor:
        """Returns a law as it is kept, `(S,)` or longer, over all combinations of levels.

        Shape `(levels ** D,)`; the law itself where that is above 2^16 entries.
        """
        every = self.unrestricted
        if not (self.is_restricted and every.is_enumerable):
            return law
        full = law.new_zeros(int(every.num_states))
        full[every.index(self.states())] = law[: int(self.num_states)]
        return full

    def completed(self, law: Tensor) -> Tensor:
        """Returns a law over `states()`, `(S,)`, as laws are kept.

        Where not all combinations of levels are points, an entry S is added: the probability of
        what is no point, 1 - sum.
        """
        if not self.is_restricted:
            return law
        return torch.cat([law, (1 - law.sum(0, keepdim=True)).clamp(min=0)])

    def check(self, name: str, x: Tensor) -> Tensor:
        """Returns `x` if every row is a point of the domain.

        Args:
            name: What the rows are, for the message.
            x: Rows, shape `(N, *shape)`.

        Raises:
            ValueError: Wrong shape, NaN or infinity, a value that is not a whole number or is
                outside 0..levels-1.
        """
        if tuple(x.shape[1:]) != self.shape:
            want = ", ".join(map(str, self.shape))
            raise ValueError(f"Expected {name} of shape (N, {want}), got {tuple(x.shape)}.")
        if x.is_floating_point():
            bad = int((~x.flatten(1).isfinite()).any(1).sum())
            if bad:
                raise ValueError(
                    f"Expected finite {name}, got {bad} of {len(x)} rows with NaN or infinity."
                )
        if self.levels is not None and len(x):
            if x.is_floating_point() and bool((x != x.round()).any()):
                raise ValueError(
                    f"Expected whole numbers 0..{self.levels - 1} in {name}, got fractions."
                )
            low, high = x.min().item(), x.max().item()
            if low < 0 or high >= self.levels:
                raise ValueError(
                    f"Expected {name} within 0..{self.levels - 1}, got {low:g}..{high:g}."
                )
        return x


@dataclass(frozen=True)
class Modes:
    """The modes of a task, and to which of them a sample belongs.

    Attributes:
        count: Number K of modes.
        assign: Maps points in the task's domain, shape `(N, *shape)`, to int64 labels `(N,)`;
            -1 where a point is of no mode (not of high quality).
        over: "high-quality" or "all": which samples the reverse KL of the histogram counts.
    """

    count: int
    assign: Callable[[Tensor], Tensor]
    over: str = "high-quality"


@dataclass(frozen=True)
class Card:
    """Where a task comes from and what to know before using it.

    Attributes:
        summary: One sentence: what a point is.
        source: Where the data or the definition comes from.
        licence: Licence of the data, as far as known.
        citation: Paper or data set to cite.
        pitfalls: What goes wrong when numbers of this task are compared carelessly.
    """

    summary: str
    source: str = "defined by formula"
    licence: str = "none needed"
    citation: str = ""
    pitfalls: str = ""


@dataclass(frozen=True)
class TrainingTask:
    """What a model may see: never test, draw, log_density or log_z.

    Attributes:
        domain: What one point is.
        train: Training rows, shape `(N, *shape)`, or None on a task that has only a reward.
        val: Validation rows, for choices; None likewise.
        log_reward: log R(x) in nats, `(B, *shape)` to `(B,)`, on reward tasks.
        context: On conditional tasks what each row of "train" and "val" is conditioned on, shape
            `(N, *context)`; else empty.
        log_partial_reward: On reward tasks with an environment what its states on the way are
            worth, in nats, `(N, W)` to `(N,)`, where that is known; see `Task`.
    """

    domain: Domain
    train: Tensor | None = None
    val: Tensor | None = None
    log_reward: Callable[[Tensor], Tensor] | None = None
    context: Mapping[str, Tensor] = field(default_factory=dict)
    log_partial_reward: Callable[[Tensor], Tensor] | None = None

    def copied(self) -> TrainingTask:
        """Returns the same rows in memory of their own, which may be changed."""
        train, val = (None if x is None else x.clone() for x in (self.train, self.val))
        context = {split: c.clone() for split, c in self.context.items()}
        return replace(self, train=train, val=val, context=context)


@dataclass(frozen=True)
class Task:
    """What is to be modelled, with everything that judges need to know.

    Rows are float32 on real-valued domains and integers (int64 or uint8) on discrete ones. In
    uint8 2 * 0 - 1 is 255: a law turns rows into other numbers before it subtracts.

    Attributes:
        name: Kebab-case name.
        version: Raised whenever data, split or definition change.
        domain: What one point is.
        kind: Baselines' hyper-parameters are chosen once per kind ("plane", "image", "grid", ...).
        train: Training rows, shape `(N, *shape)`.
        val: Validation rows.
        test: Test rows: the reference of every distance, the points of every NLL.
        holdout: Held-out rows that nobody trains on; see `unseen`.
        draw: Exact sampler: n to `(n, *shape)`, from torch's current random state.
        log_density: Exact log p(x) in nats, `(B, *shape)` to `(B,)`.
        log_reward: log R(x) = log p(x) + log_z in nats.
        log_partial_reward: What states of the environment on the way are worth, in nats, `(N, W)`
            to `(N,)`: 0 at the source, log R(x) at states that can only stop, or at all states
            where all may stop.
        reward_points: Points at which log p(x) of a model is ranked against log R(x), shape
            `(N, *shape)`; the test rows where none are given.
        log_z: Exact log of the normaliser of the reward, in nats.
        entropy: Exact entropy of p in nats.
        modes: The modes, where they are known.
        feature_map: Name of the feature map under the distances ("identity", "digits-cnn", ...).
        primary: Name of the metric that chooses hyper-parameters on val.
        refuses: Metrics that mean nothing on this task, with the reason.
        card: Where it comes from.
        checksum: SHA-256 of the rows of all splits; empty before they are loaded.
        splits: Names of the splits that it has, known before rows are loaded.
        context: On conditional tasks what each row of a split is conditioned on, by the split's
            name, shape `(N, *context)`; empty elsewhere.
        conditional: Whether rows come with a context, known before rows are loaded.
    """

    name: str
    version: int
    domain: Domain
    kind: str
    train: Tensor | None = None
    val: Tensor | None = None
    test: Tensor | None = None
    holdout: Tensor | None = None
    draw: Callable[[int], Tensor] | None = None
    log_density: Callable[[Tensor], Tensor] | None = None
    log_reward: Callable[[Tensor], Tensor] | None = None
    log_partial_reward: Callable[[Tensor], Tensor] | None = None
    reward_points: Tensor | None = None
    log_z: float | None = None
    entropy: float | None = None
    modes: Modes | None = None
    feature_map: str = "identity"
    primary: str = "mmd"
    refuses: Mapping[str, str] = field(default_factory=dict)
    card: Card = field(default_factory=lambda: Card(summary=""))
    checksum: str = ""
    splits: frozenset[str] = frozenset()
    context: Mapping[str, Tensor] = field(default_factory=dict)
    conditional: bool = False

    def has(self, split: str) -> bool:
        """Whether the task has rows of that split, loaded or not."""
        return split in self.splits or getattr(self, split) is not None

    @property
    def unseen(self) -> Tensor | None:
        """Rows that nobody trains on, for the oracle of a task without a sampler.

        The held-out rows; on published splits that hold none out, the validation rows: models
        are chosen by them and not fitted on them.
        """
        return self.val if self.holdout is None else self.holdout

    def for_training(self) -> TrainingTask:
        """Returns what a model may see."""
        context = {k: c for k, c in self.context.items() if k in ("train", "val")}
        return TrainingTask(
            self.domain,
            self.train,
            self.val,
            self.log_reward,
            context,
            self.log_partial_reward,
        )
