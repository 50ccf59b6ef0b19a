/* Random numbers of the plain programs, one stream at a time. */
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

/* In [0, 1). */
static inline double uniform(uint64_t s[4]) { return (next_bits(s) >> 11) * 0x1p-53; }
