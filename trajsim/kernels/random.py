"""Random numbers: one stream for every trajectory, the same wherever and whenever it runs.

Philox4x64-10 (Salmon et al., SC 2011), with the seed as key and point and trajectory as counter,
gives the initial state of the trajectory's xoshiro256++ generator (Blackman & Vigna, ACM TOMS 47,
36, 2021).
"""

import math

import numpy as np

from trajsim.compiled.elementary import circle, log
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import float_of, load, number_of, read, store, write

LOW = np.uint64(0xFFFFFFFF)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
U11, U12, U17, U19, U23, U32, U41, U45 = (np.uint64(k) for k in (11, 12, 17, 19, 23, 32, 41, 45))
# With 52 random bits below, a number in [1, 2).
ONE_BITS = np.uint64(0x3FF0000000000000)


@compiled
def multiply_high(a, b):
    """Upper 64 bits of the 128-bit product of two uint64."""
    a_low, a_high, b_low, b_high = a & LOW, a >> U32, b & LOW, b >> U32
    middle = a_high * b_low + ((a_low * b_low) >> U32)
    carry = a_low * b_high + (middle & LOW)
    return a_high * b_high + (middle >> U32) + (carry >> U32)


@compiled
def philox_words(c0, c1, c2, c3, k0, k1):
    """Philox4x64-10 of a counter (four uint64) and a key (two): four uint64.

    Parameters
    ----------
    c0, c1, c2, c3 : counter
    k0, k1 : key
    """
    for _ in range(10):
        high_0, low_0 = multiply_high(MULTIPLIER_0, c0), MULTIPLIER_0 * c0
        high_1, low_1 = multiply_high(MULTIPLIER_1, c2), MULTIPLIER_1 * c2
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = k0 + WEYL_0, k1 + WEYL_1
    return c0, c1, c2, c3


def philox(counter, key):
    """Philox4x64-10 of a counter (4,) and a key (2,), all uint64; returns (4,) uint64."""
    return np.array(philox_words(*counter, *key), np.uint64)


@compiled
def streams(seed, point, first, count):
    """States (count, 4) uint64 of the streams of trajectories first ... first + count - 1.

    Parameters
    ----------
    seed, point : name the streams together with the number of the trajectory
    first, count : trajectories
    """
    states, zero = np.empty((count, 4), np.uint64), np.uint64(0)
    for k in range(count):
        # The key is the seed; the counter is point and trajectory.
        words = philox_words(
            np.uint64(point), np.uint64(first + k), zero, zero, np.uint64(seed), zero
        )
        for word in range(4):
            states[k, word] = words[word]
    return states


@compiled
def step(state):
    """Next 64 random bits of xoshiro256++ and the state that follows: a tuple of four uint64."""
    s0, s1, s2, s3 = state
    total = s0 + s3
    bits = ((total << U23) | (total >> U41)) + s0
    s2 ^= s0
    s3 ^= s1
    return bits, (s0 ^ s3, s1 ^ s2, s2 ^ (s1 << U17), (s3 << U45) | (s3 >> U19))


@compiled(inline=True)
def stream_at(memory, at, stride):
    """State of a stream: four words of a memory, `stride` apart from `at` on."""
    return (
        read(memory, at),
        read(memory, at + stride),
        read(memory, at + 2 * stride),
        read(memory, at + 3 * stride),
    )


@compiled(inline=True)
def keep_stream(memory, at, stride, state):
    """Write the state of a stream to where `stream_at` reads it.

    Parameters
    ----------
    memory, at, stride : as for `stream_at`
    state : tuple of four words
    """
    for word in range(4):
        write(memory, at + word * stride, state[word])


@compiled(inline=True)
def draw_two(memory, at, stride):
    """Two vectors of 64 random bits from the streams of lanes side by side, which move on."""
    state = (
        load(memory, at),
        load(memory, at + stride),
        load(memory, at + 2 * stride),
        load(memory, at + 3 * stride),
    )
    first, state = step(state)
    second, state = step(state)
    for word in range(4):
        store(memory, at + word * stride, state[word])
    return first, second


@compiled(inline=True)
def unit(bits):
    """Numbers in [0, 1) from random bits, multiples of 2**-52."""
    return float_of((bits >> U12) | ONE_BITS) - 1.0


@compiled(inline=True)
def inside(bits):
    """Numbers in (0, 1) from random bits, those of `unit` plus 2**-53: their logarithms exist."""
    return float_of((bits >> U12) | ONE_BITS) - (1.0 - 2.0**-53)


@compiled
def next_bits(state):
    """Next 64 random bits of xoshiro256++; updates the state (4,) uint64."""
    bits, (state[0], state[1], state[2], state[3]) = step((state[0], state[1], state[2], state[3]))
    return bits


@compiled
def uniform(state):
    """Uniform number in [0, 1), a multiple of 2**-53."""
    return np.float64(next_bits(state) >> U11) * 2.0**-53


@compiled(inline=True)
def normal_pair(state, fine):
    """Two standard normal numbers and the state (tuple of four) that follows; of vectors too.

    Box & Muller, Ann. Math. Stat. 29, 610, 1958. `fine`: from 64 random bits, tails to 9.4 standard
    deviations; else both numbers from the halves of 64 bits, tails to 6.7.
    """
    bits, state = step(state)
    if fine:
        radius = math.sqrt(-2.0 * log((number_of(bits) + 0.5) * 2.0**-64))
        bits, state = step(state)
        cosine, sine = circle(float_of((bits >> U12) | ONE_BITS))
    else:
        radius = math.sqrt(-2.0 * log((number_of(bits >> U32) + 0.5) * 2.0**-32))
        cosine, sine = circle(number_of(bits & LOW) * 2.0**-32)
    return radius * cosine, radius * sine, state


@compiled
def normals(states, fine, out):
    """Standard normal numbers (n, m): column k from stream k of states (m, 4)."""
    for k in range(out.shape[1]):
        state = states[k, 0], states[k, 1], states[k, 2], states[k, 3]
        for i in range(0, out.shape[0], 2):
            first, second, state = normal_pair(state, fine)
            out[i, k] = first
            # With an odd number of rows the last one uses only the first of the pair.
            if i + 1 < out.shape[0]:
                out[i + 1, k] = second
        states[k, 0], states[k, 1], states[k, 2], states[k, 3] = state
