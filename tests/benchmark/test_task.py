"""What a point is."""

import pytest
import torch
from dgmbench.benchmark.task import Domain


def test_states_and_index_are_inverse():
    for domain in (Domain((2,), levels=8), Domain((5,), levels=2), Domain((1, 2, 2), levels=3)):
        states = domain.states()
        assert len(states) == domain.num_states == len(states.unique(dim=0))
        assert torch.equal(domain.index(states), torch.arange(len(states)))


def test_real_domains_have_no_states():
    with pytest.raises(ValueError, match="got inf"):
        Domain((2,)).states()
    with pytest.raises(ValueError, match="discrete"):
        Domain((2,)).index(torch.zeros(1, 2))


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match=r"2\^20"):
        Domain((64,), levels=17).states()
