"""How well a sampler follows a reward: weights, bounds on log Z, ranks, best points."""
