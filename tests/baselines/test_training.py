"""The loop: phases, progress, averages, streams, and runs that go on to the bit."""

import pytest
import torch
from dgmbench.baselines.adversarial.gan import GAN
from dgmbench.baselines.averages import Average, Best
from dgmbench.baselines.checkpoints import Checkpoint
from dgmbench.baselines.energy.ebm import EBM
from dgmbench.baselines.flops import Flops
from dgmbench.baselines.flows.nsf import NSF
from dgmbench.baselines.latent.vae import VAE
from dgmbench.baselines.players import Phase, Player, constant, half_cosine, warm_up
from dgmbench.baselines.streams import Rows
from dgmbench.baselines.training import NeuralModel
from dgmbench.baselines.transport.flow_matching import FlowMatching
from dgmbench.benchmark.contract.model import Budget, seeded
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch import nn

CPU = torch.device("cpu")


def task(n=200, **rest):
    rows = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return TrainingTask(Domain((2,)), rows, rows[:50] + 0.1, **rest)


class Mean(NeuralModel):
    """Its one parameter descends the squared distance to the rows."""

    network = ""

    def __init__(self, lr=0.1, **options):
        super().__init__(Domain((2,)), lr)
        self.centre = nn.Parameter(torch.zeros(2))
        self.seen, self.options = [], options

    def loss(self, batch):
        self.seen.append(self.progress)
        return (batch - self.centre).square().mean()

    def players(self):
        return [Player("loss", [self.centre], self.loss, self.lr, **self.options)]

    def draw(self, n, sampler=None, steps=None):
        return self.centre.expand(n, 2)


def test_progress_runs_from_0_towards_1():
    model = Mean()
    model.fit(task(), Budget(10, 20))
    assert model.seen == pytest.approx([k / 10 for k in range(10)])


def test_phases_follow_each_other_with_players_of_their_own():
    class Two(Mean):
        def phases(self):
            other = [Player("second", [self.centre], self.second, self.lr)]
            return [Phase("one", 0.3, self.players), Phase("two", 0.7, lambda: other)]

        def second(self, batch):
            self.seen.append(("second", self.progress))
            return (batch + self.centre).square().mean()

    model = Two()
    model.fit(task(), Budget(10, 20))
    assert model.seen[:3] == pytest.approx([0, 1 / 3, 2 / 3])
    assert model.seen[3] == ("second", 0)
    assert len(model.seen) == 10
    assert {name for _, name, _ in model.curve} == {"loss", "second"}


