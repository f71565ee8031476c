"""The stage "probe": from a trained model to the tensors that it leaves behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from ...baselines.flops import Flops
from ..contract.evidence import Evidence
from ..contract.model import GenerativeModel, Likelihood
from ..contract.probe import Probe
from ..contract.task import Task
from ..contract.told import no_memory, told
from .cost import counted_rows, synchronise
from .scoring.subset import fixed_subset, judged
from .seeding import all_seeded, derived_seed
from .users.checks import check_range, checked_log_prob, checked_samples, plain

if TYPE_CHECKING:
    from .job import Job
    from .store import Store

# Numbers of one chunk of samples, at least so many rows; a chunk bounds the memory of a sampler.
CHUNK_NUMBERS, CHUNK_ROWS = 2**19, 256
LIKELIHOOD_ROWS = 1024
WARM_UP_ROWS = 32
Answered = TypeVar("Answered")
CLAIMS = (Likelihood.EXACT, Likelihood.LOWER_BOUND, Likelihood.ESTIMATE)


def probe(job: Job, question: Probe, model: GenerativeModel, task: Task, store: Store) -> None:
    """Asks a trained model and writes its evidence, with what the answer cost.

    Args:
        job: The job.
        question: The probe.
        model: The trained model.
        task: The task with its rows.
        store: Where the stages are.

    Raises:
        Diverged: A sample is NaN or infinite, or most lie far outside the data (`check_range`).
        ValueError: What the model drew is not of its domain. A likelihood that fails is told in
            its own place: the samples have their metrics without it.
    """
    with torch.no_grad():
        if question.kind == "samples":
            evidence, cost, reason = _samples(job, question, model, task)
        else:
            with _axis(job, "likelihood"):
                (evidence, reason), cost = likelihoods(question, model, task), {}
    claim = {
        "likelihood": claim_of(model, evidence, question).value,
        "paper": model.paper,
        "estimator": _estimator(model, question),
        "reason": reason,
    }
    keep(store, job.keys[question.name], evidence, claim, cost)


def keep(
    store: Store, key: str, evidence: Evidence, claim: dict[str, Any], cost: dict[str, Any]
) -> None:
    """Writes an answer.

    Args:
        store: Where.
        key: The probe's key.
        evidence: Its tensors.
        claim: What they claim: "likelihood", "paper", "estimator", "reason".
        cost: What they cost.
    """
    with store.writing("probe", key) as folder:
        evidence.save(folder / "evidence.safetensors")
        (folder / "cost.json").write_text(json.dumps(cost))
        (folder / "claim.json").write_text(json.dumps(claim))


def claim_of(model: GenerativeModel, evidence: Evidence, question: Probe) -> Likelihood:
    """Returns the model's claim; "none" where its `log_prob` turned out not to be implemented."""
    claims = model.likelihood in CLAIMS
    if question.kind == "likelihood" and claims and evidence.log_prob is None:
        return Likelihood.NONE
    return model.likelihood


def _estimator(model: GenerativeModel, question: Probe) -> str:
    return model.estimator(question.draws) if model.likelihood in CLAIMS else ""


@contextmanager
def _axis(job: Job, axis: Any) -> Iterator[None]:
    with all_seeded(derived_seed(job.seed, axis, job.task.name, job.model.target)):
        yield


def _samples(
    job: Job, question: Probe, model: GenerativeModel, task: Task
) -> tuple[Evidence, dict[str, Any], str]:
    n = job.samples(question)
    context = contexts(task, question, n)
    with _axis(job, "warm-up"):  # the first call pays for memory and kernels
        flops = _flops_per_sample(model, question, context, min(n, WARM_UP_ROWS))
    with _axis(job, "sampling"), counted_rows(model) as rows:
        synchronise(job.device)
        start = time.perf_counter()
        samples = draw(model, question, n, context, task)
        synchronise(job.device)
        seconds = time.perf_counter() - start
    cost = {
        "samples_per_second": n / seconds,
        "nfe": rows.total / n if rows.total else None,
        "nfe_reason": rows.reason,
        "flops_per_sample": flops,
    }
    own, reason = None, ""
    if model.likelihood is Likelihood.EXACT:
        with _axis(job, "likelihood"):
            own, reason = _tried(partial(log_probs, model, samples, context, None))
    weights, why = _weights(job, model, task, n)
    evidence = Evidence(
        samples=samples, context=context, log_prob_samples=own, log_weights=weights
    )
    return evidence, cost, reason or why


def _weights(job: Job, model: GenerativeModel, task: Task, n: int) -> tuple[Tensor | None, str]:
    """Log R(x) - log q of n draws; None without a reward, or where q is an exact p(x)."""
    reward, ask = task.log_reward, getattr(model, "proposals", None)
    if reward is None or ask is None or model.likelihood is Likelihood.EXACT:
        return None, ""
    with _axis(job, "weights"):
        found, why = _tried(partial(ask, n))
    if found is None:
        return None, why
    x, log_q = checked_samples(found[0], n, task.domain), plain(found[1], "log_q")
    return reward(x).double() - log_q, why


