/* A jump network as a physicist writes it down: one trajectory at a time, thinning with bounds that
 * are constant in time (where nothing moves: Gillespie's algorithm), the C library throughout.
 *
 * The ledger is trajsim's, a row a period: heat, jumps, chemical work and particles of each bath,
 * inclusive and exclusive work of each drive, energy and state where rows begin. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "random.h"

typedef struct {
    int64_t states, channels, baths, drives, law, particles;
    double period;
    const int64_t *first, *target, *bath, *taken, *load_drive, *energy_drive;
    const double *rate, *load, *offset, *amplitude, *phase, *temperature, *potential;
} Network;

typedef struct {
    double *heat, *work, *exclusive_work, *energy;
    int32_t *jumps, *state;
    double *chemical_work;
    int32_t *particles;
} Ledger;

static inline double energy(const Network *n, int64_t x, double t) {
    if (n->amplitude[x] == 0) return n->offset[x];
    return n->offset[x] + n->amplitude[x] * cos(2 * M_PI / n->period * t + n->phase[x]);
}

static inline double law(const Network *n, double x) {
    return n->law ? exp(-x / 2) : 1 - tanh(x / 2);
}

/* Count of jumps made, burn-in included; all begin in state 0. */
int64_t advance(const Network *n, Ledger a, uint64_t key, int64_t count, int64_t burn_in,
                int64_t periods) {
    int64_t made = 0, B = n->baths, D = n->drives;
    double *bound = malloc(n->channels * sizeof *bound), *sums = malloc((2 * B + 2 * D) * 8);
    int64_t *counts = malloc(2 * B * 8);
    for (int64_t x = 0; x < n->states; x++)
        for (int64_t k = n->first[x]; k < n->first[x + 1]; k++) {
            int64_t y = n->target[k], b = n->bath[k];
            double least = n->offset[y] - n->offset[x] - fabs(n->amplitude[y]) -
                           fabs(n->amplitude[x]) - n->load[k] - n->potential[b] * n->taken[k];
            bound[k] = n->rate[k] * law(n, least / n->temperature[b]);
        }
    for (int64_t m = 0; m < count; m++) {
        uint64_t stream[4];
        int64_t x = 0;
        seed(stream, key * 0x100000000u + m);
        for (int64_t period = -burn_in; period < periods; period++) {
            double *heat = sums, *chemical = sums + B, *work = sums + 2 * B, *excl = work + D;
            int64_t *jumps = counts, *taken = counts + B;
            for (int64_t k = 0; k < 2 * B + 2 * D; k++) sums[k] = 0;
            for (int64_t k = 0; k < 2 * B; k++) counts[k] = 0;
            double t = 0, since = energy(n, x, 0);
            if (period == 0) {
                a.energy[m * (periods + 1)] = since;
                a.state[m * (periods + 1)] = x;
            }
            for (;;) {
                double total = 0;
                for (int64_t k = n->first[x]; k < n->first[x + 1]; k++) total += bound[k];
                t -= log(1 - uniform(stream)) / total;
                if (t >= n->period) break;
                double mark = uniform(stream) * total;
                int64_t k = n->first[x];
                while (k < n->first[x + 1] - 1 && mark >= bound[k]) mark -= bound[k++];
                int64_t y = n->target[k], b = n->bath[k];
                double from = energy(n, x, t), to = energy(n, y, t);
                double q = to - from - n->load[k] - n->potential[b] * n->taken[k];
                if (mark >= n->rate[k] * law(n, q / n->temperature[b])) continue;
                heat[b] += q;
                jumps[b]++;
                taken[b] += n->taken[k];
                chemical[b] += n->potential[b] * n->taken[k];
                if (n->load_drive[k] >= 0) {
                    work[n->load_drive[k]] += n->load[k];
                    excl[n->load_drive[k]] += n->load[k];
                }
                if (n->energy_drive[x] >= 0) {
                    work[n->energy_drive[x]] += from - since;
                    excl[n->energy_drive[x]] += from;
                }
                if (n->energy_drive[y] >= 0) excl[n->energy_drive[y]] -= to;
                x = y;
                since = to;
                made++;
            }
            double last = energy(n, x, 0);
            if (n->energy_drive[x] >= 0) work[n->energy_drive[x]] += last - since;
            if (period < 0) continue;
            int64_t row = m * periods + period, edge = m * (periods + 1) + period + 1;
            for (int64_t b = 0; b < B; b++) {
                a.heat[row * B + b] = heat[b];
                a.jumps[row * B + b] = jumps[b];
                if (n->particles) {
                    a.chemical_work[row * B + b] = chemical[b];
                    a.particles[row * B + b] = taken[b];
                }
            }
            for (int64_t d = 0; d < D; d++) {
                a.work[row * D + d] = work[d];
                a.exclusive_work[row * D + d] = excl[d];
            }
            a.energy[edge] = last;
            a.state[edge] = x;
        }
    }
    free(bound);
    free(sums);
    free(counts);
    return made;
}
