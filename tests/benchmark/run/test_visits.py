import torch
from dgmbench.benchmark.contract.task import Domain, Modes, Task, TrainingTask
from dgmbench.benchmark.run.visits import Visits, watched

MODES = Modes(3, lambda x: torch.where(x[:, 0] < 3, x[:, 0], -1))


def reward(x):
    return -x.float().sum(1)


def test_the_first_time_of_each_mode_is_kept():
    visits = Visits(reward, MODES)
    torch.testing.assert_close(visits(torch.tensor([[5], [1]])), torch.tensor([-5.0, -1.0]))
    visits(torch.tensor([[1], [7], [0]]))
    visits(torch.tensor([[9]]))
    assert visits.curve() == [
        (0, "modes found", 0.0),
        (2, "modes found", 1.0),
        (5, "modes found", 2.0),
        (6, "modes found", 2.0),
    ]
    again = Visits(reward, MODES)
    again.go_on(visits.state())
    again(torch.tensor([[2]]))
    assert again.curve()[-1] == (7, "modes found", 3.0)


def test_only_those_who_learn_from_a_reward_are_watched():
    domain = Domain((1,), levels=10)
    shown = TrainingTask(domain, log_reward=reward)
    task = Task(name="t", version=1, domain=domain, kind="grid", log_reward=reward, modes=MODES)
    seen, visits = watched(shown, task, "reward")
    assert seen.log_reward is visits and isinstance(visits, Visits)
    assert watched(shown, task, "samples") == (shown, None)
    assert watched(task, task, "task") == (task, None)


def test_gradients_pass_through():
    visits = Visits(lambda x: -x.square().sum(1), Modes(1, lambda x: torch.zeros(len(x)).long()))
    x = torch.ones(2, 2, requires_grad=True)
    visits(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full((2, 2), -2.0))
