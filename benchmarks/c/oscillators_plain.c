/* Two driven Langevin oscillators as a physicist writes them down: BAOAB, one trajectory at a time,
 * normal numbers by the ziggurat of Marsaglia and Tsang, the C library for the rest.
 *
 * The ledger is trajsim's, a row a period: heat of both baths (the O step), inclusive and exclusive
 * work of both forces (moves of the held force), shadow work, energy, positions and velocities. */
#include "normal.h"

typedef struct {
    double mass, friction, stiffness, coupling, quartic, period;
    double temperature[2], amplitude[2], phase[2];
} Pair;

typedef struct {
    double *heat, *work, *exclusive_work, *shadow_work, *energy, *position, *velocity;
} Ledger;

/* Force of site i, at x, from its own spring and the bond to the other, at y. */
static inline double force(const Pair *p, double x, double y, double f) {
    double stretch = x - y;
    return f - p->stiffness * x - p->coupling * stretch
           - p->quartic * (x * x * x + stretch * stretch * stretch);
}

static double energy(const Pair *p, const double x[2], const double v[2], const double f[2]) {
    double y = x[0] - x[1], h = p->coupling * y * y / 2 + p->quartic * y * y * y * y / 4;
    for (int i = 0; i < 2; i++) {
        double z = x[i] * x[i];
        h += p->mass * v[i] * v[i] / 2 + p->stiffness * z / 2 + p->quartic * z * z / 4 - f[i] * x[i];
    }
    return h;
}

void advance(const Pair *p, Ledger a, uint64_t key, int64_t count, int64_t burn_in, int64_t periods,
             int64_t steps) {
    double dt = p->period / steps, keep = exp(-p->friction * dt / p->mass), spread[2], edge[2];
    double push = dt / 2 / p->mass;
    double held[steps][2];
    for (int i = 0; i < 2; i++) {
        spread[i] = sqrt((1 - keep * keep) * p->temperature[i] / p->mass);
        edge[i] = p->amplitude[i] * cos(p->phase[i]);
        for (int64_t n = 0; n < steps; n++)
            held[n][i] = p->amplitude[i] * cos(2 * M_PI * (n + 0.5) / steps + p->phase[i]);
    }
    make_layers();
    for (int64_t m = 0; m < count; m++) {
        uint64_t stream[4];
        double x[2] = {0, 0}, v[2] = {0, 0};
        seed(stream, key * 0x100000000u + m);
        for (int64_t period = -burn_in; period < periods; period++) {
            int64_t row = m * periods + period, at = row + m;
            if (period == 0) {
                a.energy[at] = energy(p, x, v, edge);
                for (int i = 0; i < 2; i++) a.position[2 * at + i] = x[i];
                for (int i = 0; i < 2; i++) a.velocity[2 * at + i] = v[i];
            }
            double heat[2] = {0, 0}, work[2] = {0, 0};
            const double *f = edge;
            for (int64_t n = 0; n < steps; n++) {
                work[0] -= x[0] * (held[n][0] - f[0]);
                work[1] -= x[1] * (held[n][1] - f[1]);
                f = held[n];
                double v0 = v[0] + push * force(p, x[0], x[1], f[0]);
                double v1 = v[1] + push * force(p, x[1], x[0], f[1]);
                double after0 = keep * v0 + spread[0] * normal(stream);
                double after1 = keep * v1 + spread[1] * normal(stream);
                heat[0] += p->mass / 2 * (after0 * after0 - v0 * v0);
                heat[1] += p->mass / 2 * (after1 * after1 - v1 * v1);
                x[0] += dt / 2 * (v0 + after0);
                x[1] += dt / 2 * (v1 + after1);
                v[0] = after0 + push * force(p, x[0], x[1], f[0]);
                v[1] = after1 + push * force(p, x[1], x[0], f[1]);
            }
            for (int i = 0; i < 2; i++) work[i] -= x[i] * (edge[i] - f[i]);
            if (period < 0) continue;
            at++;
            a.energy[at] = energy(p, x, v, edge);
            a.shadow_work[row] = a.energy[at] - a.energy[at - 1];
            for (int i = 0; i < 2; i++) {
                a.position[2 * at + i] = x[i];
                a.velocity[2 * at + i] = v[i];
                a.heat[2 * row + i] = heat[i];
                a.work[2 * row + i] = work[i];
                a.exclusive_work[2 * row + i] = work[i] + edge[i] * (x[i] - a.position[2 * at - 2 + i]);
                a.shadow_work[row] -= heat[i] + work[i];
            }
        }
    }
}
