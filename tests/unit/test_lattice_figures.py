"""Profiles along chains and snapshots of spins show what the ledger has."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import trajsim
from trajsim.paper.runs import shipped
from trajsim.plots.currents import exact_window
from trajsim.plots.lattices import energy_currents, profile_figure, snapshot_figure


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def few(name, *overrides):
    size = ["ensemble.trajectories=6", "ensemble.periods=4", "ensemble.burn_in=1"]
    size += ["ledger.periods_per_row=1"]
    return trajsim.load(shipped() / f"{name}.toml", [*size, *overrides])


def test_a_profile_of_spins_has_their_flip_rates():
    config = few("ising_ring", "lattice.shape=[24]")
    (sampled,) = trajsim.simulate(config).averages()
    (ax,) = profile_figure(config, sampled, None).axes
    (drawn,) = (line for line in ax.lines if len(line.get_xdata()) == 24)
    rates = [sampled.flip_rate[str(k)].mean for k in range(24)]
    np.testing.assert_allclose(drawn.get_ydata(), rates)
    assert ax.get_ylabel() == "flip rate"


def test_a_profile_of_oscillators_has_exact_kinetic_temperatures():
    config = few("harmonic_chain")
    ax, beside = profile_figure(config, None, exact_window(config.experiment)).axes
    assert beside.get_ylabel() == "energy current to the right"
    (exact,) = (line for line in ax.lines if len(line.get_xdata()) == 24)
    values = np.asarray(exact.get_ydata())
    # The heat from a bath is gamma / m times (T less the kinetic temperature): (3 - sqrt 5) / 4.
    current = (3 - np.sqrt(5)) / 4
    assert values[0] == pytest.approx(2.0 - current, rel=1e-6)
    assert values[-1] == pytest.approx(1.0 + current, rel=1e-6)
    # The same all along the chain, but for its ends.
    np.testing.assert_allclose(values[6:-6], 1.5, atol=1e-4)
    levels = sorted(line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 2)
    assert levels == [1.0, 2.0]


def test_energy_currents_of_a_harmonic_chain_are_the_closed_form_through_every_bond():
    overrides = ("ensemble.trajectories=400", "ensemble.burn_in=0")
    config = few("harmonic_chain", *overrides)
    window, run = exact_window(config.experiment), trajsim.simulate(config)
    bonds, (mean, error), exact = energy_currents(config.experiment, run.averages()[0], window, run)
    # Rieder, Lebowitz & Lieb 1967, of an endless chain.
    current = (3 - np.sqrt(5)) / 4
    np.testing.assert_array_equal(bonds, np.arange(23))
    np.testing.assert_allclose(exact, current, rtol=1e-6)
    # Beyond 4.9 standard errors once in 4e4 runs; other signs are beyond 9.
    assert (np.abs(mean - current) < 4.9 * error).all()
    assert (mean > 4.5 * error).all()


@pytest.mark.parametrize("baths", [["hot", "cold"], ["hot", "cold", "hot", "cold"]])
def test_energy_currents_of_spins_are_the_heats_of_the_baths_to_the_left(baths):
    lattice = ["lattice.shape=[8]", "lattice.periodic=false", 'lattice.arrangement="halves"']
    named = "[" + ", ".join(f'"{bath}"' for bath in baths) + "]"
    config = few("ising_ring", *lattice, f"lattice.baths={named}", "ensemble.trajectories=40")
    (sampled,) = trajsim.simulate(config).averages()
    window = exact_window(config.experiment)
    found = energy_currents(config.experiment, sampled, window, None)
    if baths == ["hot", "cold"]:
        np.testing.assert_array_equal(found.bonds, [3])
        assert found.sampled[0] == pytest.approx(sampled.heat_rate["hot"].mean)
        assert found.sampled[1] == pytest.approx(sampled.heat_rate["hot"].stderr)
        assert found.exact == pytest.approx(window.rates.heat[0])
        assert len(profile_figure(config, sampled, window).axes) == 2
    else:
        # One of the baths at least is on both sides of each bond.
        assert found is None


def test_rings_and_driven_chains_have_no_profile_of_energy_currents():
    driven = few("harmonic_chain", "lattice.site.drive.amplitude=0.1")
    for config in (few("ising_ring", "lattice.shape=[8]"), driven):
        assert energy_currents(config.experiment, None, None, None) is None


def test_snapshots_on_a_plane_are_the_last_states():
    config = few("ising_torus", "lattice.shape=[4, 6]")
    run = trajsim.simulate(config)
    axes = snapshot_figure(config, run).axes
    assert len(axes) == 4
    for k, ax in enumerate(axes):
        (image,) = ax.images
        state = np.asarray(run["state"][0, k])[-1]
        np.testing.assert_array_equal(np.asarray(image.get_array()), state.reshape(4, 6))


def test_spins_in_a_row_are_drawn_in_the_course_of_time():
    config = few("ising_ring", "lattice.shape=[24]")
    run = trajsim.simulate(config)
    (ax,) = snapshot_figure(config, run).axes
    (image,) = ax.images
    np.testing.assert_array_equal(np.asarray(image.get_array()), run["state"][0, 0])
    assert ax.get_ylim() == (4.5, -0.5)


def test_small_systems_have_neither():
    config = few("ising_ring", "lattice.shape=[4]")
    assert profile_figure(config, None, None) is None
    assert snapshot_figure(config, trajsim.simulate(config)) is None