def test_schedules():
    assert [half_cosine(p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert constant(0.7) == 1
    rise = warm_up(0.2)
    assert [rise(p) for p in (0, 0.1, 0.2, 1)] == pytest.approx([0, 0.5, 1, 0])


def test_gradients_of_several_batches_make_one_step():
    """Two half batches are one whole one: Adam sees the mean gradient."""
    rows = task().train[:40]
    whole, halves = Mean(), Mean(accumulate=2)
    whole.fit(TrainingTask(Domain((2,)), rows), Budget(1, 40))
    halves.fit(TrainingTask(Domain((2,)), rows), Budget(1, 20))
    torch.testing.assert_close(whole.centre, halves.centre)
    assert (whole.examples, halves.examples) == (40, 40)


def test_turns_and_players_count_as_examples():
    model = Mean(turns=3)
    model.fit(task(), Budget(5, 20))
    assert model.examples == 5 * 3 * 20
    gan = GAN(Domain((2,)), hidden=(8,), critic_hidden=(8,))
    gan.fit(task(), Budget(4, 16))
    assert gan.examples == 2 * 4 * 16


def test_weight_decay_shrinks():
    plain, decayed = Mean(lr=0.01), Mean(lr=0.01, weight_decay=10.0)
    for model in (plain, decayed):
        model.centre.data.fill_(5.0)
        model.fit(task(), Budget(5, 200))
    assert bool((decayed.centre.abs() < plain.centre.abs()).all())


def test_bfloat16_computes_the_loss_in_bfloat16():
    class Seen(NeuralModel):
        def __init__(self):
            super().__init__(Domain((2,)))
            self.net, self.dtypes = nn.Linear(2, 2), set()

        def loss(self, batch):
            y = self.net(batch)
            self.dtypes.add(y.dtype)
            return y.float().square().mean()

        def players(self):
            return [Player("loss", self.parameters(), self.loss, bf16=True)]

        def draw(self, n, sampler=None, steps=None):
            return torch.zeros(n, 2)

    model = Seen()
    model.fit(task(), Budget(2, 20))
    assert model.dtypes == {torch.bfloat16}
    assert model.net.weight.dtype == torch.float32


def test_an_average_has_its_half_life():
    module = nn.Linear(1, 1, bias=False)
    average = Average(module, half_life=10)
    average.steps = 10_000  # far from the start, which is forgotten faster
    before = float(average.means["weight"])
    module.weight.data.fill_(before + 1)
    for _ in range(10):
        average.update()
    assert float(average.means["weight"]) == pytest.approx(before + 0.5, abs=1e-3)


def test_losses_may_read_the_average():
    class Reads(Mean):
        half_life = 0.25

        def loss(self, batch):
            self.seen.append(self.average.means["centre"].clone())
            return super().loss(batch)

    model = Reads()
    model.fit(task(), Budget(20, 20))
    assert not torch.equal(model.seen[0], model.seen[-2])


def test_a_submodules_average_is_what_functional_call_takes():
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    average = Average(module, 10.0)
    with torch.no_grad():
        module[0].weight.add_(1)
    x = torch.randn(4, 2)
    ours = torch.func.functional_call(module[0], average.of("0"), (x,))
    with average.applied():
        expected = module[0](x)
    torch.testing.assert_close(ours, expected)


def test_validation_judges_the_average_and_keeps_it():
    """The parameter jumps about its best value, the average lies near it."""

    class Jumps(Mean):
        half_life, selects_on_val = 0.2, True

        def after_step(self):
            with torch.no_grad():
                self.centre.add_(3.0 * (-1) ** len(self.seen))

    with seeded(0):
        model = Jumps()
        model.fit(task(), Budget(100, 50))
    judged = min(loss for _, name, loss in model.curve if name == "val")
    ours = float((task().val - model.centre).square().mean())
    assert ours == pytest.approx(judged, rel=1e-4)
    assert judged < 2.5  # a jump alone costs 9


def test_best_is_judged_in_chunks_and_the_callers_state_stays():
    sizes = []

    def loss(x):
        sizes.append(len(x))
        return x.mean()

    module = nn.Linear(1, 1)
    val = torch.randn(3000, 1)
    state = torch.get_rng_state()
    found = Best(module, loss, val).update(Average(module, 0.0), CPU)
    assert sizes == [256] * 4
    assert found == pytest.approx(float(val[:1024].mean()), abs=1e-5)
    assert torch.equal(torch.get_rng_state(), state)


class TestStreams:
    def test_an_epoch_deals_every_row_once(self):
        rows = torch.arange(10)[:, None]
        stream = Rows(rows, 5, CPU)
        assert sorted(torch.cat([next(stream), next(stream)])[:, 0].tolist()) == list(range(10))

    def test_rows_keep_their_type_until_they_are_dealt(self):
        rows = torch.zeros(10, 3, dtype=torch.uint8)
        assert next(Rows(rows, 4, CPU)).dtype == torch.uint8

    def test_a_transform_sees_every_batch(self):
        batch = next(Rows(torch.ones(10, 1), 4, CPU, transform=lambda x: -x))
        assert torch.equal(batch, -torch.ones(4, 1))

    def test_contexts_come_along(self):
        rows = torch.arange(10)
        x, c = next(Rows(rows[:, None], 4, CPU, context=rows * 2))
        assert torch.equal(x[:, 0] * 2, c)

    def test_it_goes_on_from_where_it_stood(self):
        rows = torch.arange(100)[:, None]
        stream = Rows(rows, 7, CPU)
        for _ in range(3):
            next(stream)
        other = Rows(rows, 7, CPU)
        other.go_on(stream.state())
        assert torch.equal(next(stream), next(other))


MODELS = {
    "vae": lambda: VAE(Domain((2,)), latent=2, hidden=(8,)),
    "gan": lambda: GAN(Domain((2,)), hidden=(8,), critic_hidden=(8,)),
    "nsf": lambda: NSF(Domain((2,)), transforms=1, width=8),
    "flow-matching": lambda: FlowMatching(Domain((2,)), hidden=(8,)),
    "ebm": lambda: EBM(Domain((2,)), hidden=(8,), buffer=64),
}


class Cut(Exception):
    pass


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_is_cut_off_goes_on_to_the_bit(tmp_path, name):
    def trained(checkpoint=None, until=None):
        model = MODELS[name]()

        def after_step():
            model.made = getattr(model, "made", 0) + 1
            if until and model.made == until + 1:
                raise Cut

        model.after_step = after_step
        model.fit(task(), Budget(30, 20), checkpoint)
        return model

    with seeded(3):
        expected = trained()
    path = tmp_path / "run.safetensors"
    with seeded(3), pytest.raises(Cut):
        trained(Checkpoint(path, every=0.0), until=17)
    assert path.exists()
    with seeded(99):  # whatever the random state is then
        torch.manual_seed(3)
        found = trained(Checkpoint(path, every=1e9))
    for k, v in expected.state_dict().items():
        assert torch.equal(v, found.state_dict()[k]), k
    assert found.curve == expected.curve
    assert (found.examples, found.training_flops) == (expected.examples, expected.training_flops)
    assert found.training_flops > 0
    assert not path.exists()


def test_a_damaged_checkpoint_starts_anew(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"damaged")
    model = Mean()
    model.fit(task(), Budget(3, 20), Checkpoint(path))
    assert len(model.seen) == 3


def test_flops_are_those_of_the_products():
    with Flops() as counter:
        torch.ones(2, 3) @ torch.ones(3, 5)
    assert counter.total == 2 * 2 * 3 * 5
    with Flops() as counter:
        x = torch.ones(4, 3, requires_grad=True)
        torch.autograd.grad((x @ torch.ones(3, 1)).sum(), x)  # as samplers that follow gradients
    assert counter.total == 2 * 4 * 3 + 2 * 4 * 3


def test_counting_changes_no_number():
    def fitted(count):
        with seeded(0):
            model = VAE(Domain((2,)), latent=2, hidden=(8,))
            if not count:
                import dgmbench.baselines.training as training

                kept, training.Flops = training.Flops, lambda: None
            try:
                model.fit(task(), Budget(5, 20))
            finally:
                if not count:
                    training.Flops = kept
        return model.state_dict()

    for a, b in zip(fitted(True).values(), fitted(False).values(), strict=True):
        assert torch.equal(a, b)