def contexts(task: Task, question: Probe, n: int) -> Tensor | None:
    """Returns the contexts of the reference rows, for n samples to be conditioned on alike."""
    given = task.context.get(question.split)
    if given is None:
        return None
    return given[fixed_subset(len(given), n)]


def draw(
    model: GenerativeModel, question: Probe, n: int, context: Tensor | None, task: Task
) -> Tensor:
    """Returns n checked samples on the CPU, drawn in chunks that bound the memory.

    Raises:
        Diverged: A sample is NaN or infinite, or most lie far outside the data (`check_range`).
        ValueError: Not n samples, or not of the domain.
    """
    rows = n  # a control shows rows without replacement, which chunks would repeat
    if getattr(model, "learns_from", "samples") != "task":
        rows = max(CHUNK_ROWS, CHUNK_NUMBERS // task.domain.dim)
    parts = []
    for first in range(0, n, rows):
        size = min(rows, n - first)
        given = {"sampler": question.sampler, "steps": question.steps}
        if context is not None:
            given["context"] = context[first : first + size]  # type: ignore[assignment]
        drawn = model.sample(size, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
        parts.append(checked_samples(drawn, size, task.domain))
    samples = torch.cat(parts)
    if task.domain.levels is None and task.train is not None:
        check_range(samples, task.train)
    return samples


def _flops_per_sample(
    model: GenerativeModel, question: Probe, context: Tensor | None, n: int
) -> float | None:
    """Floating-point operations of one sample, as torch counts them; None where it cannot."""
    given: dict[str, Any] = {"sampler": question.sampler, "steps": question.steps}
    given["context"] = None if context is None else context[:n]
    given = {k: v for k, v in given.items() if v is not None}
    with Flops() as counter:
        model.sample(n, **given)
    return counter.total / n or None


def likelihoods(question: Probe, model: GenerativeModel, task: Task) -> tuple[Evidence, str]:
    """Returns what a model says of the test rows, of all states of a small domain, of log Z.

    Returns:
        The evidence, and why something of it is missing; empty where the model does not offer it.
    """
    log_prob = law = None
    reasons = ["", "", "", ""]
    if model.likelihood in CLAIMS and task.test is not None:
        context = task.context.get("test")
        context = None if context is None else judged(context, question)
        rows = judged(task.test, question)
        log_prob, reasons[0] = _tried(partial(log_probs, model, rows, context, question.draws))
    if model.likelihood is Likelihood.EXACT and task.domain.is_enumerable and not task.conditional:
        law, reasons[1] = _tried(partial(log_probs, model, task.domain.states(), None, None))
    log_z, why = _tried(model.log_z)
    points, reasons[2] = _points(question, model, task)
    weights, reasons[3] = _weights_test(question, model, task)
    evidence = Evidence(
        log_prob_points=points,
        log_weights_test=weights,
        log_prob=log_prob,
        law=None if law is None else task.domain.completed(law.exp()),
        log_z=None if log_z is None else torch.tensor(float(log_z)),
    )
    return evidence, next(filter(None, (*reasons, why)), "")


def _points(question: Probe, model: GenerativeModel, task: Task) -> tuple[Tensor | None, str]:
    """What a model says of the points at which it is ranked against the reward."""
    if task.reward_points is None or model.likelihood not in CLAIMS:
        return None, ""
    return _tried(partial(log_probs, model, task.reward_points, None, question.draws))


def _weights_test(
    question: Probe, model: GenerativeModel, task: Task
) -> tuple[Tensor | None, str]:
    """Log R(x) - log q of test rows; None without a reward, or where q is an exact p(x)."""
    reward, ask = task.log_reward, getattr(model, "log_proposal", None)
    if reward is None or ask is None or task.test is None or model.likelihood is Likelihood.EXACT:
        return None, ""
    x = judged(task.test, question)
    log_q, why = _tried(lambda: plain(ask(x.to(model.device)), "log_proposal"))
    return None if log_q is None else reward(x).double() - log_q, why


def _tried(ask: Callable[[], Answered]) -> tuple[Answered | None, str]:
    """What a model answers, or None and why; what it says it does not offer is no failure."""
    try:
        return ask(), ""
    except Exception as error:
        # With words of its own it may be torch's, for an operator that a device lacks.
        if isinstance(error, NotImplementedError) and not str(error):
            return None, ""
        if no_memory(error):
            raise
        return None, told(error)


def log_probs(
    model: GenerativeModel, x: Tensor, context: Tensor | None, draws: int | None
) -> Tensor:
    """Returns float64 log-probabilities on the CPU, shape `(B,)`, in chunks.

    Raises:
        ValueError: See `checked_log_prob`.
    """
    parts = []
    for first in range(0, len(x), LIKELIHOOD_ROWS):
        part = slice(first, first + LIKELIHOOD_ROWS)
        given: dict[str, Any] = {} if draws is None else {"draws": draws}
        if context is not None:
            given["context"] = context[part].to(model.device)
        # A copy: what a model does to its rows must not reach those of the task.
        rows = x[part].clone().to(model.device)
        rows = rows.long() if model.domain.levels is not None else rows
        parts.append(plain(model.log_prob(rows, **given), "log_prob"))
    return checked_log_prob(torch.cat(parts), len(x))
