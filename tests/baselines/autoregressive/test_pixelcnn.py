import pytest
import torch
from dgmbench.baselines.autoregressive.pixelcnn import PixelCNN
from dgmbench.baselines.nets.pixels import CausalPixels
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch.autograd.functional import jacobian


@pytest.mark.parametrize("layers", [0, 1, 4])
def test_a_pixel_sees_those_before_it_alone(layers):
    net = CausalPixels(1, 1, 8, layers).double()
    x = torch.randn(30, dtype=torch.float64)
    matrix = jacobian(lambda v: net(v.reshape(1, 1, 5, 6)).flatten(), x)
    assert torch.equal(matrix.triu(), torch.zeros(30, 30, dtype=torch.float64))


def test_no_pixel_before_is_out_of_sight():
    net = CausalPixels(1, 1, 16, 6).double()
    x = torch.randn(36, dtype=torch.float64)
    matrix = jacobian(lambda v: net(v.reshape(1, 1, 6, 6)).flatten(), x)
    assert (matrix[-1, :-1] != 0).all()
    assert (matrix[21, :21] != 0).all()  # in the middle: the rows above, to the right too


@pytest.mark.parametrize(("height", "width"), [(5, 6), (3, 1), (1, 7)])
def test_pixels_drawn_one_by_one_equal_a_whole_pass(height, width):
    net = CausalPixels(2, 3, 8, 5).double()
    x = torch.randn(4, 2, height, width, dtype=torch.float64)
    seen = []

    def choose(numbers, index):
        seen.append(numbers)
        return x.flatten(2)[:, :, index]

    net.draw(4, (height, width), choose)
    torch.testing.assert_close(torch.stack(seen, 2), net(x).flatten(2))


def test_channels_depend_on_those_before_within_a_pixel():
    model = PixelCNN(Domain((3, 4, 4)), channels=8, layers=2, components=2).double()
    x = torch.randn(48, dtype=torch.float64)
    matrix = jacobian(lambda v: model.theta(v.reshape(1, 3, 4, 4))[0].sum(1), x)
    place = torch.arange(48).reshape(3, 16).T.flatten()  # pixel by pixel, channels within
    matrix = matrix[place][:, place]
    assert torch.equal(matrix.triu(), torch.zeros(48, 48, dtype=torch.float64))
    assert matrix[4, 3] != 0 and matrix[5, 4] != 0


@pytest.mark.parametrize("levels", [2, 3])
def test_probabilities_sum_to_one_and_draws_follow_them(levels):
    domain = Domain((2, 1, 3), levels) if levels == 3 else Domain((1, 3, 3), levels)
    model = PixelCNN(domain, channels=8, layers=2)
    torch.nn.init.normal_(model.net.head.weight, std=0.5)
    states = domain.states()
    p = model.log_prob(states).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-4)
    drawn = model.sample(20_000).flatten(1)
    base = levels ** torch.arange(domain.dim - 1, -1, -1)
    counts = (drawn * base).sum(1).bincount(minlength=len(p)) / 20_000
    order = (states.flatten(1) * base).sum(1)
    assert (counts[order] - p).abs().sum() < 0.25
    assert (counts[order] - p).abs().max() < 5 * (p.max().item() / 20_000) ** 0.5


@pytest.mark.slow
def test_it_learns_stripes():
    """Rows are all ones or all zeros: 4 bits of entropy for 16 pixels."""
    domain = Domain((1, 4, 4), 2)
    rows = torch.randint(2, (3000, 1, 4, 1)).expand(-1, -1, -1, 4).contiguous()
    model = PixelCNN(domain, channels=16, layers=2)
    model.fit(TrainingTask(domain, rows[:2000], rows[2000:]), Budget(steps=200, batch_size=64))
    assert -model.log_prob(rows[2000:]).mean().item() / 0.6931 == pytest.approx(4, abs=0.3)
    drawn = model.sample(500)
    assert (drawn == drawn[..., :1]).all(dim=(1, 2, 3)).float().mean() > 0.9
