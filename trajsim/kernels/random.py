"""Random numbers: one stream for every trajectory, the same wherever and whenever it runs.

Philox4x64-10 (Salmon et al., SC 2011), keyed by the seed and counted by point and trajectory,
fills the state of a xoshiro256++ generator (Blackman & Vigna, ACM TOMS 47, 36, 2021), which
then serves the trajectory.
"""

import math

import numpy as np

from trajsim.elementary import circle, log
from trajsim.jit import compiled
from trajsim.simd import float_of

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
def philox(counter, key):
    """Philox4x64-10 of a counter (4,) and a key (2,), all uint64; returns (4,) uint64."""
    c0, c1, c2, c3 = counter[0], counter[1], counter[2], counter[3]
    k0, k1 = key[0], key[1]
    for _ in range(10):
        high_0, low_0 = multiply_high(MULTIPLIER_0, c0), MULTIPLIER_0 * c0
        high_1, low_1 = multiply_high(MULTIPLIER_1, c2), MULTIPLIER_1 * c2
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = k0 + WEYL_0, k1 + WEYL_1
    out = np.empty(4, np.uint64)
    out[0], out[1], out[2], out[3] = c0, c1, c2, c3
    return out


@compiled
def streams(seed, point, first, count):
    """States (count, 4) uint64 of the streams of trajectories first ... first + count - 1."""
    states = np.empty((count, 4), np.uint64)
    counter, key = np.zeros(4, np.uint64), np.zeros(2, np.uint64)
    key[0], counter[0] = np.uint64(seed), np.uint64(point)
    for k in range(count):
        counter[1] = np.uint64(first + k)
        states[k] = philox(counter, key)
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
def unit(bits):
    """Numbers in [0, 1) from random bits, multiples of 2**-52."""
    return float_of((bits >> U12) | ONE_BITS) - 1.0


@compiled(inline=True)
def inside(bits):
    """The middles of the same parts of [0, 1): their logarithms exist."""
    return float_of((bits >> U12) | ONE_BITS) - (1.0 - 2.0**-53)


@compiled
def next_bits(state):
    """Next 64 random bits of xoshiro256++; moves the state (4,) uint64 on."""
    bits, (state[0], state[1], state[2], state[3]) = step((state[0], state[1], state[2], state[3]))
    return bits


@compiled
def uniform(state):
    """Uniform number in [0, 1), a multiple of 2**-53."""
    return np.float64(next_bits(state) >> U11) * 2.0**-53


@compiled
def normals(states, fine, out):
    """Standard normal numbers (n, m): column k from stream k of states (m, 4)."""
    streams = states.T.copy()
    side_by_side(streams, fine, out, np.empty((2, out.shape[1]), np.uint64))
    states[:] = streams.T


@compiled(contract=True)
def side_by_side(streams, fine, out, spare):
    """As `normals`, for streams (4, m) that stand side by side; spare (2, m) uint64.

    Box & Muller, Ann. Math. Stat. 29, 610, 1958. `fine`: from 64 random bits, tails to 9.4 standard
    deviations; else both numbers of a pair from the halves of 64 bits, tails to 6.7.
    """
    m = out.shape[1]
    for i in range(0, out.shape[0], 2):
        other = min(i + 1, out.shape[0] - 1)
        _draw(streams, spare[0])
        if fine:
            _draw(streams, spare[1])
            for k in range(m):
                radius = math.sqrt(-2.0 * log((np.float64(spare[0, k]) + 0.5) * 2.0**-64))
                cosine, sine = circle(float_of((spare[1, k] >> U12) | ONE_BITS))
                # Of an odd number of rows the last stays with its cosine.
                out[other, k] = radius * sine
                out[i, k] = radius * cosine
        else:
            for k in range(m):
                bits = spare[0, k]
                radius = math.sqrt(-2.0 * log((np.float64(bits >> U32) + 0.5) * 2.0**-32))
                cosine, sine = circle(np.float64(bits & LOW) * 2.0**-32)
                out[other, k] = radius * sine
                out[i, k] = radius * cosine


@compiled
def _draw(streams, bits):
    """Next 64 bits (m,) of the streams (4, m)."""
    for k in range(len(bits)):
        state = streams[0, k], streams[1, k], streams[2, k], streams[3, k]
        bits[k], (streams[0, k], streams[1, k], streams[2, k], streams[3, k]) = step(state)
