"""Bounds of finished cells: whose likelihood they are of, where they stand, what has none."""

import math
from functools import partial

import pytest
import torch
from dgmbench.baselines.adversarial.gan import GAN
from dgmbench.baselines.autoregressive.made import MADE
from dgmbench.baselines.diffusion.ddpm import DDPM
from dgmbench.baselines.diffusion.edm import EDM
from dgmbench.baselines.diffusion.masked import MaskedDiffusion
from dgmbench.baselines.flows.ffjord import FFJORD
from dgmbench.baselines.flows.nsf import NSF
from dgmbench.baselines.latent.ladder import LadderVAE
from dgmbench.baselines.latent.vae import VAE
from dgmbench.baselines.latent.vq_vae import VQVAE
from dgmbench.baselines.moment.gmmn import GMMN
from dgmbench.baselines.transport.flow_matching import FlowMatching
from dgmbench.benchmark.cli import main as cli
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.contract.task import Domain, Task
from dgmbench.benchmark.run.bounds.added import add_bound
from dgmbench.benchmark.run.bounds.joint import annealed, joint_of
from dgmbench.benchmark.run.bounds.ways import question

PLANE, BITS = Domain((2,)), Domain((6,), levels=2)


def rows(domain, n=40):
    g = torch.Generator().manual_seed(1)
    if domain.levels:
        return torch.randint(domain.levels, (n, *domain.shape), generator=g)
    return torch.randn(n, *domain.shape, generator=g)


def test_a_vae_is_itself_and_ais_is_tighter_than_its_elbo():
    with seeded(0):
        model = VAE(BITS, latent=2, hidden=(8,)).eval()
        x = rows(BITS, 20)
        joint = joint_of(model, None)
        found = annealed(joint, joint.seen(x), steps=60, chains=16)
        elbo = torch.stack([model.log_prob(x, draws=1) for _ in range(200)]).mean(0)
        tight = model.log_prob(x, draws=5000)
    assert joint.words == "" and joint.latent == 2
    assert float((found.value - tight).mean()) == pytest.approx(0, abs=0.05)
    assert float((found.value - elbo).mean()) > 0


@pytest.mark.parametrize("cls", [GAN, pytest.param(GMMN, marks=pytest.mark.slow)])
def test_a_generator_has_noise_that_val_chooses(cls):
    with seeded(0):
        model = cls(PLANE, latent=2, hidden=(8,)).eval()
        joint = joint_of(model, rows(PLANE))
        z = joint.sample_prior(3)
        x = joint.seen(rows(PLANE, 3))
        log_p = joint.log_conditional(x, z.expand(4, 3, 2))
        drawn = joint.simulate(joint.sample_prior(4000))
    assert "fitted on val" in joint.words
    assert log_p.shape == (4, 3) and drawn.shape == (4000, 2)
    scale = float(joint.words.split("scale ")[1].split(",")[0])
    at_mean = joint.log_conditional(joint.simulate(z), z[None])
    # A Gaussian of two coordinates is at most so high, in the data's own units.
    most = -2 * math.log(scale * math.sqrt(2 * math.pi)) + float(model.scaling.log_abs_det)
    assert (at_mean <= most + 0.1).all() and at_mean.max() > most - 6


def test_the_noise_of_a_generator_needs_validation_rows():
    with pytest.raises(ValueError, match="validation rows to fit the noise"):
        joint_of(GAN(PLANE, latent=2, hidden=(8,)), None)


def test_a_model_without_latents_has_no_joint_law():
    assert joint_of(MADE(PLANE, hidden=(8,)), rows(PLANE)) is None


def test_a_user_writes_a_joint_law_as_a_method():
    class Mine:
        def joint(self):
            return "what it returns"

    assert joint_of(Mine(), None) == "what it returns"


def task_of(domain, model):
    """A task whose test rows a model is asked about."""
    return Task(name="t", version=1, domain=domain, kind="k", val=rows(domain))


LEVELS = Domain((4,), levels=6)


@pytest.mark.parametrize(
    ("cls", "domain"),
    [
        (VAE, BITS),
        (LadderVAE, BITS),
        (VQVAE, BITS),
        (partial(DDPM, T=50), LEVELS),
        (partial(DDPM, T=50), PLANE),
        (MaskedDiffusion, LEVELS),
    ],
)
def test_parts_add_up_to_the_bound(cls, domain):
    with seeded(0):
        model = cls(domain).eval()
        x = rows(domain, 3)
        draws = 1 if cls in (VAE, LadderVAE) else None  # the ELBO itself
        asked, task = question("parts", None, draws=draws), task_of(domain, model)
        sums = torch.stack([asked.bound(model, task, x).log_prob for _ in range(20)])
        bounds = torch.stack([model.log_prob(x, draws=draws) for _ in range(20)]).double()
        found = asked.bound(model, task, x)
    error = (sums.var(0) + bounds.var(0)).div(20).sqrt()
    assert ((sums.mean(0) - bounds.mean(0)).abs() <= 5 * error + 1e-4).all()
    names = [part.rsplit(" ", 3)[0] for part in found.notes[0].split(": ")[1].split(", ")]
    assert len(names) >= 2 and len(set(names)) == len(names)


