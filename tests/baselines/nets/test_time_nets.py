import pytest
import torch
from dgmbench.baselines.nets.time import TimeEmbedding, TimeMLP


def test_embedding_has_unit_norm_pairs_and_tells_near_times_apart():
    t = torch.linspace(0, 1, 101)
    code = TimeEmbedding(32)(t)
    sin, cos = code.chunk(2, dim=1)
    torch.testing.assert_close(sin**2 + cos**2, torch.ones(101, 16))
    assert torch.pdist(code).min() > 0.1


def test_embedding_refuses_an_odd_width():
    with pytest.raises(ValueError, match="even number"):
        TimeEmbedding(7)


def test_net_keeps_the_shape_and_reads_the_time_of_each_row():
    net = TimeMLP(12, (16, 16))
    x = torch.randn(5, 12)
    t = torch.tensor([0.1, 0.1, 0.5, 0.5, 0.9])
    out = net(x, t)
    assert out.shape == x.shape
    # Rows do not mix: each alone gives the same.
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(out, alone)
    assert not torch.allclose(out, net(x, 1 - t))
