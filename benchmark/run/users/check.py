"""The contract on tiny data of every kind of domain, before a run is spent on a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...contract.model import Budget, GenerativeModel, Likelihood
from ...contract.task import Domain, TrainingTask
from ...contract.told import told
from ...names import known
from ...suites.model_file import as_before
from ...suites.suite import ModelSpec
from ...tasks.rewards.environments import Grid, Places
from ..cost import PeakMemory
from ..processes.workers import Lost, cores, run_local
from ..seeding import all_seeded
from .checks import checked_log_prob, checked_samples
from .user_model import UserModel, build, users_refusal

DOMAINS: Mapping[str, Domain] = {
    "plane": Domain((2,)),
    "vector": Domain((8,)),
    "image": Domain((1, 8, 8), levels=17),
    "colour-image": Domain((3, 8, 8), levels=256),
    "bits": Domain((10,), levels=2, layout="bits", environment=Places(10)),
    "sequence": Domain((4,), levels=5, ordered=False, layout="sequence"),
    "grid": Domain((2,), levels=8, layout="grid", environment=Grid(2, 8)),
}
BUDGET = Budget(steps=20, batch_size=32)
TRAIN, VAL, DRAWN, ASKED = 256, 64, 64, 16
SEED = 0
MASS = 1e-3  # what a law over states may miss of 1,
AREA = 0.05  # and a density on the plane, which is integrated by sums over a grid;
BOUND = 0.1  # what a bound that draws may exceed it by
REACH, POINTS = 12.0, 301
GIB = 2**30
CLAIMED = (Likelihood.EXACT, Likelihood.LOWER_BOUND, Likelihood.ESTIMATE)


@dataclass(frozen=True)
class Finding:
    """What a check found on one domain.

    Attributes:
        domain: Name of the domain, a key of `DOMAINS`.
        kind: "ok", "not claimed", "advice" or "error".
        text: One sentence.
    """

    domain: str
    kind: Literal["ok", "not claimed", "advice", "error"]
    text: str

    def __str__(self) -> str:
        return f"{self.domain}: {self.kind}: {self.text}"


@dataclass(frozen=True)
class Checked:
    """The findings of a model on all domains.

    Attributes:
        findings: By domain.
    """

    findings: tuple[Finding, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        """Whether it holds the contract wherever it claims to, and somewhere at all."""
        kinds = [finding.kind for finding in self.findings]
        return "error" not in kinds and "ok" in kinds

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


@dataclass(frozen=True)
class Trial:
    """One model on one domain; what a process gets."""

    spec: ModelSpec
    domain: str

    def __call__(self) -> list[Finding]:
        """Runs the checks."""
        with self.spec.around():
            return check_on(self.spec.load(), self.domain, dict(self.spec.arguments))


def check_model(
    make: Callable[..., Any], domains: Iterable[str] | None = None, **arguments: Any
) -> Checked:
    """Runs the contract on tiny data of every kind of domain that a model claims.

    For a test suite: `assert check_model(MyModel).ok`. It runs in this process, on the CPU.

    Args:
        make: The class, or a function that makes a model.
        domains: Names of domains (`DOMAINS`); all by default.
        arguments: Keyword arguments of the model.

    Raises:
        ValueError: An unknown domain.
    """
    names = known("domain", domains, DOMAINS) if domains is not None else DOMAINS
    return Checked(tuple(f for name in names for f in check_on(make, name, arguments)))


def check_spec(
    spec: ModelSpec, domains: Iterable[str] | None, workers: int | None, timeout: float = 300.0
) -> Iterator[list[Finding]]:
    """Yields the findings of each domain, in a process of its own, as they are there.

    Args:
        spec: The model.
        domains: Names of domains; all by default.
        workers: Processes at a time; one per core by default.
        timeout: Seconds that a domain may take.

    Raises:
        ValueError: An unknown domain.
    """
    names = known("domain", domains, DOMAINS) if domains is not None else DOMAINS
    work = iter([Trial(spec, name) for name in names])
    for trial, result in run_local(
        _run, work, workers=workers or cores(), timeout=timeout, threads=1
    ):
        if isinstance(result, Lost):
            late = f"it took more than {timeout:g} seconds"
            why = late if result.status == "timed out" else result.reason
            yield [Finding(trial.domain, "error", f"{why}.")]
        else:
            yield result


def _run(trial: Trial) -> list[Finding]:
    return trial()


def check_on(
    make: Callable[..., Any], name: str, arguments: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Returns what a model does wrong on one domain, and how to mend it.

    Args:
        make: The class, or a function that makes a model.
        name: Name of the domain.
        arguments: Keyword arguments of the model.
    """
    reason = users_refusal(make, DOMAINS[name])
    if reason:
        return [Finding(name, "not claimed", reason)]
    check = _Check(make, name, dict(arguments or {}))
    start = time.perf_counter()
    with as_before(), check.told_changes():
        try:
            check.run()
        except Exception as error:
            hint = "" if hasattr(make, "supports") else _HOW_TO_REFUSE
            check.error(f"{check.doing} failed: {told(error, 300).rstrip('.')}.{hint}")
    if not any(finding.kind == "error" for finding in check.findings):
        check.found("ok", f"{check.claim} ({time.perf_counter() - start:.1f} s)")
    return check.findings


