/* Two driven spins as fast as could be made: W trajectories side by side in vectors of N, see
 * lanes.h. Thinning as in spins_plain.c, with the same ledger, but
 *
 * - the spin is chosen first, from the bounds, so that a proposal costs one cosine and one
 *   exponential, and no division: mark < 2 a / (1 + e) is mark (1 + e) < 2 a;
 * - what depends on state and spin is looked up in tables of 8 numbers, in a register;
 * - a flip is booked by masked additions only: sums of s h and counts, from which the row is made;
 * - a wait that reaches beyond a row is not drawn anew: bounds are constant in time, so it goes on.
 *
 * State x: bit i is set when spin i is down. Times are parts of the period. */
#include "lanes.h"
#include <math.h>

/* A stage runs through all G vectors, so that the latencies of one hide behind the others. */
#define W 64
#define G (W / N)

typedef struct {
    double rate, coupling, period;
    double temperature[2], amplitude[2], phase[2];
} Pair;

typedef struct {
    double *heat, *work, *exclusive_work, *energy;
    int32_t *flips;
    int8_t *state;
} Ledger;

typedef struct {
    /* By state. */
    double total[8], wait[8], first[8], energy[8];
    /* By state + 4 spin: twice the rate without field, 2 / T, s h0, and what a flip counts:
     * flips of both spins, and of them those out of s_0 s_1 = 1, in 16 bits each. */
    double twice[8], coldness[8], height[8], count[8];
    double h_edge[2], turns[2];
} Tables;

static Tables tables_of(const Pair *p) {
    Tables t = {0};
    for (int i = 0; i < 2; i++) {
        t.turns[i] = p->phase[i] / (2 * M_PI);
        t.h_edge[i] = p->amplitude[i] * cos(p->phase[i]);
    }
    for (int x = 0; x < 4; x++) {
        int s[2] = {1 - 2 * (x & 1), 1 - (x & 2)};
        double bound[2];
        for (int i = 0; i < 2; i++) {
            double T = p->temperature[i], h0 = fabs(p->amplitude[i]);
            double a = p->period * p->rate * 2 / (1 + exp(2 * p->coupling * s[0] * s[1] / T));
            /* A few units in the last place above the greatest rate, against rounding. */
            bound[i] = a * 2 / (1 + exp(-2 * h0 / T)) * (1 + 1e-14);
            t.twice[x + 4 * i] = 2 * a;
            t.coldness[x + 4 * i] = 2 / T;
            t.height[x + 4 * i] = s[i] * p->amplitude[i];
            uint64_t count = (1ull << 16 * i) | ((uint64_t)(s[0] == s[1]) << (32 + 16 * i));
            __builtin_memcpy(&t.count[x + 4 * i], &count, 8);
        }
        t.total[x] = t.total[x + 4] = bound[0] + bound[1];
        t.wait[x] = t.wait[x + 4] = -1 / (bound[0] + bound[1]);
        t.first[x] = t.first[x + 4] = bound[0];
        t.energy[x] = -p->coupling * s[0] * s[1] - t.h_edge[0] * s[0] - t.h_edge[1] * s[1];
    }
    return t;
}

typedef union {
    vd v[G];
    vu u[G];
    double d[W];
    uint64_t i[W];
} Lanes;

typedef struct {
    Lanes stream[4];
    /* Time, mark and another random number, state, sums of s h at the flips of each spin, counts. */
    Lanes now, mark, draw, state, sum[2], count;
    int64_t who[W], period[W];
} Walkers;

static inline void write_row(const Pair *p, const Tables *t, Ledger a, Walkers *w, int k,
                             int64_t periods) {
    int64_t row = w->who[k] * periods + w->period[k], edge = row + w->who[k] + 1;
    int x = w->state.i[k];
    uint64_t count = w->count.i[k];
    for (int i = 0; i < 2; i++) {
        int s = 1 - 2 * (x >> i & 1);
        int flips = count >> 16 * i & 0xffff, level = count >> (32 + 16 * i) & 0xffff;
        double twice = 2 * w->sum[i].d[k];
        a.heat[2 * row + i] = 2 * p->coupling * (2 * level - flips) + twice;
        a.exclusive_work[2 * row + i] = -twice;
        /* An odd number of flips has turned the spin; s h has grown by 2 s h then. */
        a.work[2 * row + i] = -twice - 2 * (flips & 1) * s * t->h_edge[i];
        a.flips[2 * row + i] = flips;
        a.state[2 * edge + i] = s;
    }
    a.energy[edge] = t->energy[x];
}

/* Two random numbers in every lane of a vector: mark in [0, 1), draw in (0, 1). */
static inline void draw(Walkers *w, int g) {
    vu s[4] = {w->stream[0].u[g], w->stream[1].u[g], w->stream[2].u[g], w->stream[3].u[g]};
    w->mark.v[g] = one_to_two(next_bits(s)) - 1;
    /* Half a last digit added. */
    w->draw.v[g] = one_to_two(next_bits(s)) - (1 - 0x1p-53);
    for (int word = 0; word < 4; word++) w->stream[word].u[g] = s[word];
}

