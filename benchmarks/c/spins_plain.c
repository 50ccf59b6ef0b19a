/* Two driven spins as a physicist writes them down: one trajectory at a time, thinning with bounds
 * that are constant in time, both rates worked out at every proposal, the C library throughout.
 *
 * The ledger is trajsim's: for each trajectory and period the heat of both baths, the inclusive and
 * exclusive work of both drives, the flips of both spins; energy and spins where periods begin. */
#include <math.h>
#include <stdint.h>

#include "random.h"

typedef struct {
    double rate, coupling, period;
    double temperature[2], amplitude[2], phase[2];
} Pair;

typedef struct {
    double *heat, *work, *exclusive_work, *energy;
    int32_t *flips;
    int8_t *state;
} Ledger;

static inline double field(const Pair *p, int i, double t) {
    return p->amplitude[i] * cos(2 * M_PI / p->period * t + p->phase[i]);
}

static inline double bonds(const Pair *p, int i, const int s[2]) {
    return p->rate * (1 - tanh(p->coupling / p->temperature[i]) * s[0] * s[1]);
}

/* Count of flips made, burn-in included. */
int64_t advance(const Pair *p, Ledger a, uint64_t key, int64_t count, int64_t burn_in,
                int64_t periods) {
    int64_t made = 0;
    double exchange[2][2], most[2], h_edge[2] = {field(p, 0, 0), field(p, 1, 0)};
    for (int i = 0; i < 2; i++) {
        exchange[0][i] = bonds(p, i, (int[2]){1, 1});
        exchange[1][i] = bonds(p, i, (int[2]){1, -1});
        most[i] = 1 + tanh(fabs(p->amplitude[i]) / p->temperature[i]);
    }
    for (int64_t m = 0; m < count; m++) {
        uint64_t stream[4];
        int s[2] = {1, 1};
        seed(stream, key * 0x100000000u + m);
        for (int64_t period = -burn_in; period < periods; period++) {
            double heat[2] = {0, 0}, work[2] = {0, 0}, exclusive[2] = {0, 0};
            double before[2] = {h_edge[0], h_edge[1]}, t = 0;
            int flips[2] = {0, 0};
            if (period == 0) {
                int64_t edge = m * (periods + 1);
                a.energy[edge] = -p->coupling * s[0] * s[1] - h_edge[0] * s[0] - h_edge[1] * s[1];
                a.state[2 * edge] = s[0];
                a.state[2 * edge + 1] = s[1];
            }
            for (;;) {
                const double *local = exchange[s[0] != s[1]];
                double bound = local[0] * most[0] + local[1] * most[1];
                t -= log(1 - uniform(stream)) / bound;
                if (t >= p->period) break;
                double h[2], rate[2];
                for (int i = 0; i < 2; i++) {
                    h[i] = field(p, i, t);
                    rate[i] = local[i] * (1 - tanh(h[i] / p->temperature[i]) * s[i]);
                }
                double mark = uniform(stream) * bound;
                if (mark >= rate[0] + rate[1]) continue;
                int i = mark >= rate[0];
                heat[i] += 2 * s[i] * (p->coupling * s[1 - i] + h[i]);
                work[i] -= s[i] * (h[i] - before[i]);
                exclusive[i] -= 2 * s[i] * h[i];
                before[i] = h[i];
                s[i] = -s[i];
                flips[i]++;
            }
            made += flips[0] + flips[1];
            if (period < 0) continue;
            int64_t row = m * periods + period, edge = m * (periods + 1) + period + 1;
            for (int i = 0; i < 2; i++) {
                a.heat[2 * row + i] = heat[i];
                a.work[2 * row + i] = work[i] - s[i] * (h_edge[i] - before[i]);
                a.exclusive_work[2 * row + i] = exclusive[i];
                a.flips[2 * row + i] = flips[i];
                a.state[2 * edge + i] = s[i];
            }
            a.energy[edge] = -p->coupling * s[0] * s[1] - h_edge[0] * s[0] - h_edge[1] * s[1];
        }
    }
    return made;
}
