"""Vectors do in every lane what numpy does, by each of the processors' ways to look things up."""

import math

import numpy as np
import pytest
from numba import njit

from trajsim.compiled.simd import (
    WIDTH,
    bare,
    bits_of,
    float_of,
    gather,
    highest,
    lanes_of,
    load,
    lowest,
    mask_of,
    number_of,
    one_of_2,
    one_of_4,
    one_of_8,
    read,
    spread,
    store,
    tables,
    where,
    write,
)

RNG = np.random.default_rng(1)
X, Y = RNG.normal(size=(2, WIDTH)) * 10.0 ** RNG.integers(-3, 4, (2, WIDTH))
Y[3] = X[3]
A, B = RNG.integers(0, 2**64, (2, WIDTH), np.uint64)
B[5] = A[5]
SHIFT = np.arange(WIDTH, dtype=np.uint64)


def applied(function, *arrays, dtype=np.float64):
    """What a function of vectors makes of arrays of WIDTH numbers."""

    @njit
    def run(given, out):
        if len(given) == 1:
            store(bare(out), 0, function(load(bare(given[0]), 0)))
        else:
            store(bare(out), 0, function(load(bare(given[0]), 0), load(bare(given[1]), 0)))

    out = np.empty(WIDTH, dtype)
    run(arrays, out)
    return out


FLOATS = {
    "add": (lambda x, y: x + y, np.add),
    "sub": (lambda x, y: x - y, np.subtract),
    "mul": (lambda x, y: x * y, np.multiply),
    "div": (lambda x, y: x / y, np.divide),
    "min": (lambda x, y: min(x, y), np.minimum),
    "max": (lambda x, y: max(x, y), np.maximum),
    "by a number": (lambda x, y: 2.0 * x - y / 3.0, lambda x, y: 2.0 * x - y / 3.0),
    "less": (lambda x, y: where(x < y, x, y), lambda x, y: np.where(x < y, x, y)),
    "at most": (lambda x, y: where(x <= y, 1.0, y), lambda x, y: np.where(x <= y, 1.0, y)),
    "greater": (lambda x, y: where(x > y, x, 0.0), lambda x, y: np.where(x > y, x, 0.0)),
    "at least": (lambda x, y: where(x >= y, 1.0, 0.0), lambda x, y: np.where(x >= y, 1.0, 0.0)),
    "between": (
        lambda x, y: where((x < y) & (x > 0.0), 1.0, 0.0),
        lambda x, y: np.where((x < y) & (x > 0), 1.0, 0.0),
    ),
}
WORDS = {
    "add": (lambda a, b: a + b, np.add),
    "sub": (lambda a, b: a - b, np.subtract),
    "mul": (lambda a, b: a * b, np.multiply),
    "and": (lambda a, b: a & b, np.bitwise_and),
    "or": (lambda a, b: a | b, np.bitwise_or),
    "xor": (lambda a, b: a ^ b, np.bitwise_xor),
    "equal": (lambda a, b: where(a == b, a, np.uint64(7)), lambda a, b: np.where(a == b, a, 7)),
    "unequal": (lambda a, b: where(a != b, a, b), lambda a, b: np.where(a != b, a, b)),
}


@pytest.mark.parametrize(("wide", "plain"), FLOATS.values(), ids=FLOATS)
def test_arithmetic_of_floats(wide, plain):
    # A product and a sum may be rounded once instead of twice.
    np.testing.assert_allclose(applied(njit(wide), X, Y), plain(X, Y), rtol=4e-16)


@pytest.mark.parametrize(("wide", "plain"), WORDS.values(), ids=WORDS)
def test_arithmetic_of_words(wide, plain):
    np.testing.assert_array_equal(applied(njit(wide), A, B, dtype=np.uint64), plain(A, B))


def test_shifts_differ_from_lane_to_lane():
    left = applied(njit(lambda a, n: a << n), A, SHIFT, dtype=np.uint64)
    right = applied(njit(lambda a, n: a >> n), A, SHIFT, dtype=np.uint64)
    np.testing.assert_array_equal(left, A << SHIFT)
    np.testing.assert_array_equal(right, A >> SHIFT)


