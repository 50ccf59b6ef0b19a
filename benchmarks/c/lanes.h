/* Vectors of N doubles or 64-bit integers, and the few things that GCC's vector arithmetic cannot
 * say: masks, table look-ups, square roots. AVX-512 where the compiler may use it, else AVX2.
 *
 * The polynomials were fitted at Chebyshev nodes to below the last digit of a double. */
#include <immintrin.h>
#include <stdint.h>

#ifdef __AVX512DQ__
#define N 8
#else
#define N 4
#endif

typedef double vd __attribute__((vector_size(8 * N)));
typedef int64_t vi __attribute__((vector_size(8 * N)));
typedef uint64_t vu __attribute__((vector_size(8 * N)));
#define ALL(x) ((vd){} + (x))

#if N == 8

typedef __mmask8 mask;
static inline mask less(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
static inline mask both(mask a, mask b) { return a & b; }
static inline mask but_not(mask a, mask b) { return a & ~b; }
static inline unsigned bits_of(mask m) { return m; }
static inline vd choose(mask m, vd a, vd b) { return _mm512_mask_mov_pd(b, m, a); }
static inline vu choose_int(mask m, vu a, vu b) { return (vu)choose(m, (vd)a, (vd)b); }
static inline mask odd_of(vu x) { return _mm512_test_epi64_mask((__m512i)x, (__m512i)((vu){} + 1)); }
static inline vd root(vd x) { return _mm512_sqrt_pd(x); }
static inline vd double_of(vu x) { return _mm512_cvtepu64_pd((__m512i)x); }
static inline vu rotl(vu x, int k) { return (x << k) | (x >> (64 - k)); }

/* Entry of a table of 8 or 16 numbers by the last 3 or 4 bits of i. */
static inline vd of_8(const double *table, vu i) {
    return _mm512_permutexvar_pd((__m512i)i, _mm512_loadu_pd(table));
}
static inline vd of_16(const double *table, vu i) {
    return _mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)i, _mm512_loadu_pd(table + 8));
}

#else

typedef vi mask;
static inline mask less(vd a, vd b) { return a < b; }
static inline mask both(mask a, mask b) { return a & b; }
static inline mask but_not(mask a, mask b) { return a & ~b; }
static inline unsigned bits_of(mask m) { return _mm256_movemask_pd((vd)m); }
static inline vd choose(mask m, vd a, vd b) { return _mm256_blendv_pd(b, a, (vd)m); }
static inline vu choose_int(mask m, vu a, vu b) { return (vu)choose(m, (vd)a, (vd)b); }
static inline mask odd_of(vu x) { return (vi)(x << 63) < 0; }
static inline vd root(vd x) { return _mm256_sqrt_pd(x); }
/* Both halves of the number go below the exponents of a double each. */
static inline vd double_of(vu x) {
    vd low = (vd)((x & 0xffffffffu) | 0x4330000000000000u);
    vd high = (vd)((x >> 32) | 0x4530000000000000u);
    return (high - (0x1p84 + 0x1p52)) + low;
}
static inline vu rotl(vu x, int k) { return (x << k) | (x >> (64 - k)); }

/* A double is looked up as two halves: AVX2 permutes only 32-bit numbers by a variable index. */
static inline vd of_4(const double *table, vu halves) {
    return (vd)_mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)table),
                                           (__m256i)halves);
}
static inline vu halves_of(vu i) {
    vu first = i + i;
    return (first & 0xffffffffu) | (first + 1) << 32;
}
static inline vd of_8(const double *table, vu i) {
    vu halves = halves_of(i);
    return _mm256_blendv_pd(of_4(table, halves), of_4(table + 4, halves), (vd)(i << 61));
}
static inline vd of_16(const double *table, vu i) {
    vu halves = halves_of(i);
    vd low = _mm256_blendv_pd(of_4(table, halves), of_4(table + 4, halves), (vd)(i << 61));
    vd high = _mm256_blendv_pd(of_4(table + 8, halves), of_4(table + 12, halves), (vd)(i << 61));
    return _mm256_blendv_pd(low, high, (vd)(i << 60));
}

#endif

/* A struct of arrays of xoshiro256++ (Blackman and Vigna), a stream in every lane. */
static inline vu next_bits(vu s[4]) {
    vu bits = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return bits;
}

/* Splitmix64, which seeds the streams. */
static inline uint64_t split(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [1, 2), a multiple of 2^-52. */
static inline vd one_to_two(vu bits) { return (vd)((bits >> 12) | 0x3ff0000000000000u); }

/* Tables that `make_tables` fills: reciprocals and logarithms of the middles of 16 equal parts of
 * [1, 2), and powers 2^(j/16). */
static double RECIPROCAL[16], LOGARITHM[16], POWER[16];

static void make_tables(void) {
    for (int j = 0; j < 16; j++) {
        RECIPROCAL[j] = 1 / (1 + (j + 0.5) / 16);
        LOGARITHM[j] = -__builtin_log(RECIPROCAL[j]);
        POWER[j] = __builtin_exp2(j / 16.0);
    }
}

/* log x of normal x > 0, to 3e-16 absolute (relative to 1, or to the result where that is more). */
static inline vd log_of(vd x) {
    vu bits = (vu)x, part = bits >> 48;
    vd m = (vd)((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    /* 2^52 and an integer in its last bits make a double of that integer. */
    vd k = (vd)((bits >> 52) | 0x4330000000000000u) - (0x1p52 + 1023);
    vd r = m * of_16(RECIPROCAL, part) - 1;
    vd p = ALL(0.111267132538358);
    p = p * r - 0.12517162087393108;
    p = p * r + 0.1428570664070614;
    p = p * r - 0.16666658257329414;
    p = p * r + 0.20000000000936313;
    p = p * r - 0.2500000000102992;
    p = p * r + 0.3333333333333333;
    p = p * r - 0.5;
    return (k * 0.6931471805599453 + of_16(LOGARITHM, part)) + (r + r * r * p);
}

/* exp x for |x| < 700, to some 1e-16 (1 + |x|). */
static inline vd exp_of(vd x) {
    vd rounded = x * (16 / 0.6931471805599453) + 0x1.8p52;
    vd r = x - (rounded - 0x1.8p52) * (0.6931471805599453 / 16);
    vd p = ALL(0.0013889034639665864);
    p = p * r + 0.008333449934107185;
    p = p * r + 0.04166666666495362;
    p = p * r + 0.16666666665296223;
    p = p * r + 0.5;
    vd q = of_16(POWER, (vu)rounded) * (r + r * r * p);
    vd value = of_16(POWER, (vu)rounded) + q;
    return (vd)((vu)value + (((vu)rounded << 48) & 0xfff0000000000000u));
}

/* cos of 2 pi turns, to 4e-16. */
static inline vd cosine(vd turns) {
    vd rounded = 2 * turns + 0x1.8p52;
    vd r = turns - 0.5 * (rounded - 0x1.8p52);
    vd z = r * r;
    vd c = ALL(-0.03533453351022262);
    c = c * z + 0.2818836870497314;
    c = c * z - 1.7143830010384546;
    c = c * z + 7.903536087724504;
    c = c * z - 26.42625677724394;
    c = c * z + 60.244641371802196;
    c = c * z - 85.45681720669327;
    c = c * z + 64.9393940226683;
    c = c * z - 19.739208802178716;
    c = c * z + 1.0;
    /* An odd number of half turns turns the sign. */
    return (vd)((vu)c ^ ((vu)rounded << 63));
}
