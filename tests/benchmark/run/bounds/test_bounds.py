"""Bounds of finished cells: whose likelihood they are of, where they stand, what has none."""

import math

import pytest
import torch
from dgmbench.baselines.adversarial.gan import GAN
from dgmbench.baselines.autoregressive.made import MADE
from dgmbench.baselines.latent.vae import VAE
from dgmbench.baselines.moment.gmmn import GMMN
from dgmbench.benchmark.cli import main as cli
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.run.bounds.added import add_bound
from dgmbench.benchmark.run.bounds.joint import annealed, joint_of

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


@pytest.mark.parametrize("cls", [GAN, GMMN])
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
    again = list(add_bound(root, steps=20, chains=4, rows=16, models=["vae"]))
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
    ],
)
def test_bad_input_is_one_sentence(monkeypatch, capsys, tmp_path, words, message):
    (tmp_path / "records").mkdir()
    assert message in call(monkeypatch, capsys, "probe", tmp_path, *words, code=2).err
    told = call(monkeypatch, capsys, "probe", tmp_path / "none", code=2).err
    assert "a folder with records" in told