def test_roots_signs_and_bits():
    root = applied(njit(lambda x: math.sqrt(max(x, -x))), X)
    np.testing.assert_array_equal(root, np.sqrt(np.abs(X)))
    np.testing.assert_array_equal(applied(njit(lambda x: -x), X), -X)
    bits = applied(njit(lambda x: bits_of(x)), X, dtype=np.uint64)
    np.testing.assert_array_equal(bits, X.view(np.uint64))
    np.testing.assert_array_equal(applied(njit(lambda b: float_of(b)), bits), X)
    np.testing.assert_array_equal(applied(njit(lambda a: number_of(a)), A), A.astype(float))
    np.testing.assert_array_equal(applied(njit(lambda x: spread(3.0)), X), np.full(WIDTH, 3.0))


def test_a_mask_is_bits_of_an_integer():
    @njit
    def lanes(x):
        return lanes_of(load(bare(x), 0) < 0.0)

    expected = sum(1 << k for k in range(WIDTH) if X[k] < 0)
    assert lanes(X) == expected
    there_and_back = applied(njit(lambda x: where(mask_of(lanes_of(x < 0.0)), 1.0, 0.0)), X)
    np.testing.assert_array_equal(there_and_back, X < 0)


@pytest.mark.parametrize("bits", [1, 6, 0b1011000, 1 << 63, 2**64 - 1])
def test_ends_of_the_bits_of_an_integer(bits):
    ends = njit(lambda b: (lowest(b), highest(b)))(np.uint64(bits))
    assert ends == ((bits & -bits).bit_length() - 1, bits.bit_length() - 1)


FEATURES = {"AVX-512": ("avx512f", "avx2"), "AVX2": ("avx2",), "neither": ()}


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(("choose", "size"), [(one_of_2, 2), (one_of_4, 4), (one_of_8, 8)])
def test_a_table_gives_the_number_at_the_index(monkeypatch, features, choose, size):
    if features == "AVX-512" and not supported("avx512f"):
        pytest.skip("this processor has no AVX-512")
    monkeypatch.setattr(tables, "_has", lambda _, feature: feature in FEATURES[features])

    @njit
    def look(table, index, out):
        store(bare(out), 0, choose(bare(table), 3, load(bare(index), 0)))

    table, index = RNG.normal(size=16), RNG.integers(0, size, WIDTH, np.uint64)
    out = np.empty(WIDTH)
    look(table, index, out)
    np.testing.assert_array_equal(out, table[3 + index.astype(int)])


def supported(feature):
    import llvmlite.binding

    return llvmlite.binding.get_host_cpu_features().get(feature, False)


def test_a_large_table_is_gathered_from():
    @njit
    def look(table, index, out):
        store(bare(out), 0, gather(bare(table), load(bare(index), 0)))

    table, index = RNG.normal(size=1000), RNG.integers(0, 1000, WIDTH, np.uint64)
    out = np.empty(WIDTH)
    look(table, index, out)
    np.testing.assert_array_equal(out, table[index.astype(int)])


def test_memory_is_read_and_written_number_by_number():
    @njit
    def double(numbers, small):
        for k in range(numbers.size):
            write(bare(numbers), k, 2.0 * read(bare(numbers), k))
            write(bare(small), k, read(bare(small), k) + 1)

    numbers, small = np.arange(6.0).reshape(2, 3), np.arange(6, dtype=np.int8)
    double(numbers, small)
    np.testing.assert_array_equal(numbers, 2.0 * np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(small, np.arange(1, 7))


def test_only_contiguous_arrays_are_memory():
    @njit
    def first(numbers):
        return read(bare(numbers), 0)

    assert first(np.arange(4.0)) == 0.0
    with pytest.raises(Exception, match="C-contiguous"):
        first(np.arange(8.0)[::2])
