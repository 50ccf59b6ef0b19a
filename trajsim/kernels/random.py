"""Random numbers: one stream for every trajectory, the same wherever and whenever it runs.

Philox4x64-10 (Salmon et al., SC 2011), keyed by the seed and counted by point and trajectory,
fills the state of a xoshiro256++ generator (Blackman & Vigna, ACM TOMS 47, 36, 2021), which
then serves the trajectory.
"""

import math

import numpy as np

from trajsim.jit import compiled

LOW = np.uint64(0xFFFFFFFF)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
U11, U17, U19, U23, U32, U41, U45 = (np.uint64(k) for k in (11, 17, 19, 23, 32, 41, 45))


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
def next_bits(state):
    """Next 64 random bits of xoshiro256++; moves the state (4,) uint64 on."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    bits = ((total << U23) | (total >> U41)) + s0
    s2 ^= s0
    s3 ^= s1
    state[1], state[0] = s1 ^ s2, s0 ^ s3
    state[2], state[3] = s2 ^ (s1 << U17), (s3 << U45) | (s3 >> U19)
    return bits


@compiled
def uniform(state):
    """Uniform number in [0, 1), a multiple of 2**-53."""
    return np.float64(next_bits(state) >> U11) * 2.0**-53


@compiled
def normals(states, fine, out):
    """Standard normal numbers (n, m): column k from stream k of states (m, 4) (Box & Muller, 1958).

    `fine`: from 64 random bits, tails to 9.4 standard deviations; else both numbers of a pair
    from the halves of 64 bits, tails to 6.7.
    """
    for i in range(0, out.shape[0], 2):
        for k in range(out.shape[1]):
            bits = next_bits(states[k])
            if fine:
                radius = math.sqrt(-2.0 * math.log((np.float64(bits) + 0.5) * 2.0**-64))
                angle = 2.0 * math.pi * uniform(states[k])
            else:
                radius = math.sqrt(-2.0 * math.log((np.float64(bits >> U32) + 0.5) * 2.0**-32))
                angle = 2.0 * math.pi * np.float64(bits & LOW) * 2.0**-32
            out[i, k] = radius * math.cos(angle)
            if i + 1 < out.shape[0]:
                out[i + 1, k] = radius * math.sin(angle)
