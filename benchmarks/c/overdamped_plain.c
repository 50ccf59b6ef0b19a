/* Two overdamped particles as a physicist writes them down: Euler and Maruyama, one trajectory at a
 * time, heat of each bath -F o dx by the mean of the forces before and after a step.
 *
 * The ledger is trajsim's without works, a row a period. */
#include "normal.h"

typedef struct {
    double friction, stiffness, coupling, quartic, period, temperature[2];
} Pair;

typedef struct {
    double *heat, *energy, *position;
} Ledger;

static inline double force(const Pair *p, double x, double y) {
    return -p->stiffness * x - p->coupling * (x - y) - p->quartic * x * x * x;
}

static double energy(const Pair *p, const double x[2]) {
    double y = x[0] - x[1], h = p->coupling * y * y / 2;
    for (int i = 0; i < 2; i++) {
        double z = x[i] * x[i];
        h += p->stiffness * z / 2 + p->quartic * z * z / 4;
    }
    return h;
}

void advance(const Pair *p, Ledger a, uint64_t key, int64_t count, int64_t burn_in, int64_t periods,
             int64_t steps) {
    double push = p->period / steps / p->friction, spread[2];
    for (int i = 0; i < 2; i++) spread[i] = sqrt(2 * p->temperature[i] * push);
    make_layers();
    for (int64_t m = 0; m < count; m++) {
        uint64_t stream[4];
        double x[2] = {0, 0};
        seed(stream, key * 0x100000000u + m);
        for (int64_t period = -burn_in; period < periods; period++) {
            int64_t row = m * periods + period, at = row + m;
            if (period == 0) {
                a.energy[at] = energy(p, x);
                for (int i = 0; i < 2; i++) a.position[2 * at + i] = x[i];
            }
            double heat[2] = {0, 0};
            double f0 = force(p, x[0], x[1]), f1 = force(p, x[1], x[0]);
            for (int64_t n = 0; n < steps; n++) {
                double d0 = push * f0 + spread[0] * normal(stream);
                double d1 = push * f1 + spread[1] * normal(stream);
                x[0] += d0;
                x[1] += d1;
                double g0 = force(p, x[0], x[1]), g1 = force(p, x[1], x[0]);
                heat[0] -= (f0 + g0) / 2 * d0;
                heat[1] -= (f1 + g1) / 2 * d1;
                f0 = g0;
                f1 = g1;
            }
            if (period < 0) continue;
            at++;
            a.energy[at] = energy(p, x);
            for (int i = 0; i < 2; i++) a.position[2 * at + i] = x[i];
            for (int i = 0; i < 2; i++) a.heat[2 * row + i] = heat[i];
        }
    }
}