static inline void begin(const Tables *t, Walkers *w, int k, uint64_t key, int64_t who,
                         int64_t burn_in) {
    uint64_t x = key * 0x100000000u + who;
    for (int word = 0; word < 4; word++) w->stream[word].i[k] = split(&x);
    w->who[k] = who;
    w->period[k] = -burn_in;
    w->state.i[k] = 0;
    /* The first wait comes from splitmix too: the streams only move together. */
    w->now.d[k] = t->wait[0] * log(((split(&x) >> 11) + 0.5) * 0x1p-53);
}

/* Book the rows that lane k has reached the end of; 0 if its trajectory was the last. */
static int pass_edges(const Pair *p, const Tables *t, Ledger a, Walkers *w, int k, uint64_t key,
                      int64_t *taken, int64_t count, int64_t burn_in, int64_t periods,
                      int64_t *made) {
    while (w->now.d[k] >= 1) {
        w->now.d[k] -= 1;
        if (w->who[k] < 0) continue; /* nothing left to do here */
        uint64_t flips = w->count.i[k];
        *made += (flips & 0xffff) + (flips >> 16 & 0xffff);
        if (w->period[k] >= 0) write_row(p, t, a, w, k, periods);
        w->count.i[k] = 0;
        w->sum[0].d[k] = w->sum[1].d[k] = 0;
        if (++w->period[k] == periods) {
            w->who[k] = -1;
            if (*taken == count) return 0;
            begin(t, w, k, key, (*taken)++, burn_in);
        }
        if (w->period[k] == 0) {
            int64_t edge = w->who[k] * (periods + 1);
            a.energy[edge] = t->energy[w->state.i[k]];
            a.state[2 * edge] = 1 - 2 * (w->state.i[k] & 1);
            a.state[2 * edge + 1] = 1 - (int)(w->state.i[k] & 2);
        }
    }
    return 1;
}

/* As in spins_plain.c; burn_in at least 1 and fewer than 65536 flips of a spin in a period. */
int64_t advance(const Pair *p, Ledger a, uint64_t key, int64_t count, int64_t burn_in,
                int64_t periods) {
    make_tables();
    Tables t = tables_of(p);
    Walkers w = {0};
    int64_t taken = 0, made = 0;
    int live = 0;
    for (int k = 0; k < W; k++) {
        w.who[k] = -1;
        if (taken < count) {
            begin(&t, &w, k, key, taken++, burn_in);
            live++;
        }
    }
    /* The first wait is drawn already: each round decides on a proposal, then draws the next. */
    for (int g = 0; g < G; g++) draw(&w, g);
    Lanes sh, which, e;
    mask zeroth[G];
    for (;;) {
        uint64_t over = 0;
        for (int g = 0; g < G; g++)
            over |= (uint64_t)bits_of(less(ALL(0.9999999999999999), w.now.v[g])) << (N * g);
        while (over) {
            int k = __builtin_ctzll(over);
            over &= over - 1;
            int64_t lives = w.who[k];
            if (!pass_edges(p, &t, a, &w, k, key, &taken, count, burn_in, periods, &made))
                live -= lives >= 0;
        }
        if (!live) return made;
        /* The spin that would flip, and its field. */
        for (int g = 0; g < G; g++) {
            vu x = w.state.u[g];
            vd first = of_8(t.first, x), mark = w.mark.v[g] * of_8(t.total, x);
            zeroth[g] = less(mark, first);
            w.mark.v[g] = choose(zeroth[g], mark, mark - first);
            which.u[g] = choose_int(zeroth[g], x, x + 4);
            vd turns = choose(zeroth[g], ALL(t.turns[0]), ALL(t.turns[1]));
            sh.v[g] = of_8(t.height, which.u[g]) * cosine(w.now.v[g] + turns);
        }
        for (int g = 0; g < G; g++)
            e.v[g] = exp_of(sh.v[g] * of_8(t.coldness, which.u[g]));
        /* Whether it flips. */
        for (int g = 0; g < G; g++) {
            vd mark = w.mark.v[g];
            mask flips = less(mark + mark * e.v[g], of_8(t.twice, which.u[g]));
            mask one = but_not(flips, zeroth[g]), zero = both(flips, zeroth[g]);
            w.sum[0].v[g] = choose(zero, w.sum[0].v[g] + sh.v[g], w.sum[0].v[g]);
            w.sum[1].v[g] = choose(one, w.sum[1].v[g] + sh.v[g], w.sum[1].v[g]);
            w.count.u[g] += choose_int(flips, (vu)of_8(t.count, which.u[g]), (vu){});
            w.state.u[g] ^= choose_int(zero, (vu){} + 1, choose_int(one, (vu){} + 2, (vu){}));
        }
        /* The next proposal. */
        for (int g = 0; g < G; g++) {
            draw(&w, g);
            w.now.v[g] += log_of(w.draw.v[g]) * of_8(t.wait, w.state.u[g]);
        }
    }
}
