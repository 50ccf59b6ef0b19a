"""Two driven Langevin oscillators as a user of Python would write them: numba and NumPy.

The scheme is BAOAB, as in `c/oscillators_plain.c`, and so is the ledger: columns with shapes as in
`trajsim.kernels.langevin.Rows`, a row a period.
"""

import numba
import numpy as np


def _setting(pair, steps):
    """What both need of the parameters: temperatures, held and edge forces, O step."""
    h0, phi = np.array(pair["amplitude"]), np.array(pair["phase"])
    middle = (np.arange(steps)[:, None] + 0.5) / steps
    held, edge = h0 * np.cos(2 * np.pi * middle + phi), h0 * np.cos(phi)
    dt = pair["period"] / steps
    keep = np.exp(-pair["friction"] * dt / pair["mass"])
    spread = np.sqrt((1 - keep**2) * np.array(pair["temperature"]) / pair["mass"])
    return dt, held, edge, keep, spread


@numba.njit(cache=True)
def _kick(time, mass, k, kc, alpha, x, v, f):
    stretch = x[0] - x[1]
    pull = kc * stretch + alpha * stretch**3
    v[0] += time / mass * (f[0] - k * x[0] - alpha * x[0] ** 3 - pull)
    v[1] += time / mass * (f[1] - k * x[1] - alpha * x[1] ** 3 + pull)


@numba.njit(cache=True)
def _energy(mass, k, kc, alpha, x, v, f):
    total = kc * (x[0] - x[1]) ** 2 / 2 + alpha * (x[0] - x[1]) ** 4 / 4
    for i in range(2):
        total += mass * v[i] ** 2 / 2 + k * x[i] ** 2 / 2 + alpha * x[i] ** 4 / 4 - f[i] * x[i]
    return total


@numba.njit(cache=True)
def _advance_numba(numbers, setting, ledger, seed, count, burn_in, periods):
    mass, k, kc, alpha = numbers
    dt, held, edge, keep, spread = setting
    all_heat, all_work, exclusive, shadow, energy, position, velocity = ledger
    np.random.seed(seed)
    x, v, heat, work = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
    for m in range(count):
        x[:] = 0
        v[:] = 0
        for period in range(-burn_in, periods):
            if period == 0:
                energy[m, 0] = _energy(mass, k, kc, alpha, x, v, edge)
                position[m, 0] = x
                velocity[m, 0] = v
            heat[:] = 0
            work[:] = 0
            f = edge
            for n in range(len(held)):
                for i in range(2):
                    work[i] -= x[i] * (held[n, i] - f[i])
                f = held[n]
                _kick(dt / 2, mass, k, kc, alpha, x, v, f)
                for i in range(2):
                    x[i] += dt / 2 * v[i]
                    after = keep * v[i] + spread[i] * np.random.normal()
                    heat[i] += mass / 2 * (after**2 - v[i] ** 2)
                    v[i] = after
                    x[i] += dt / 2 * v[i]
                _kick(dt / 2, mass, k, kc, alpha, x, v, f)
            for i in range(2):
                work[i] -= x[i] * (edge[i] - f[i])
            if period < 0:
                continue
            all_heat[m, period] = heat
            all_work[m, period] = work
            exclusive[m, period] = work + edge * (x - position[m, period])
            energy[m, period + 1] = _energy(mass, k, kc, alpha, x, v, edge)
            position[m, period + 1] = x
            velocity[m, period + 1] = v
            gained = energy[m, period + 1] - energy[m, period]
            shadow[m, period] = gained - heat.sum() - work.sum()


def advance_numba(pair, ledger, seed, count, burn_in, periods, steps):
    """One trajectory after the other, compiled, with numba's np.random.normal."""
    numbers = tuple(pair[name] for name in ("mass", "stiffness", "coupling", "quartic"))
    setting = _setting(pair, steps)
    _advance_numba(numbers, setting, tuple(ledger.values()), seed, count, burn_in, periods)


def advance_numpy(pair, ledger, seed, count, burn_in, periods, steps):
    """All trajectories at once."""
    rng = np.random.default_rng(seed)
    mass, k, kc, alpha = (pair[name] for name in ("mass", "stiffness", "coupling", "quartic"))
    dt, held, edge, keep, spread = _setting(pair, steps)
    x, v = np.zeros((2, count)), np.zeros((2, count))
    spread = spread[:, None]

    def push(f):
        stretch = x[0] - x[1]
        pull = kc * stretch
        if alpha:
            pull += alpha * stretch * stretch * stretch
        force = f[:, None] - k * x
        if alpha:
            force -= alpha * x * x * x
        force[0] -= pull
        force[1] += pull
        return (dt / 2 / mass) * force

    def note_edge(at):
        y = x[0] - x[1]
        ledger["energy"][:, at] = kc * y**2 / 2 + alpha * y**4 / 4 - edge @ x
        terms = mass * v**2 / 2 + k * x**2 / 2 + alpha * x**4 / 4
        ledger["energy"][:, at] += terms.sum(axis=0)
        ledger["position"][:, at] = x.T
        ledger["velocity"][:, at] = v.T

    for period in range(-burn_in, periods):
        if period == 0:
            note_edge(0)
        heat, work, f = np.zeros((2, count)), np.zeros((2, count)), edge
        for n in range(steps):
            work -= x * (held[n] - f)[:, None]
            f = held[n]
            v += push(f)
            x += dt / 2 * v
            after = keep * v + spread * rng.standard_normal((2, count))
            heat += mass / 2 * (after * after - v * v)
            v = after
            x += dt / 2 * v
            v += push(f)
        work -= x * (edge - f)[:, None]
        if period < 0:
            continue
        note_edge(period + 1)
        ledger["heat"][:, period] = heat.T
        ledger["work"][:, period] = work.T
        grown = edge[:, None] * (x - ledger["position"][:, period].T)
        ledger["exclusive_work"][:, period] = (work + grown).T
        gained = ledger["energy"][:, period + 1] - ledger["energy"][:, period]
        ledger["shadow_work"][:, period] = gained - heat.sum(axis=0) - work.sum(axis=0)