_HOW_TO_REFUSE = (
    " If it is not meant for such points, let a static method supports(domain) return the reason."
)


class _Check:
    """One model on one domain, step by step."""

    def __init__(self, make: Callable[..., Any], name: str, arguments: dict[str, Any]) -> None:
        self.make, self.name, self.arguments = make, name, arguments
        self.domain, self.findings = DOMAINS[name], list[Finding]()
        self.doing, self.claim = "its constructor", "samples"

    def found(self, kind: Literal["ok", "advice", "error"], text: str) -> None:
        finding = Finding(self.name, kind, text)
        if finding not in self.findings:  # it is trained twice
            self.findings.append(finding)

    def error(self, text: str) -> None:
        self.found("error", text)

    def advice(self, text: str) -> None:
        self.found("advice", text)

    def run(self) -> None:
        task = tiny_task(self.domain)
        model = self._trained(task)
        with torch.no_grad():
            drawn = self._samples(model)
            self._repeats(model, drawn)
            self._likelihood(model, drawn, task)
            self._restored(model, drawn)
        self._device(model)
        other = self._trained(task)
        with torch.no_grad():
            again = self._drawn(other, DRAWN)
        if not torch.equal(drawn, again):
            self.advice(
                "trained twice from one seed it draws other points: take all randomness from "
                "torch, NumPy or random, whose generators are seeded before."
            )

    def _trained(self, task: TrainingTask) -> GenerativeModel:
        self.doing = "its constructor"
        shown = task.copied()
        with all_seeded(SEED):
            model = build(self.make, self.domain, dict(self.arguments))
            self.doing = "fit"
            model.fit(shown, BUDGET)
        if shown.train is not None and not torch.equal(shown.train, task.train):  # type: ignore[arg-type]
            self.advice("fit changes the training rows that it is handed: work on a copy.")
        return model

    def _drawn(self, model: GenerativeModel, n: int) -> Tensor:
        with all_seeded(SEED + 1):
            return checked_samples(model.sample(n), n, self.domain).clone()

    def _samples(self, model: GenerativeModel) -> Tensor:
        self.doing = "sample"
        memory = PeakMemory("cpu")
        drawn = self._drawn(model, DRAWN)
        if (grown := memory.growth() or 0) > GIB:
            self.advice(
                f"{DRAWN} samples take {grown / GIB:.1f} GiB: draw them in chunks, for a suite "
                "asks for 2,048."
            )
        self._drawn(model, 1)  # one point is as good as many
        with all_seeded(SEED + 2):
            other = checked_samples(model.sample(DRAWN), DRAWN, self.domain)
        if torch.equal(drawn, other):
            self.error("sample draws the same points whatever the seed: draw at random.")
        return drawn

    def _repeats(self, model: GenerativeModel, drawn: Tensor) -> None:
        if not torch.equal(drawn, self._drawn(model, DRAWN)):
            self.advice(
                "sampled twice from one seed it draws other points: take all randomness from "
                "torch, NumPy or random, and change nothing in sample."
            )

    def _likelihood(self, model: GenerativeModel, drawn: Tensor, task: TrainingTask) -> None:
        claim = model.likelihood
        self.claim = "samples, no likelihood"
        if claim not in CLAIMED:
            return
        self.doing = "log_prob"
        rows = (drawn if task.val is None else task.val)[:ASKED]
        ask = partial(_log_prob, model)
        try:
            values = ask(rows)
        except NotImplementedError:
            return
        self.claim = f"samples, and a likelihood that is {_article(claim.value)}"
        if getattr(model, "likelihood", None) is Likelihood.ESTIMATE and not self._declares():
            self.advice(
                "it does not say what its log_prob is and counts as an estimate: set likelihood = "
                '"exact", "lower bound" or "estimate".'
            )
        if torch.equal(values, ask(rows, SEED + 4)):  # else it draws: rows differ anyhow
            apart = torch.cat([ask(rows[:1]), ask(rows[1:3])])
            if not torch.allclose(apart, values[:3], rtol=1e-3, atol=1e-2):
                self.error(
                    "log_prob of a row depends on the rows beside it: batch statistics must not "
                    "be taken in evaluation (for a module, call eval() at the end of fit)."
                )
        if claim is not Likelihood.ESTIMATE:
            self._mass(ask, claim)

    def _declares(self) -> bool:
        return getattr(self.make, "likelihood", None) is not None or (
            isinstance(self.make, type) and issubclass(self.make, GenerativeModel)
        )

    def _mass(self, ask: Callable[[Tensor], Tensor], claim: Likelihood) -> None:
        if self.domain.is_enumerable:
            mass, allowed = float(ask(self.domain.states()).exp().sum()), MASS
            how = f"sums to {mass:.4g} over all {self.domain.num_states:,.0f} points"
        elif self.name == "plane" and claim is Likelihood.EXACT:
            axis = torch.linspace(-REACH, REACH, POINTS)
            points = torch.cartesian_prod(axis, axis)
            mass = float(ask(points).exp().sum()) * (2 * REACH / (POINTS - 1)) ** 2
            allowed, how = AREA, f"integrates to {mass:.4g}"
        else:
            return
        if claim is Likelihood.EXACT and abs(mass - 1) > allowed:
            self.error(
                f'exp(log_prob) {how}, not to 1: the claim "exact" cannot be true (nats? all '
                "constants and Jacobians?)."
            )
        if claim is Likelihood.LOWER_BOUND and mass > 1 + BOUND:
            self.error(f"exp(log_prob) {how}: no lower bound holds more mass than 1.")

    def _restored(self, model: GenerativeModel, drawn: Tensor) -> None:
        self.doing = "state_dict"
        ask = getattr(model, "state_dict", None)
        state = ask() if callable(ask) else None
        if state is None:
            self.advice(
                "it has no state_dict and load_state_dict: a run that is cut off before its "
                "answers are there trains it again."
            )
            return
        self.doing = "load_state_dict"
        layout = getattr(model, "layout", lambda: None)()
        state = {k: v.detach().clone() for k, v in state.items()}
        with all_seeded(SEED):
            other = build(self.make, self.domain, dict(self.arguments))
        try:
            other.load_state_dict(state, *(() if layout is None else (layout,)))  # type: ignore[attr-defined]
            same = torch.equal(self._drawn(other, DRAWN), drawn)
        except Exception as error:
            if not isinstance(model, UserModel):
                raise
            self.advice(
                "a new object does not take its state back and is trained again where a run was "
                f"cut off: build its nets in the constructor ({told(error, 150)})."
            )
            return
        if not same:
            self.error(
                "restored from its state_dict it draws other points: what sampling reads must be "
                "in it (register_buffer for constants of the data)."
            )

    def _device(self, model: GenerativeModel) -> None:
        inner = getattr(model, "inner", model)
        nets = isinstance(inner, nn.Module) or any(
            isinstance(value, nn.Module) for value in getattr(inner, "__dict__", {}).values()
        )
        if nets and not callable(getattr(inner, "to", None)):
            self.advice("it holds networks and has no to(device): it stays on the CPU.")

    @contextmanager
    def told_changes(self) -> Iterator[None]:
        """Tells what a model leaves changed in the process."""
        dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
        try:
            yield
        finally:
            if torch.get_default_dtype() is not dtype:
                self.advice("it changes torch's default dtype for the whole process.")
            if torch.is_grad_enabled() is not grad:
                self.advice("it changes whether gradients are on for the whole process.")


