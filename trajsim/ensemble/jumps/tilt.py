"""How heats and works are counted along the jumps of a process: the tilted generator.

A trajectory carries the weight exp(A), A = sum_b heat_b Q_b + sum_d work_d W_d. With
E_x = E0_x + sum_d lambda_d V_dx, a jump takes the heat E0_y - E0_x + sum_d lambda_d (V_dy - V_dx)
from its bath, and W_d = int (d lambda_d / dt) V_d dt. A part c_d of a drive's share of the heat is
summed by parts,

sum_jumps lambda_d (V_dy - V_dx) = [lambda_d V_d] - int (d lambda_d / dt) V_d dt,

so that where all jumps that change V_d exchange heat with one bath (c_d = heat_b) the count of a
jump does not depend on time:

K_yx = W_yx exp(count_yx),  K_xx = -sum_y W_yx + sum_d (work_d - c_d) (d lambda_d / dt) V_dx,

with exp(-sum_d c_d lambda_d V_d) at the start and its inverse at the end. Where parameters jump
by D_d, each state x takes the factor exp(sum_d (work_d - c_d) D_d V_dx). The work of a load is
counted with the jumps that do it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.ensemble.answers import Array
from trajsim.ensemble.jumps.channels import Instants, JumpProcess


class Tilt(NamedTuple):
    """Counting fields (f,) applied to the classes (k,), drives (d,) and states of a process.

    counted (f, k) : count of a jump of a class while all parameters are 0
    by_parameter (f, d, k) : derivative of the count by each driven parameter
    unbalanced (f, d) : factor of (d lambda_d / dt) V_d
    begin (f, states) : logarithm of the factor at the start of a trajectory; as all periods begin
        with the jump from the end of the one before, the first begins with its inverse, too
    end (f, states) : logarithm of the factor at the end
    jumped (f, j, states) : those where parameters jump
    """

    process: JumpProcess
    counted: Array
    by_parameter: Array
    unbalanced: Array
    begin: Array
    end: Array
    jumped: Array

    @classmethod
    def of(cls, process: JumpProcess, heat: Array, work: Array) -> "Tilt":
        """Tilt of weights heat (f, baths) and work (f, drives)."""
        of_class = heat[:, process.bath]
        by_parts = np.array(work, np.float64)
        for drive, changed in enumerate(process.changed):
            if len(changed):
                baths = np.unique(process.bath[changed])
                by_parts[:, drive] = heat[:, baths].mean(axis=1)
        opening, closing = process.ends()
        by_parts[:, process.loaded] = 0.0
        unbalanced = work - by_parts
        phases, sizes = process.jumps
        sizes = sizes.reshape(len(phases), process.drives)
        by_parameter = (of_class[:, None] - by_parts[:, :, None]) * process.change
        if process.load is not None:
            by_parameter = by_parameter + work[:, :, None] * process.load
        return cls(
            process,
            of_class * process.heat,
            by_parameter,
            unbalanced,
            (unbalanced * (closing - opening) - by_parts * opening) @ process.conjugate,
            (by_parts * closing) @ process.conjugate,
            (sizes * unbalanced[:, None]) @ process.conjugate,
        )

    def times(self, z: ArrayLike) -> "Tilt":
        """Tilts (f,) of this one (of one field) times numbers z (f,)."""
        scaled = (np.multiply.outer(np.asarray(z, np.float64), a[0]) for a in self[1:])
        return Tilt(self.process, *scaled)

    def part(self, which: Any) -> "Tilt":
        """Some of the fields."""
        return Tilt(self.process, *(a[which] for a in self[1:]))

    def at_jump(self, u: float) -> Array | None:
        """Logarithm (f, states) of the factors where parameters jump at a phase; None elsewhere."""
        at = np.flatnonzero(self.process.jumps[0] == u)
        return self.jumped[:, at[0]] if len(at) else None

    def counts(self, instants: Instants) -> Array:
        """Count of a jump of each class at phases (t,): (f, t, k), or (f, 1, k) if constant."""
        if not self.by_parameter.any():
            return self.counted[:, None]
        return np.asarray(self.counted[:, None] + instants.value @ self.by_parameter)

    def powers(self, instants: Instants) -> Array:
        """Count per unit time in each state at phases (t,): (f, t, states)."""
        return np.asarray((instants.speed * self.unbalanced[:, None]) @ self.process.conjugate)

    def matrices(self, instants: Instants) -> Array:
        """K (f, t, states, states) at phases (t,)."""
        out: Array = self.process.transitions(instants.rates * np.exp(self.counts(instants)))
        diagonal = np.arange(self.process.states)
        out[..., diagonal, diagonal] += self.powers(instants) - instants.rates @ self.process.exits
        return out

    @property
    def time_sensitive(self) -> NDArray[np.bool_]:
        """Classes (k,) for which A depends on when a jump happens, for a tilt of one field."""
        process = self.process
        value = process.parameters(np.linspace(0.0, 0.99, 34))[0]
        varies = (value != value[0]).any(axis=0)
        unbalanced = (self.unbalanced[0] != 0.0) & varies
        unbalanced &= ~process.loaded
        by_work = (unbalanced[:, None] & (process.change != 0.0)).any(axis=0)
        by_jump = (varies[:, None] & (self.by_parameter[0] != 0.0)).any(axis=0)
        return np.asarray(by_work | by_jump, np.bool_)
