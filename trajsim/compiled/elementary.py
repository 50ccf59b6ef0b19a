"""Elementary functions in plain arithmetic, so that loops over many trajectories vectorise.

A call of the C library keeps such a loop scalar, up to ten times slower. There are no branches and
no tables here: each function is some thirty additions and multiplications of numbers side by side.
The polynomials were fitted at Chebyshev nodes with relative errors below 1e-17.
"""

import numpy as np

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import bits_of, float_of, where

U1, U52, U63 = (np.uint64(k) for k in (1, 52, 63))
# Added to a number, it leaves the nearest integer in the last bits.
ROUND = 1.5 * 2.0**52
# log 2 in two parts, of which the first has so few digits that its multiples are exact.
LN2, LN2_REST = 0.6931471803691238, 1.9082149292705877e-10
ROOT_HALF_BITS = np.uint64(0x3FE6A09E667F3BCD)
BIAS = np.uint64(1024)
# 2**52, and the same with an integer in its last bits.
COUNT, COUNT_BITS = 2.0**52, np.uint64(0x4330000000000000)


@compiled(contract=True)
def log(x):
    """log x of a normal number x > 0, to 1 unit in the last place."""
    bits = bits_of(x)
    # x = 2**power (1 + t) with 1 + t between the roots of 1/2 and 2.
    power = (bits - ROOT_HALF_BITS + (BIAS << U52)) >> U52
    t = float_of(bits - ((power - BIAS) << U52)) - 1.0
    k = float_of(COUNT_BITS | power) - (COUNT + 1024.0)
    # log(1 + t) = log((1 + s) / (1 - s)) = 2 s + s^3 (2/3 + 2/5 s^2 + ...)
    s = t / (2.0 + t)
    z = s * s
    p = 0.14616449685043406
    p = p * z + 0.15331721600556042
    p = p * z + 0.18182889125261723
    p = p * z + 0.2222221113479508
    p = p * z + 0.28571428625975487
    p = p * z + 0.39999999999899505
    p = p * z + 0.666666666666667
    half = 0.5 * t * t
    return k * LN2 - ((half - (s * (half + z * p) + k * LN2_REST)) - t)


@compiled(contract=True)
def exp(x):
    """exp x to 1 unit in the last place; 0 below -709.1 and infinite above 709.5."""
    x = min(max(x, -709.3), 709.7)
    rounded = x * 1.4426950408889634 + (ROUND + 1023.0)
    k = rounded - (ROUND + 1023.0)
    r = (x - k * LN2) - k * LN2_REST
    p = 2.5100375832561234e-08
    p = p * r + 2.7620075879983367e-07
    p = p * r + 2.7557268480310024e-06
    p = p * r + 2.4801521322368692e-05
    p = p * r + 0.00019841269863040545
    p = p * r + 0.0013888888917196719
    p = p * r + 0.008333333333330065
    p = p * r + 0.041666666666624164
    p = p * r + 0.16666666666666669
    p = p * r + 0.5
    # 2**k: the exponents -1023 and 1024 give 0 and infinity.
    return (1.0 + (r + r * r * p)) * float_of(bits_of(rounded) << U52)


@compiled(contract=True)
def circle(turns):
    """cos and sin of 2 pi turns, each to 2e-16, for |turns| below 2**49."""
    rounded = 4.0 * turns + ROUND
    r = turns - 0.25 * (rounded - ROUND)
    z = r * r
    c = -1.6990343940660637
    c = c * z + 7.903206911569678
    c = c * z - 26.426253275854723
    c = c * z + 60.24464135270201
    c = c * z - 85.4568172066438
    c = c * z + 64.93939402266824
    c = c * z - 19.739208802178716
    c = c * z + 1.0
    s = 3.7808689593022957
    s = s * z - 15.093804209987114
    s = s * z + 42.058685020160894
    s = s * z - 76.70585970427454
    s = s * z + 81.60524927594804
    s = s * z - 41.341702240399634
    s = s * z + 6.283185307179586
    s = s * r
    quarter = bits_of(rounded)
    odd = (quarter & U1) != 0
    cosine, sine = where(odd, s, c), where(odd, c, s)
    # Quarters 1 and 2 turn the sign of the cosine, 2 and 3 that of the sine.
    cosine = float_of(bits_of(cosine) ^ (((quarter + U1) >> U1) << U63))
    return cosine, float_of(bits_of(sine) ^ ((quarter >> U1) << U63))


@compiled(contract=True)
def cosine(turns):
    """cos of 2 pi turns to 4e-16, for |turns| below 2**50; cheaper than `circle`."""
    rounded = 2.0 * turns + ROUND
    r = turns - 0.5 * (rounded - ROUND)
    z = r * r
    c = -0.03533453351022262
    c = c * z + 0.2818836870497314
    c = c * z - 1.7143830010384546
    c = c * z + 7.903536087724504
    c = c * z - 26.42625677724394
    c = c * z + 60.244641371802196
    c = c * z - 85.45681720669327
    c = c * z + 64.9393940226683
    c = c * z - 19.739208802178716
    c = c * z + 1.0
    return float_of(bits_of(c) ^ (bits_of(rounded) << U63))
