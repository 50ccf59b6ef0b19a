"""A rate law from outside the package: spins in contact with quantum baths.

trajsim run --plugin examples/ohmic_law.py examples/ohmic.toml
"""

import trajsim
from trajsim.compiled.elementary import exp
from trajsim.compiled.simd import where
from trajsim.models.rate_laws import Additive


class Ohmic(Additive):
    """rate * u / (exp(u) - 1), u = dE_i / T_i: a bath of bosons with an ohmic spectrum.

    By the golden rule a flip that takes dE from the bath absorbs a boson, with the rate
    J(dE) n(dE), and one that gives dE emits one, with J(dE) (n(dE) + 1), where n is the Planck
    distribution: both are the same function of dE if the spectral density J is linear. Leggett et
    al., Rev. Mod. Phys. 59, 1 (1987).
    """

    __slots__ = ()

    @staticmethod
    def flip_rate(law, local, x):
        """Rate of the flip, x = h s / T of the field."""
        u = 2.0 * (local + x)
        z = u * u
        # exp(u) - 1 has no digits left near u = 0; there the series has all of them.
        series = 1.0 / 30240.0 - z / 1209600.0
        series = 1.0 - 0.5 * u + z * (1.0 / 12.0 - z * (1.0 / 720.0 - z * series))
        return law.rate * where(z < 0.01, series, u / (exp(u) - 1.0))


trajsim.register_rate_law("ohmic", Ohmic)
