/* Normal numbers by the ziggurat of Marsaglia and Tsang. */
#include <math.h>

#include "random.h"

/* In (0, 1): its logarithm exists. */
static inline double inside(uint64_t s[4]) { return ((next_bits(s) >> 11) + 0.5) * 0x1p-53; }

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
                beyond = -log(inside(s)) / REACH;
                height = -log(inside(s));
            } while (2 * height < beyond * beyond);
            return x < 0 ? -REACH - beyond : REACH + beyond;
        }
        if (HIGH[k] + inside(s) * (HIGH[k + 1] - HIGH[k]) < exp(-x * x / 2)) return x;
    }
}
