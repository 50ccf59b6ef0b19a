/* Two driven Langevin oscillators as fast as could be made: trajsim's scheme HOH on W trajectories
 * side by side in vectors of N, see lanes.h. Half a linear flow under the held force, friction and
 * noise, half a linear flow, quartic kicks at the ends. The matrices of the flow are full, as for
 * any pair: that these two oscillators are alike is not made use of.
 *
 * A step is cut into stages that run through all vectors, so that latencies hide behind each other.
 * Normal numbers by Box and Muller, from 64 random bits each or, not `fine`, from 32. */
#include "lanes.h"
#include <math.h>

#define W 64
#define G (W / N)

typedef struct {
    double mass, friction, stiffness, coupling, quartic, period;
    double temperature[2], amplitude[2], phase[2];
} Pair;

typedef struct {
    double *heat, *work, *exclusive_work, *shadow_work, *energy, *position, *velocity;
} Ledger;

typedef union {
    vd v[G];
    vu u[G];
    double d[W];
    uint64_t i[W];
} Lanes;

typedef struct {
    Lanes stream[4], x[2], v[2], heat[2], work[2], noise[2];
} Walkers;

/* Half a step: x' = xx x + xv v + xf F, v' = vx x + vv v + vf F. */
typedef struct {
    double xx[2][2], xv[2][2], xf[2][2], vx[2][2], vv[2][2], vf[2][2];
} Flow;

static Flow flow_of(const Pair *p, double time) {
    Flow f;
    /* The modes in which both move alike and against each other. */
    double w[2] = {sqrt(p->stiffness / p->mass), sqrt((p->stiffness + 2 * p->coupling) / p->mass)};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            f.xx[i][j] = f.xv[i][j] = f.xf[i][j] = f.vx[i][j] = f.vv[i][j] = f.vf[i][j] = 0;
            for (int mode = 0; mode < 2; mode++) {
                double share = mode && i != j ? -0.5 : 0.5, angle = w[mode] * time;
                double swing = sin(angle) / w[mode];
                f.xx[i][j] += share * cos(angle);
                f.vv[i][j] += share * cos(angle);
                f.xv[i][j] += share * swing;
                f.vx[i][j] -= share * w[mode] * sin(angle);
                f.xf[i][j] += share * 2 * pow(sin(angle / 2) / w[mode], 2) / p->mass;
                f.vf[i][j] += share * swing / p->mass;
            }
        }
    return f;
}

/* cos and sin of 2 pi turns, for turns in [0, 2). */
static inline void circle(vd turns, vd *cosine, vd *sine) {
    vd rounded = 4 * turns + 0x1.8p52;
    vd r = turns - 0.25 * (rounded - 0x1.8p52);
    vd z = r * r;
    vd c = ALL(-1.6990343940660637);
    c = c * z + 7.903206911569678;
    c = c * z - 26.426253275854723;
    c = c * z + 60.24464135270201;
    c = c * z - 85.4568172066438;
    c = c * z + 64.93939402266824;
    c = c * z - 19.739208802178716;
    c = c * z + 1.0;
    vd s = ALL(3.7808689593022957);
    s = s * z - 15.093804209987114;
    s = s * z + 42.058685020160894;
    s = s * z - 76.70585970427454;
    s = s * z + 81.60524927594804;
    s = s * z - 41.341702240399634;
    s = s * z + 6.283185307179586;
    s = s * r;
    /* In odd quarters they change places; quarters 1, 2 and 2, 3 turn the signs. */
    vu quarter = (vu)rounded;
    mask odd = odd_of(quarter);
    *cosine = (vd)((vu)choose(odd, s, c) ^ (((quarter + 1) >> 1) << 63));
    *sine = (vd)((vu)choose(odd, c, s) ^ ((quarter >> 1) << 63));
}

static inline void make_noise(Walkers *w, int fine) {
    for (int g = 0; g < G; g++) {
        vu s[4] = {w->stream[0].u[g], w->stream[1].u[g], w->stream[2].u[g], w->stream[3].u[g]};
        vu bits = next_bits(s);
        vd u, turns, cosine, sine;
        if (fine) {
            u = double_of(bits) * 0x1p-64 + 0x1p-65;
            turns = one_to_two(next_bits(s));
        } else {
            u = double_of(bits >> 32) * 0x1p-32 + 0x1p-33;
            turns = double_of(bits & 0xffffffffu) * 0x1p-32;
        }
        for (int word = 0; word < 4; word++) w->stream[word].u[g] = s[word];
        vd radius = root(-2 * log_of(u));
        circle(turns, &cosine, &sine);
        w->noise[0].v[g] = radius * cosine;
        w->noise[1].v[g] = radius * sine;
    }
}

static inline void flow(const Flow *f, const double held[2], vd x[2], vd v[2]) {
    vd y[2], u[2];
    for (int i = 0; i < 2; i++) {
        y[i] = ALL(f->xf[i][0] * held[0] + f->xf[i][1] * held[1]);
        u[i] = ALL(f->vf[i][0] * held[0] + f->vf[i][1] * held[1]);
        for (int j = 0; j < 2; j++) {
            y[i] = y[i] + f->xx[i][j] * x[j];
            y[i] = y[i] + f->xv[i][j] * v[j];
            u[i] = u[i] + f->vx[i][j] * x[j];
            u[i] = u[i] + f->vv[i][j] * v[j];
        }
    }
    for (int i = 0; i < 2; i++) x[i] = y[i], v[i] = u[i];
}