def test_the_steps_of_a_diffusion_are_told_apart():
    with seeded(0):
        model = DDPM(LEVELS, T=200).eval()
        parts = model.bound_parts(rows(LEVELS, 4), draws=200)
    assert list(parts) == ["prior", "t = 1", "2 to 2", "3 to 20", "21 to 200"]
    assert all(part.shape == (4,) for part in parts.values())


@pytest.mark.parametrize("way", ["parts", "draws", "ode", "ais"])
def test_what_has_no_such_number_says_so(way):
    task = task_of(BITS, None)
    asked = question(way, None)
    for cls in (DDPM, MADE):
        assert asked.bound(cls(BITS).eval(), task, rows(BITS, 4)) is None
    assert asked.needs


def test_draws_of_the_noise_tell_the_gap_of_dequantisation():
    with seeded(0):
        model = NSF(LEVELS, transforms=1).eval()
        x = rows(LEVELS, 6)
        found = question("draws", None, draws=4000).bound(model, task_of(LEVELS, model), x)
        tight = model.log_prob(x, draws=8000)
        loose = torch.stack([model.log_prob(x, draws=1) for _ in range(500)]).mean(0)
    torch.testing.assert_close(found.log_prob.float(), tight, rtol=0, atol=0.02)
    gap = float(found.notes[0].split("gives ")[1].split(" ±")[0])
    assert gap == pytest.approx(float((tight - loose).mean()), abs=0.02)
    real = NSF(PLANE, transforms=1).eval()
    assert question("draws", None).bound(real, task_of(PLANE, real), rows(PLANE)) is None


@pytest.mark.parametrize(
    "cls", [FFJORD, *(pytest.param(c, marks=pytest.mark.slow) for c in (FlowMatching, EDM))]
)
def test_a_flow_is_integrated_at_two_tolerances(cls):
    with seeded(0):
        model = cls(PLANE, likelihood_steps=100).eval()
        model.scaling.fit(rows(PLANE))
        x = rows(PLANE, 5)
        found = question("ode", None, tolerance=1e-5).bound(model, task_of(PLANE, model), x)
        many = model.log_prob(x)
    torch.testing.assert_close(found.log_prob, many, rtol=0, atol=0.03)
    assert "at a tolerance 100 times looser it differs by" in found.notes[0]
    assert "evaluations, exact trace" in found.notes[0]


def call(monkeypatch, capsys, *words, code=0):
    monkeypatch.setattr("sys.argv", ["run_all.py", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    found = capsys.readouterr()
    assert left.value.code == code, found.err
    return found


@pytest.mark.slow
def test_the_command_adds_a_column_and_trains_nothing(monkeypatch, capsys, tmp_path):
    given = ["--suite", "canary", "--tasks", "ring-8", "--models", "vae,nsf", "--seeds", 1]
    call(monkeypatch, capsys, "run", *given, "--out", tmp_path)
    root = tmp_path / "canary"
    before = {r.cell: r.keys for r in read_records(root)}
    asked = ["probe", root, "--steps", 20, "--chains", 4, "--rows", 16]
    told = call(monkeypatch, capsys, *asked).out
    assert "ring-8 / vae / seed 0: NLL at most" in told
    assert "ring-8 / nsf / seed 0: it has neither a decoder" in told
    record = next(r for r in read_records(root) if r.model == "vae")
    assert {r.cell: r.keys for r in read_records(root)} == before
    own, new = (s for s in record.scores if s.metric == "nll")
    assert new.estimator == "AIS, 20 steps, 4 chains" and new.mark == "<=" and new.n == 16
    assert own.protocol != new.protocol and "16 test rows" in new.protocol
    assert "on data of its own the bounds from both sides are" in new.note
    assert "AIS, 20 steps, 4 chains" in (root / "leaderboard.md").read_text()
    annealing = question("ais", 16, steps=20, chains=4)
    again = list(add_bound(root, annealing, models=["vae"]))
    assert [s for s in again[0][0].scores if s.metric == "nll"] == [own, new]
    call(monkeypatch, capsys, *asked[:2], "--models", "nsf", code=1)
    wrong = call(monkeypatch, capsys, *asked[:2], "--models", "vea", code=2).err
    assert "did you mean vae" in wrong
    run_again = call(monkeypatch, capsys, "run", *given, "--out", tmp_path).out
    assert "2 done" in run_again


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "0"], "steps of at least 1, got 0"),
        (["--chains", "-3"], "chains of at least 1, got -3"),
        (["--rows", "1"], "rows of at least 2, got 1"),
        (["--workers", "0"], "workers of at least 1, got 0"),
        (["--likelihood", "aiz"], "did you mean ais"),
        (["--likelihood", "draws", "--draws", "7"], "an even number of draws, got 7"),
        (["--likelihood", "ode", "--tolerance", "0"], "between 1e-7 and 0.01, got 0"),
        (["--likelihood", "ode", "--chains", "3"], "Expected --chains with --likelihood ais"),
        (["--likelihood", "parts", "--draws", "0"], "draws of at least 1, got 0"),
    ],
)
def test_bad_input_is_one_sentence(monkeypatch, capsys, tmp_path, words, message):
    (tmp_path / "records").mkdir()
    assert message in call(monkeypatch, capsys, "probe", tmp_path, *words, code=2).err
    told = call(monkeypatch, capsys, "probe", tmp_path / "none", code=2).err
    assert "a folder with records" in told
