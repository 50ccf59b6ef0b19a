/* Normal numbers by the ziggurat of Marsaglia and Tsang. */
#include <math.h>
#include <stdint.h>

/* xoshiro256++ of Blackman and Vigna, seeded by splitmix64. */
static inline uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static void seed(uint64_t s[4], uint64_t x) {
    for (int k = 0; k < 4; k++) {
        uint64_t z = (x += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        s[k] = z ^ (z >> 31);
    }
}

static inline uint64_t next_bits(uint64_t s[4]) {
    uint64_t bits = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return bits;
}

static inline double uniform(uint64_t s[4]) { return ((next_bits(s) >> 11) + 0.5) * 0x1p-53; }

/* 256 layers of equal area under exp(-x^2/2): layer k reaches to WIDE[k], at height HIGH[k]. */
#define LAYERS 256
#define REACH 3.6541528853610088
#define AREA 0.00492867323399
static double WIDE[LAYERS + 1], HIGH[LAYERS + 1];

static void make_layers(void) {
    WIDE[0] = AREA / exp(-REACH * REACH / 2);
    WIDE[1] = REACH;
    HIGH[0] = 0;
    HIGH[1] = exp(-REACH * REACH / 2);
    for (int k = 2; k <= LAYERS; k++) {
        HIGH[k] = k == LAYERS ? 1 : HIGH[k - 1] + AREA / WIDE[k - 1];
        WIDE[k] = k == LAYERS ? 0 : sqrt(-2 * log(HIGH[k]));
    }
}

static inline double normal(uint64_t s[4]) {
    for (;;) {
        uint64_t bits = next_bits(s);
        int k = bits & (LAYERS - 1);
        /* In [-1, 1): a sign by a branch would be guessed wrong every other time. */
        double x = ((int64_t)bits >> 11) * 0x1p-52 * WIDE[k];
        if (fabs(x) < WIDE[k + 1]) return x;
        if (k == 0) {
            double beyond, height;
            do {
                beyond = -log(uniform(s)) / REACH;
                height = -log(uniform(s));
            } while (2 * height < beyond * beyond);
            return x < 0 ? -REACH - beyond : REACH + beyond;
        }
        if (HIGH[k] + uniform(s) * (HIGH[k + 1] - HIGH[k]) < exp(-x * x / 2)) return x;
    }
}