def _article(word: str) -> str:
    return word if word == "exact" else f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _log_prob(model: GenerativeModel, x: Tensor, seed: int = SEED + 3) -> Tensor:
    with all_seeded(seed):
        given = x.long() if model.domain.levels is not None else x.float()
        return checked_log_prob(model.log_prob(given.clone()), len(x))


def tiny_task(domain: Domain) -> TrainingTask:
    """Returns a few rows of a domain, from two clusters; the same every time."""
    generator = torch.Generator().manual_seed(SEED)
    n, D = TRAIN + VAL, domain.dim
    means = torch.randn(2, D, generator=generator)
    rows = means[torch.arange(n) % 2] + 0.5 * torch.randn(n, D, generator=generator)
    log_reward = partial(_log_reward, domain.levels)
    if domain.levels is not None:
        share = torch.sigmoid(rows)
        rows = (share * domain.levels).long().clamp(0, domain.levels - 1)
    rows = rows.reshape(n, *domain.shape)
    return TrainingTask(domain, rows[:TRAIN], rows[TRAIN:], log_reward)


def _log_reward(levels: int | None, x: Tensor) -> Tensor:
    """A reward with its peak in the middle of the levels, or at 0."""
    if levels is None:
        return -x.square().flatten(1).sum(1) / 2
    away = (x.float() - (levels - 1) / 2).abs().flatten(1)
    return -away.sum(1) / levels