static inline void kick(double strength, const vd x[2], vd v[2]) {
    vd stretch = x[0] - x[1], pull = strength * (stretch * stretch * stretch);
    v[0] = v[0] - strength * (x[0] * x[0] * x[0]) - pull;
    v[1] = v[1] - strength * (x[1] * x[1] * x[1]) + pull;
}

static double energy(const Pair *p, const double x[2], const double v[2], const double f[2]) {
    double y = x[0] - x[1], h = p->coupling * y * y / 2 + p->quartic * y * y * y * y / 4;
    for (int i = 0; i < 2; i++) {
        double z = x[i] * x[i];
        h += p->mass * v[i] * v[i] / 2 + p->stiffness * z / 2 + p->quartic * z * z / 4 - f[i] * x[i];
    }
    return h;
}

static void write_row(const Pair *p, Ledger a, const Walkers *w, const double edge[2], int64_t m,
                      int k, int64_t periods, int64_t period) {
    int64_t row = m * periods + period, at = row + m + 1;
    double x[2] = {w->x[0].d[k], w->x[1].d[k]}, v[2] = {w->v[0].d[k], w->v[1].d[k]};
    a.energy[at] = energy(p, x, v, edge);
    for (int i = 0; i < 2; i++) a.position[2 * at + i] = x[i], a.velocity[2 * at + i] = v[i];
    if (period < 0) return;
    a.shadow_work[row] = a.energy[at] - a.energy[at - 1];
    for (int i = 0; i < 2; i++) {
        double heat = w->heat[i].d[k], work = w->work[i].d[k];
        a.heat[2 * row + i] = heat;
        a.work[2 * row + i] = work;
        a.exclusive_work[2 * row + i] = work + edge[i] * (x[i] - a.position[2 * at - 2 + i]);
        a.shadow_work[row] -= heat + work;
    }
}

void advance(const Pair *p, Ledger a, uint64_t key, int64_t count, int64_t burn_in, int64_t periods,
             int64_t steps, int fine) {
    double dt = p->period / steps, keep = exp(-p->friction * dt / p->mass), spread[2], edge[2];
    double held[steps][2], strength = p->quartic * dt / 2 / p->mass, half_mass = p->mass / 2;
    for (int i = 0; i < 2; i++) {
        spread[i] = sqrt((1 - keep * keep) * p->temperature[i] / p->mass);
        edge[i] = p->amplitude[i] * cos(p->phase[i]);
        /* Held so, a linear network moves as in continuous time. */
        double factor = M_PI / steps / sin(M_PI / steps);
        for (int64_t n = 0; n < steps; n++)
            held[n][i] = factor * p->amplitude[i] * cos(2 * M_PI * (n + 0.5) / steps + p->phase[i]);
    }
    Flow f = flow_of(p, dt / 2);
    make_tables();
    for (int64_t first = 0; first < count; first += W) {
        int lanes = count - first < W ? count - first : W;
        Walkers w = {0};
        for (int k = 0; k < W; k++) {
            uint64_t x = key * 0x100000000u + first + k;
            for (int word = 0; word < 4; word++) w.stream[word].i[k] = split(&x);
        }
        for (int64_t period = -burn_in; period < periods; period++) {
            if (period == 0)
                for (int k = 0; k < lanes; k++) write_row(p, a, &w, edge, first + k, k, periods, -1);
            for (int i = 0; i < 2; i++)
                for (int g = 0; g < G; g++) w.heat[i].v[g] = w.work[i].v[g] = (vd){};
            const double *force = edge;
            for (int64_t n = 0; n < steps; n++) {
                double moved[2] = {held[n][0] - force[0], held[n][1] - force[1]};
                force = held[n];
                make_noise(&w, fine);
                for (int g = 0; g < G; g++) {
                    vd x[2] = {w.x[0].v[g], w.x[1].v[g]}, v[2] = {w.v[0].v[g], w.v[1].v[g]};
                    for (int i = 0; i < 2; i++) w.work[i].v[g] -= x[i] * moved[i];
                    if (strength != 0) kick(strength, x, v);
                    flow(&f, force, x, v);
                    for (int i = 0; i < 2; i++) {
                        vd after = keep * v[i] + spread[i] * w.noise[i].v[g];
                        w.heat[i].v[g] += half_mass * (after * after - v[i] * v[i]);
                        v[i] = after;
                    }
                    flow(&f, force, x, v);
                    if (strength != 0) kick(strength, x, v);
                    for (int i = 0; i < 2; i++) w.x[i].v[g] = x[i], w.v[i].v[g] = v[i];
                }
            }
            for (int i = 0; i < 2; i++)
                for (int g = 0; g < G; g++) w.work[i].v[g] -= w.x[i].v[g] * (edge[i] - force[i]);
            if (period >= 0)
                for (int k = 0; k < lanes; k++)
                    write_row(p, a, &w, edge, first + k, k, periods, period);
        }
    }
}
