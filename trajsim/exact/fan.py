"""Carry one distribution under many imaginary counting fields side by side.

The classical Runge-Kutta method for dp/dt = K(i w) p (`trajsim.exact.tilt`), LANES fields at once,
so that the rates are found once for all of them and the arithmetic vectorises.
"""

import numpy as np

from trajsim.exact.generator import fields, flip_rates
from trajsim.exact.runge_kutta import NODES
from trajsim.jit import compiled

LANES = 64


@compiled(contract=True)
def _slope(rates, leave, swing, part, cosine, sine, w, re, im, out_re, out_im):
    """out = K p, (2**n, LANES) real and imaginary; cosine, sine (n, 2**n, LANES) of the flips."""
    n, states = cosine.shape[:2]
    for x in range(states):
        left, turned = leave[part, x], swing[part, x]
        for lane in range(LANES):
            turn = turned * w[lane]
            out_re[x, lane] = -left * re[x, lane] - turn * im[x, lane]
            out_im[x, lane] = -left * im[x, lane] + turn * re[x, lane]
        for i in range(n):
            y = x ^ (1 << i)
            rate = rates[part, i, y]
            for lane in range(LANES):
                c, s = rate * cosine[i, y, lane], rate * sine[i, y, lane]
                out_re[x, lane] += c * re[y, lane] - s * im[y, lane]
                out_im[x, lane] += c * im[y, lane] + s * re[y, lane]


@compiled(contract=True)
def propagate(network, table, cosine, sine, lean, w, re, im, steps):
    """Carry distributions through a period in place.

    Parameters
    ----------
    network, table : SpinNetwork and Table
    cosine, sine : (n, 2**n, LANES) of w quantum, what each flip is multiplied by
    lean : (n,), of `trajsim.exact.tilt.Tilt`
    w : (LANES,)
    re, im : (2**n, LANES)
    steps : number of equal steps
    """
    n, states = table.spin.shape
    rates, h, rise = np.empty((3, n, states)), np.empty((3, n)), np.empty((3, n))
    leave, swing = np.zeros((3, states)), np.zeros((3, states))
    stage_re, stage_im = re.copy(), im.copy()
    slope_re, slope_im = np.empty(re.shape), np.empty(re.shape)
    begun_re, begun_im = np.empty(re.shape), np.empty(re.shape)
    time = network.period / steps
    for step in range(steps):
        fields(network.drive, (step + NODES) / steps, h, rise)
        for part in range(3):
            flip_rates(network, table, h[part], rates[part])
            leave[part] = 0.0
            swing[part] = 0.0
            for i in range(n):
                for x in range(states):
                    leave[part, x] += rates[part, i, x]
                    turned = lean[i] * rise[part, i] * table.spin[i, x]
                    swing[part, x] += turned / network.period
        begun_re[:] = re
        begun_im[:] = im
        stage_re[:] = re
        stage_im[:] = im
        for k in range(4):
            part = (k + 1) // 2
            _slope(
                rates, leave, swing, part, cosine, sine, w, stage_re, stage_im, slope_re, slope_im
            )
            weight = time * (1.0 / 6.0 if k % 3 == 0 else 1.0 / 3.0)
            reach = time * (0.5 if k < 2 else 1.0)
            for x in range(states):
                for lane in range(LANES):
                    re[x, lane] += weight * slope_re[x, lane]
                    im[x, lane] += weight * slope_im[x, lane]
                    stage_re[x, lane] = begun_re[x, lane] + reach * slope_re[x, lane]
                    stage_im[x, lane] = begun_im[x, lane] + reach * slope_im[x, lane]
