"""The fifteen experiments of the sanity checks: what real and synthetic points are drawn from.

Räisä, van Breugel & van der Schaar, ICML 2025, arXiv:2505.22450, with the constants of the
authors' code. An experiment yields group, place, real and synthetic points; the places of a group
rise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Draws = Iterator[tuple[str, float, Array, Array]]  # group, place, real, synthetic

N = 1000
SHIFTS = {1: 6.0, 8: 3.0, 64: 1.0}  # largest difference of means, by dimension
WIDTHS = {1: 3.0, 8: 1.0, 64: 0.5}  # largest log10 of the ratio of deviations
NARROW = {1: 1 / 6, 8: 1 / 3, 64: 1.0}  # deviation of each of ten modes
SIZES = np.logspace(2, 4, 20).astype(int)


def mean_difference(g: np.random.Generator) -> Draws:
    """Normal laws whose means differ in every coordinate."""
    for d, most in SHIFTS.items():
        real = g.normal(size=(N, d))
        for shift in np.linspace(-most, most, 51):
            yield f"d = {d}", shift, real, g.normal(shift, size=(N, d))


def with_outlier(g: np.random.Generator) -> Draws:
    """The same with one outlier on either side."""
    for d, most in SHIFTS.items():
        real, outlier = g.normal(size=(N, d)), np.full((1, d), most)
        for shift in np.linspace(-most, most, 51):
            synthetic = g.normal(shift, size=(N, d))
            yield f"synthetic, d = {d}", shift, real, np.concatenate([synthetic, outlier])
            yield f"real, d = {d}", shift, np.concatenate([real, outlier]), synthetic


def with_pareto(g: np.random.Generator) -> Draws:
    """The same in one coordinate beside one of heavy tails that agrees."""
    heavy = 1.01
    real = np.stack([g.normal(size=N), g.pareto(heavy, N) + 1], axis=1)
    for shift in np.linspace(-6, 6, 51):
        yield "", shift, real, np.stack([g.normal(shift, size=N), g.pareto(heavy, N) + 1], axis=1)


def deviation_difference(g: np.random.Generator) -> Draws:
    """Normal laws of different width; the place is the log10 of the ratio."""
    for d, most in WIDTHS.items():
        real = g.normal(size=(N, d))
        for power in np.linspace(-most, most, 51):
            yield f"d = {d}", power, real, g.normal(scale=10**power, size=(N, d))


def _mixture(g: np.random.Generator, means: Array, scale: float, weights: Array) -> Array:
    which = g.choice(len(means), size=N, p=weights / weights.sum())
    return g.normal(means[which], scale)


def simultaneous_dropping(g: np.random.Generator) -> Draws:
    """Ten modes of which nine lose weight together."""
    for d, scale in NARROW.items():
        means = np.tile(np.linspace(0, 10, 10)[:, None], d)
        real = _mixture(g, means, scale, np.ones(10))
        for dropped in np.linspace(0, 1, 50):
            weights = np.array([1.0, *[1 - dropped] * 9])
            yield f"d = {d}", dropped, real, _mixture(g, means, scale, weights)


def sequential_dropping(g: np.random.Generator) -> Draws:
    """Ten modes of which one after the other goes."""
    for d, scale in NARROW.items():
        means = np.tile(np.linspace(0, 10, 10)[:, None], d)
        real = _mixture(g, means, scale, np.ones(10))
        for dropped in range(10):
            weights = (np.arange(10) < 10 - dropped).astype(float)
            yield f"d = {d}", dropped, real, _mixture(g, means, scale, weights)


# Of the authors' code: five real modes and five that are invented.
MODES = np.array(
    [
        [5.46794328, -4.08481523],
        [4.87211875, -13.64864684],
        [-16.39432073, 9.09802249],
        [-2.15447941, 12.46200019],
        [11.55784483, -4.96049923],
        [-24.60558474, 14.18020818],
        [16.84215967, -3.18710751],
        [-5.47807206, -6.77247129],
        [9.46726546, 1.05922347],
        [-5.40346201, -17.29490131],
    ]
)


def dropping_and_invention(g: np.random.Generator) -> Draws:
    """Of five modes one to five are there, then more than there should be."""
    real = _mixture(g, MODES[:5], 0.25, np.ones(5))
    for count in range(1, 11):
        yield "", count, real, _mixture(g, MODES[:count], 0.25, np.ones(count))


def one_against_two(g: np.random.Generator) -> Draws:
    """One wide normal law for two modes that move apart."""
    for d in SHIFTS:
        for apart in np.linspace(0, 5, 20):
            means = np.tile(np.array([[-apart / 2], [apart / 2]]), d)
            real = _mixture(g, means, 1.0, np.ones(2))
            yield f"d = {d}", apart, real, g.normal(scale=(1 + apart**2) ** 0.5, size=(N, d))


def _sphere(g: np.random.Generator, n: int, d: int) -> Array:
    points = g.normal(size=(n, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def sphere_surface(g: np.random.Generator) -> Draws:
    """Surfaces of spheres of different radius."""
    for d in (2, 16, 128):
        real = _sphere(g, N, d)
        for radius in np.linspace(0.1, 1.9, 51):
            yield f"d = {d}", radius, real, radius * _sphere(g, N, d)


def _overlapping(g: np.random.Generator, n: int, d: int) -> Array:
    """Points of a unit cube that shares a fifth of its volume with [0, 1]^d."""
    return g.uniform(size=(n, d)) + 1 - 0.2 ** (1 / d)


def cube_of_size(g: np.random.Generator) -> Draws:
    """Two cubes that share a fifth of their volume, by the number of points of both."""
    for d in SHIFTS:
        for n in SIZES:
            yield f"d = {d}", n, g.uniform(size=(n, d)), _overlapping(g, n, d)


def cube_of_samples(g: np.random.Generator) -> Draws:
    """The same by the number of synthetic points alone."""
    for d in SHIFTS:
        real = g.uniform(size=(N, d))
        for n in SIZES:
            yield f"d = {d}", n, real, _overlapping(g, n, d)


def _ball(g: np.random.Generator, n: int, d: int) -> Array:
    return _sphere(g, n, d) * g.uniform(size=(n, 1)) ** (1 / d)


def _torus(g: np.random.Generator, n: int) -> Array:
    """A ring of radius 1 whose section is a disc of radius 0.1."""
    angle, section = g.uniform(0, 2 * math.pi, n), 0.1 * _ball(g, n, 2)
    across = 1 + section[:, 0]
    return np.stack([across * np.cos(angle), across * np.sin(angle), section[:, 1]], axis=1)


def sphere_and_torus(g: np.random.Generator) -> Draws:
    """A ball inside a ring that it does not touch, by the number of synthetic points."""
    ball, torus = 0.8 * _ball(g, N, 3), _torus(g, N)
    for n in SIZES:
        yield "real ball", n, ball, _torus(g, n)
        yield "real torus", n, torus, 0.8 * _ball(g, n, 3)


def scaled_dimension(g: np.random.Generator) -> Draws:
    """Disjoint in one coordinate, with a second in other and other units."""
    for power in np.linspace(-3, 3, 20):
        scale = np.array([1.0, 10**power])
        shift = np.array([6.0, 0.0])
        yield "", power, g.normal(size=(N, 2)) * scale, (g.normal(size=(N, 2)) + shift) * scale


def one_disjoint_dimension(g: np.random.Generator) -> Draws:
    """Disjoint in one coordinate, with more and more that agree."""
    for more in np.logspace(0, 3, 20).astype(int):
        real, synthetic = g.normal(size=(2, N, more + 1))
        synthetic[:, 0] += 6
        yield "", more, real, synthetic


def discrete_and_continuous(g: np.random.Generator) -> Draws:
    """Whole numbers for real ones, by log10 of the width."""
    for power in np.linspace(0, 3, 20):
        whole, real = (
            np.round(10**power * g.normal(size=(N, 1))),
            10**power * g.normal(size=(N, 1)),
        )
        yield "real discrete", power, whole, 10**power * g.normal(size=(N, 1))
        yield "real continuous", power, real, np.round(10**power * g.normal(size=(N, 1)))
