"""The random numbers are the published generators', and no two trajectories share any."""

import itertools

import numpy as np
import pytest
from networks import RANDOM, TRIANGLE, UP, sample, z_threshold
from scipy import stats

from trajsim.kernels.jump import Rows, advance, begin
from trajsim.kernels.random import next_bits, philox, streams, uniform
from trajsim.plan import Plan

WORD = (1 << 64) - 1


def philox_of_numpy(counter, key):
    # numpy counts on before the first output.
    before = (sum(int(c) << (64 * k) for k, c in enumerate(counter)) - 1) % (1 << 256)
    words = [(before >> (64 * k)) & WORD for k in range(4)]
    made = np.random.Philox(counter=np.array(words, np.uint64), key=np.array(key, np.uint64))
    return made.random_raw(4)


def xoshiro(state, count):
    """xoshiro256++ in integers of any length, as Blackman and Vigna print it."""

    def turned(x, k):
        return ((x << k) | (x >> (64 - k))) & WORD

    s, out = [int(x) for x in state], []
    for _ in range(count):
        out.append((turned((s[0] + s[3]) & WORD, 23) + s[0]) & WORD)
        t = (s[1] << 17) & WORD
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = turned(s[3], 45)
    return out


def test_philox_agrees_with_numpy():
    rng = np.random.default_rng(1)
    cases = rng.integers(0, WORD, (200, 6), np.uint64, endpoint=True)
    # Carries and edges: all zeros, all ones.
    cases[0], cases[1] = 0, WORD
    for case in cases:
        np.testing.assert_array_equal(
            philox(case[:4], case[4:]), philox_of_numpy(*np.split(case, [4]))
        )


def test_a_stream_begins_with_philox_of_seed_point_and_trajectory():
    # Small seeds first: the largest must be right after them, too.
    for seed, point, first in [(0, 0, 0), (2007, 3, 10**9), (WORD, 9999, 10**12), (7, 0, 0)]:
        found = begin(TRIANGLE.build(), UP, seed, point, first, 5).stream
        expected = [philox_of_numpy([point, first + k, 0, 0], [seed, 0]) for k in range(5)]
        np.testing.assert_array_equal(found, expected)


def test_xoshiro_gives_its_published_known_answers():
    state = np.array([1, 2, 3, 4], np.uint64)
    assert [int(next_bits(state)) for _ in range(10)] == [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]


def test_xoshiro_agrees_with_an_independent_program():
    for seed in range(5):
        state = np.random.default_rng(seed).integers(0, WORD, 4, np.uint64, endpoint=True)
        expected = xoshiro(state, 1000)
        assert [int(next_bits(state)) for _ in range(1000)] == expected


def test_uniform_numbers_lie_in_zero_to_below_one():
    # States whose next output is all ones, and all zeros.
    assert uniform(np.array([0, 5, 6, WORD], np.uint64)) == 1.0 - 2.0**-53
    assert uniform(np.array([0, 5, 6, 0], np.uint64)) == 0.0


def test_streams_of_trajectories_points_and_seeds_are_distinct():
    groups = [
        streams(s, p, f, 20000) for s, p, f in [(1, 0, 0), (1, 0, 20000), (1, 1, 0), (2, 0, 0)]
    ]
    states = np.concatenate(groups)
    assert len(np.unique(states, axis=0)) == len(states)
    # Not shifted copies of each other either: no word occurs twice (chance 4e-9 by accident).
    assert len(np.unique(states)) == states.size


def test_streams_do_not_depend_on_how_trajectories_are_blocked():
    whole = streams(7, 2, 0, 100)
    np.testing.assert_array_equal(
        np.concatenate([streams(7, 2, 0, 37), streams(7, 2, 37, 63)]), whole
    )


@pytest.mark.parametrize("along", ["one stream", "first of each stream"])
def test_draws_are_uniform(along):
    if along == "one stream":
        state = streams(11, 0, 0, 1)[0]
        draws = np.array([uniform(state) for _ in range(100_000)])
    else:
        draws = np.array([uniform(state) for state in streams(12, 0, 0, 100_000)])
    assert stats.kstest(draws, "uniform").pvalue > 1e-4
    lag = np.corrcoef(draws[:-1], draws[1:])[0, 1] * np.sqrt(len(draws) - 1)
    assert abs(lag) < z_threshold(1)


def test_trajectories_differ_and_do_not_depend_on_how_they_are_blocked():
    plan = Plan(periods=3, burn_in=0, rows_per_period=2, segments_per_row=1)
    whole = sample(TRIANGLE, plan, RANDOM, 5, 300)
    parts = [
        sample(TRIANGLE, plan, RANDOM, 5, 120),
        sample(TRIANGLE, plan, RANDOM, 5, 180, first=120),
    ]
    for name in whole._fields:
        pieces = [getattr(part, name) for part in parts]
        np.testing.assert_array_equal(np.concatenate(pieces), getattr(whole, name))
    other = sample(TRIANGLE, plan, RANDOM, 6, 300)
    heats = np.concatenate([whole.heat, other.heat]).reshape(600, -1)
    # Heat of a driven spin tells the very instants of its flips.
    assert len(np.unique(heats, axis=0)) == 600


def test_trajectories_do_not_depend_on_how_their_time_is_cut_into_calls():
    plan, made = Plan(periods=4, burn_in=2, rows_per_period=3, segments_per_row=1), TRIANGLE.build()
    whole = sample(TRIANGLE, plan, RANDOM, 8, 50)
    rows = Rows(*(np.zeros_like(column) for column in whole))
    replicas = begin(made, RANDOM, 8, 0, 0, 50)
    # Cuts within the burn-in, within a period, and none at all.
    for first, last in itertools.pairwise([0, 1, 5, 6, 6, 13, plan.segments]):
        advance(made, plan, replicas, rows, first, last)
    for name in whole._fields:
        np.testing.assert_array_equal(getattr(rows, name), getattr(whole, name))
