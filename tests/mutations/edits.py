"""Faults that the test suite must find: each an edit of one place of the package's sources.

`first` are the tests that are likely to find it, tried before all others; a fault that they miss
is looked for by the whole default run.
"""

from typing import NamedTuple


class Edit(NamedTuple):
    """In `file` of the package the text `old`, which is there exactly once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    first: tuple[str, ...]

    @property
    def place(self) -> str:
        """Part of the package, by which mutations are grouped."""
        return self.file.rsplit("/", 1)[0] if "/" in self.file else self.file.removesuffix(".py")


PHYSICS, UNIT, ENSEMBLE = "tests/physics/", "tests/unit/", "tests/ensemble/"

EDITS = (
    # -- what is simulated -----------------------------------------------------------------------
    Edit(
        "rate of the paper's law +1 %",
        "models/rate_laws.py",
        "return law.rate * local * (2.0 / (1.0 + exp(2.0 * x)))",
        "return 1.01 * law.rate * local * (2.0 / (1.0 + exp(2.0 * x)))",
        (PHYSICS + "test_detailed_balance.py::test_rates_are_those_of_the_papers",),
    ),
    Edit(
        "a factor 2 missing in the exponent of Metropolis",
        "models/rate_laws.py",
        "return law.rate * exp(min(0.0, -2.0 * (local + x)))",
        "return law.rate * exp(min(0.0, -(local + x)))",
        (
            PHYSICS
            + "test_detailed_balance.py::test_rates_obey_detailed_balance_whatever_a_flip_costs",
        ),
    ),
    Edit(
        "temperature +1 %, rates and exact side alike",
        "models/spins.py",
        "temperature=np.array(temperatures, np.float64),",
        "temperature=1.01 * np.array(temperatures, np.float64),",
        (PHYSICS + "test_detailed_balance.py::test_rates_are_those_of_the_papers",),
    ),
    Edit(
        "neighbours taken for equal where they are not",
        "models/spins.py",
        "equal = spins[i] == spins[network.neighbour[k]]",
        "equal = spins[i] != spins[network.neighbour[k]]",
        (PHYSICS + "test_detailed_balance.py::test_rates_are_those_of_the_papers",),
    ),
    Edit(
        "field bounds 1 % too narrow: thinning violated",
        "models/drive.py",
        "reach = np.abs(drive.amplitude).sum(axis=1)",
        "reach = 0.99 * np.abs(drive.amplitude).sum(axis=1)",
        (
            PHYSICS
            + "test_detailed_balance.py::test_fields_stay_within_their_bounds_and_reach_them",
        ),
    ),
    Edit(
        "drive phase +0.01 radian, kernels and exact side alike",
        "models/drive.py",
        "h += drive.amplitude[site, k] * math.cos(angle + drive.phase[site, k])",
        "h += drive.amplitude[site, k] * math.cos(angle + drive.phase[site, k] + 0.01)",
        (PHYSICS + "test_first_law.py",),
    ),
    Edit(
        "quartic energy of a bond counted from one end only",
        "models/oscillators.py",
        "found += 0.125 * read(springs.entry, k) * square * square",
        "found += 0.0625 * read(springs.entry, k) * square * square",
        (PHYSICS + "test_langevin_steps.py::test_ledger_adds_up_in_every_row",),
    ),
    # -- the kernel of small spin networks -------------------------------------------------------
    Edit(
        "rate +1 % in the lanes",
        "kernels/lanes.py",
        "flips = load(numbers, MARK + k) < rate",
        "flips = load(numbers, MARK + k) < 1.01 * rate",
        (PHYSICS + "test_lanes.py",),
    ),
    Edit(
        "temperature +1 % in the spin kernels",
        "kernels/fields.py",
        "coldness=np.pad(1.0 / network.temperature, (0, p - n)),",
        "coldness=np.pad(1.0 / (1.01 * network.temperature), (0, p - n)),",
        (
            PHYSICS + "test_lanes.py::test_the_lanes_follow_the_reference_kernel_flip_by_flip",
            PHYSICS + "test_flip_counts.py",
        ),
    ),
    Edit(
        "drive phase +0.01 radian in the spin kernels",
        "kernels/fields.py",
        "turns[q, :n] = np.angle(terms.sum(axis=1)) / (2.0 * np.pi)",
        "turns[q, :n] = (np.angle(terms.sum(axis=1)) + 0.01) / (2.0 * np.pi)",
        (
            PHYSICS + "test_lanes.py::test_the_lanes_follow_the_reference_kernel_flip_by_flip",
            PHYSICS + "test_flip_counts.py",
        ),
    ),
    Edit(
        "proposals 5 % too rare: thinning violated",
        "kernels/tables.py",
        "below = np.cumsum(length * bound, axis=1)",
        "below = np.cumsum(0.95 * length * bound, axis=1)",
        (
            PHYSICS + "test_lanes.py::test_the_lanes_follow_the_reference_kernel_flip_by_flip",
            PHYSICS + "test_flip_counts.py",
        ),
    ),
    Edit(
        "energy of the bonds without its 1/2",
        "kernels/tables.py",
        "exchange[x] -= 0.25 * cost[x, i]",
        "exchange[x] -= 0.5 * cost[x, i]",
        (PHYSICS + "test_first_law.py",),
    ),
    Edit(
        "row boundary off by one event",
        "kernels/lanes.py",
        "beyond |= lanes_of(now >= 1.0) << np.uint64(k - bank)",
        "beyond |= lanes_of(now + load(numbers, LOGARITHM + k) * pause >= 1.0) "
        "<< np.uint64(k - bank)",
        (PHYSICS + "test_lanes.py::test_the_lanes_follow_the_reference_kernel_flip_by_flip",),
    ),
    Edit(
        "work of a flip booked with the spin after it",
        "kernels/lanes.py",
        "store(sums.field, at, where(mine, turned - 2.0 * aligned, turned))",
        "store(sums.field, at, where(mine, turned + 2.0 * aligned, turned))",
        (PHYSICS + "test_first_law.py",),
    ),
    Edit(
        "field of the row's beginning at every flip in it (frozen field)",
        "kernels/lanes.py",
        "passed = load(numbers, PHASE + k) + load(numbers, NOW + k)",
        "passed = load(numbers, PHASE + k) + 0.0 * load(numbers, NOW + k)",
        (PHYSICS + "test_lanes.py::test_the_lanes_follow_the_reference_kernel_flip_by_flip",),
    ),
    Edit(
        "a lane goes on with the stream of the trajectory before",
        "kernels/lanes.py",
        "write(lanes.words, STREAM + word * LANES + k, s[word])",
        "write(lanes.words, STREAM + word * LANES + k, "
        "read(walkers.stream, 4 * (j - j % 2) + word))",
        (PHYSICS + "test_streams.py",),
    ),
    # -- the kernel of large spin networks -------------------------------------------------------
    Edit(
        "class of a rate one power of two too low: thinning violated",
        "kernels/rejection.py",
        "exponent = np.int64(bits_of(bound) >> U52) - 1022",
        "exponent = np.int64(bits_of(bound) >> U52) - 1023",
        (PHYSICS + "test_rejection.py::test_means_agree_with_the_master_equation",),
    ),
    Edit(
        "rate +1 % in the kernel of large networks",
        "kernels/rejection.py",
        "if unit(bits) * height < flip_rate(model.law, read(sites.local, i), x):",
        "if unit(bits) * height < 1.01 * flip_rate(model.law, read(sites.local, i), x):",
        (PHYSICS + "test_lanes.py::test_the_kernel_of_large_networks_flips_as_often_as_it_should",),
    ),
    Edit(
        "neighbours of a flipped spin keep their old class (stale bounds)",
        "kernels/rejection.py",
        "total += place(model, sites, spins, at, n, read(network.neighbour, k))",
        "total += place(model, sites, spins, at, n, i)",
        (PHYSICS + "test_rejection.py::test_means_agree_with_the_master_equation",),
    ),
    # -- the books of spins ----------------------------------------------------------------------
    Edit(
        "heats of the baths swapped",
        "kernels/spin_booking.py",
        "heat += taken if read(network.bath, i) == bath else 0.0",
        "heat += taken if read(network.bath, i) == baths - 1 - bath else 0.0",
        (PHYSICS + "test_first_law.py",),
    ),
    Edit(
        "inclusive work booked after the flips of a segment",
        "kernels/spin_booking.py",
        "inclusive = exclusive - (read(sums.after, at) - read(sums.before, at))",
        "inclusive = read(sums.before, at) - read(sums.after, at)",
        (PHYSICS + "test_first_law.py",),
    ),
    # -- random numbers --------------------------------------------------------------------------
    Edit(
        "two neighbouring trajectories share a stream",
        "kernels/random.py",
        "np.uint64(point), np.uint64(first + k), zero, zero, np.uint64(seed), zero",
        "np.uint64(point), np.uint64((first + k) // 2), zero, zero, np.uint64(seed), zero",
        (PHYSICS + "test_streams.py",),
    ),
    Edit(
        "all points of a sweep share their streams",
        "kernels/random.py",
        "np.uint64(point), np.uint64(first + k), zero, zero, np.uint64(seed), zero",
        "zero, np.uint64(first + k), zero, zero, np.uint64(seed), zero",
        (PHYSICS + "test_streams.py",),
    ),
    Edit(
        "a rotation of xoshiro256++ by 19 bits instead of 45",
        "kernels/random.py",
        "(s3 << U45) | (s3 >> U19)",
        "(s3 << U19) | (s3 >> U45)",
        (PHYSICS + "test_streams.py",),
    ),
    Edit(
        "both normal numbers of a pair from one wave",
        "kernels/random.py",
        "return radius * cosine, radius * sine, state",
        "return radius * cosine, radius * cosine, state",
        (PHYSICS + "test_langevin_statistics.py::test_normal_numbers_are_normal_into_the_tails",),
    ),
    # -- Langevin oscillators --------------------------------------------------------------------
    Edit(
        "temperature +1 % in the O step",
        "kernels/langevin.py",
        "spread=np.sqrt(-np.expm1(-2.0 * decay) * network.temperature / network.mass),",
        "spread=np.sqrt(-np.expm1(-2.0 * decay) * 1.01 * network.temperature / network.mass),",
        (PHYSICS + "test_langevin_steps.py::test_thermal_heat_is_of_second_order_in_the_step",),
    ),
    Edit(
        "drive phase +0.01 radian in the force held",
        "kernels/langevin.py",
        "angle = 2.0 * math.pi * order * fraction + drive.phase[i, k]",
        "angle = 2.0 * math.pi * order * fraction + drive.phase[i, k] + 0.01",
        (
            PHYSICS + "test_langevin_steps.py::"
            "test_mean_positions_at_the_edges_are_of_second_order_in_the_step",
        ),
    ),
    Edit(
        "work booked after the first half of the step",
        "kernels/langevin.py",
        "                move_force(model, numbers, sizes, k, before, at, model.held, step * n)\n"
        "                first_half(model.scheme, model.network, n, numbers, k, "
        "model.held, step)\n",
        "                first_half(model.scheme, model.network, n, numbers, k, model.held, step)\n"
        "                move_force(model, numbers, sizes, k, before, at, model.held, step * n)\n",
        (PHYSICS + "test_langevin_steps.py::test_driven_currents_are_of_second_order_in_the_step",),
    ),
    Edit(
        "heat of Ito instead of Stratonovich",
        "kernels/oscillator_booking.py",
        "gained = half_mass * (after * after - before * before)",
        "gained = 2.0 * half_mass * before * (after - before)",
        (PHYSICS + "test_langevin_steps.py::test_hoh_has_no_shadow_work_in_a_linear_network",),
    ),
    Edit(
        "heat without its 1/2",
        "kernels/oscillator_booking.py",
        "half_mass = heat_at(sizes) + bath * LANES + k, 0.5 * read(model.network.mass, i)",
        "half_mass = heat_at(sizes) + bath * LANES + k, read(model.network.mass, i)",
        (PHYSICS + "test_langevin_steps.py::test_hoh_has_no_shadow_work_in_a_linear_network",),
    ),
    Edit(
        "force held without its factor a / sin a",
        "kernels/integrators.py",
        "return angle / math.sin(angle)",
        "return 1.0",
        (PHYSICS + "test_langevin_steps.py::test_steps_for_a_thousandth_in_every_current",),
    ),
    # -- the exact side --------------------------------------------------------------------------
    Edit(
        "rates +1 % in the master equation",
        "ensemble/jumps/spins.py",
        "out[t, k] = flip_rate(law, local[k], x[t, k])",
        "out[t, k] = 1.01 * flip_rate(law, local[k], x[t, k])",
        (PHYSICS + "test_exact_closed_forms.py",),
    ),
    Edit(
        "slow relaxation taken for fast in the periodic state",
        "ensemble/jumps/ensemble.py",
        "if self._gap > SLOW else None",
        "if True else None",
        (
            PHYSICS
            + "test_slow_relaxation.py::test_a_cluster_that_turns_over_once_in_ten_million_periods",
        ),
    ),
    Edit(
        "a state's probability of staying enters the elimination",
        "ensemble/jumps/stationary.py",
        "leave = u[k, :k].sum()",
        "leave = 1.0 - u[k, k]",
        (
            PHYSICS
            + "test_slow_relaxation.py::test_elimination_survives_any_ratio_of_probabilities",
        ),
    ),
    Edit(
        "all states of a network are listed before they are counted",
        "ensemble/jumps/limits.py",
        "if needed > room:",
        "if False:",
        (
            PHYSICS
            + "test_slow_relaxation.py::test_too_many_states_are_refused_before_anything_is_listed",
        ),
    ),
    Edit(
        "burn-in taken for one period shorter in the exact window",
        "ensemble/jumps/ensemble.py",
        "recorded = range(max(period, plan.burn_in), period + ahead)",
        "recorded = range(max(period, plan.burn_in - 1), period + ahead)",
        (
            PHYSICS
            + "test_exact_independent.py::test_window_is_the_average_over_the_recorded_periods",
        ),
    ),
    Edit(
        "second moments of heat without the square of each heat",
        "ensemble/jumps/counting_dense.py",
        "squares = (taken * heats[:, :, None]) @ process.exits",
        "squares = taken @ process.exits",
        (
            PHYSICS
            + "test_counting.py::test_variance_and_cumulant_rates_of_the_pump_are_known_numbers",
        ),
    ),
    Edit(
        "what a drive does to the heat is not summed by parts at the ends",
        "ensemble/jumps/tilt.py",
        "-(by_parts * value) @ process.conjugate",
        "-(0.0 * by_parts * value) @ process.conjugate",
        (
            PHYSICS
            + "test_counting.py::test_entropy_production_from_a_uniform_start_averages_to_one",
            PHYSICS + "test_counting.py::test_finite_cumulants_are_derivatives_of_the_average",
        ),
    ),
    Edit(
        "powers of what a jump counts without their factorials where states are many",
        "ensemble/jumps/counting_sparse.py",
        "** back / factorial[back]",
        "** back",
        (PHYSICS + "test_counting_large.py",),
    ),
    Edit(
        "waves without the energy that is left in the system",
        "ensemble/jumps/counting_dense.py",
        "return (rows / ends).sum(axis=1)",
        "return rows.sum(axis=1)",
        (PHYSICS + "test_distribution.py::test_coefficients_are_the_averages_of_waves",),
    ),
    Edit(
        "mean square of the driven velocity without its 1/2",
        "ensemble/gaussian.py",
        "square += 0.5 * np.abs(v) ** 2",
        "square += np.abs(v) ** 2",
        (PHYSICS + "test_gaussian_ensemble.py",),
    ),
    Edit(
        "noise of the drive 1 % off in exact averages of oscillators",
        "ensemble/oscillator_finite.py",
        "square = 2 * network.friction * heats * (heats * network.temperature - 1)",
        "square = 2 * network.friction * heats * (1.01 * heats * network.temperature - 1)",
        (PHYSICS + "test_oscillator_counting.py",),
    ),
    # -- runs and their files --------------------------------------------------------------------
    Edit(
        "every block begins with the streams of the first",
        "running/blocks.py",
        "walkers = kernel.begin(model, start, seed, point, first, count)",
        "walkers = kernel.begin(model, start, seed, point, 0, count)",
        (UNIT + "test_run.py::test_the_file_does_not_depend_on_workers_or_blocks",),
    ),
    Edit(
        "a reversed run reuses the seed of the forward one",
        "running/blocks.py",
        'return seed if experiment.drive.direction == "forward" else seed ^ (2**64 - 1)',
        "return seed",
        (UNIT + "test_reverse.py",),
    ),
    Edit(
        "points of a sweep find the model of an earlier one (stale cache)",
        "running/blocks.py",
        "            if point not in self._models:",
        "            point = next(iter(self._models), point)\n"
        "            if point not in self._models:",
        (UNIT + "test_averages.py::test_every_point_of_a_sweep_is_judged",),
    ),
    Edit(
        "compiled code is kept though elementary functions change (stale cache)",
        "compiled/jit.py",
        'COMPILED_PLACES = ("compiled", "models", "kernels", "ensemble")',
        'COMPILED_PLACES = ("compiled/jit.py", "compiled/simd", "models", "kernels", "ensemble")',
        (
            UNIT + "test_jit.py::test_the_digest_changes_with_every_source_of_compiled_code",
            UNIT + "test_layers.py::test_every_module_with_compiled_functions_is_in_the_digest",
        ),
    ),
    Edit(
        "damaged compiled code is unpickled and run",
        "compiled/jit.py",
        "    return data if digest == _digest(file, data) else None",
        "    return data if digest else None",
        (
            UNIT + "test_kept_code.py::test_code_of_another_function_is_not_taken_for_it",
            UNIT + "test_kept_code.py::test_damaged_code_is_compiled_anew",
        ),
    ),
    Edit(
        "compiled code is run that another user put there",
        "system/folders.py",
        "    if status.st_uid not in trusted:",
        "    if status.st_uid not in trusted and last:",
        (UNIT + "test_folders.py",),
    ),
    Edit(
        "a full disk ends a run that would keep its compiled code there",
        "compiled/jit.py",
        "    except OSError as error:\n        _note(error)",
        "    except PermissionError as error:\n        _note(error)",
        (UNIT + "test_kept_code.py::test_a_full_disk_ends_no_run",),
    ),
    Edit(
        "the scheduler of this machine takes anyone",
        "running/engines/places.py",
        '"options": {**here, "protocol": "tls", "security": security},',
        '"options": here,',
        (UNIT + "test_dask_trust.py::test_nobody_without_the_certificate_of_the_run_gets_in",),
    ),
    # -- what is from outside the package --------------------------------------------------------
    Edit(
        "code from outside: an edit of a module it takes names from goes unseen (stale cache)",
        "extending/sources.py",
        "            _gather(other, found)",
        "            _gather(name, found)",
        (
            UNIT + "test_rate_law_plugins.py::"
            "test_compiled_code_is_found_again_and_never_outlives_an_edit",
        ),
    ),
    Edit(
        "code from outside: two laws of one name share compiled code",
        "models/rate_laws.py",
        "        set_apart(law)",
        "        home_of(law)",
        (
            UNIT + "test_rate_law_plugins.py::"
            "test_laws_of_one_name_in_one_process_do_not_get_each_others_code",
        ),
    ),
    Edit(
        "code from outside: a run goes on with another law than it began with",
        "store/parts.py",
        '"plugins", ',
        "",
        (
            UNIT + "test_rate_law_plugins.py::"
            "test_a_run_is_resumed_only_with_the_law_that_it_began_with",
        ),
    ),
    Edit(
        "code from outside: a law that breaks detailed balance passes",
        "models/law_checks.py",
        "        _is_balanced(name, rates, x.sum(axis=1)[:, None] + FIELDS)",
        "        pass",
        (UNIT + "test_rate_law_plugins.py::test_what_is_no_rate_law_is_refused_and_told_why",),
    ),
    Edit(
        "code from outside: heats of the master equation +0.1 %",
        "ensemble/jumps/channels.py",
        "heat, counted = self.heat_of_bath.T @ taken,",
        "heat, counted = 1.001 * self.heat_of_bath.T @ taken,",
        (UNIT + "test_clock_spins.py::test_exact_agrees_with_a_master_equation_made_by_hand",),
    ),
    Edit(
        "status: a library's error after a signal is told as its own",
        "cli/ending.py",
        "if stop.number is not None and status not in (DONE, DISAGREES, STOPPED):",
        "if False:",
        (UNIT + "test_ending.py::test_an_error_that_a_library_makes_of_a_signal_is_a_stop",),
    ),
    Edit(
        "status: a full disk under the answer is left to Python",
        "cli/ending.py",
        "return _flushed(status)",
        "return status",
        (UNIT + "test_ending.py::test_a_full_disk_under_the_answer_has_its_status",),
    ),
    Edit(
        "status: what ran out is taken for bad input",
        "cli/common.py",
        "OUT_OF_RESOURCES if ran_out(sys.exception()) else BAD_INPUT",
        "BAD_INPUT",
        (UNIT + "test_ending.py::test_a_refusal_for_lack_of_room_is_not_one_of_the_input",),
    ),
    Edit(
        "status: OpenBLAS ends the process where memory is short",
        "cli/common.py",
        "    expect_memory()\n",
        "",
        (UNIT + "test_ending.py::test_too_little_room_to_begin_with_has_its_status",),
    ),
    Edit(
        "signals: compiled code is waited for",
        "running/stopping.py",
        "threading.Thread(target=watch, daemon=True).start()",
        "pass",
        (UNIT + "test_ending.py::test_a_signal_is_obeyed_where_python_does_not_see_it",),
    ),
    Edit(
        "signals: a second one interrupts the answer to the first",
        "running/stopping.py",
        "        if stop.number is None:\n            stop.number = number\n            raise",
        "        stop.number = number\n        raise",
        (UNIT + "test_ending.py::test_more_signals_after_the_first_change_nothing",),
    ),
    Edit(
        "signals: a run without a block says that blocks are kept",
        "cli/simulating.py",
        "        if not parts.blocks():",
        "        if False:",
        (UNIT + "test_ending.py::test_a_run_without_a_block_does_not_speak_of_blocks",),
    ),
    Edit(
        "compiling counts as simulating",
        "cli/simulating.py",
        "in {summary.wall_time - compiling:.1f} s",
        "in {summary.wall_time:.1f} s",
        (UNIT + "test_ending.py::test_what_compiling_takes_is_not_counted_as_simulating",),
    ),
    Edit(
        "code that is not compiled is waited for",
        "system/platform.py",
        'if disabled.strip() not in ("", "0"):',
        "if False:",
        (UNIT + "test_ending.py::test_compiling_that_is_switched_off_is_refused_at_once",),
    ),
    Edit(
        "damaged blocks are taken for what they were",
        "store/blocks.py",
        "    if hashlib.sha256(image).hexdigest() != block.sha256:",
        "    if len(image) < 8:",
        (
            UNIT + "test_store.py::test_a_damaged_block_is_struck_from_the_manifest",
            UNIT + "test_dask.py::test_what_does_not_arrive_as_it_was_sent_is_refused",
        ),
    ),
    Edit(
        "blocks of other runs are taken up",
        "store/blocks.py",
        'if (attribute(path, file, "run") or "") != run:',
        "if not isinstance(run, str):",
        (UNIT + "test_flips.py::test_a_block_of_another_run_is_left_aside",),
    ),
    Edit(
        "lines of other runs are taken for this one's",
        "store/parts.py",
        "if run != self.run_id:",
        "if not run:",
        (UNIT + "test_flips.py::test_a_line_of_another_run_is_refused",),
    ),
    Edit(
        "a header is not asked for its digest",
        "store/parts.py",
        "if stated != digest(found) and not (",
        "if stated is None and not (",
        (UNIT + "test_flips.py::test_an_altered_header_is_refused_by_name",),
    ),
    Edit(
        "attributes of arrays have no digest",
        "store/digests.py",
        '"attributes": _attributes(data),',
        '"attributes": {},',
        (UNIT + "test_flips.py::test_what_else_a_reader_sees_is_verified_too",),
    ),
    Edit(
        "the structure of a file is not guarded",
        "store/frame.py",
        "        return _within(arrays, end) and line == guarding_line(read, end, arrays)",
        "        return _within(arrays, end)",
        (UNIT + "test_flips.py::test_a_bit_flipped_in_a_finished_file_is_told_or_changes_nothing",),
    ),
    Edit(
        "what breaks the first law is read without a word",
        "store/reading.py",
        "        if broken is not None:",
        "        if broken is not None and self._point < 0:",
        (UNIT + "test_flips.py::test_a_flipped_exponent_is_told_by_what_reads_rows",),
    ),
    Edit(
        "columns are read without a look at their digests",
        "store/reading.py",
        "if sha256 != self._run.checksums[name]",
        'if self._run.checksums[name] == "none"',
        (UNIT + "test_flips.py::test_what_the_first_law_does_not_tell_is_told_by_the_digest",),
    ),
    Edit(
        "what others put into a run's folder is deleted with it",
        "store/parts.py",
        "            if OWN.fullmatch(path.name)",
        "            if OWN",
        (UNIT + "test_run.py::test_what_others_put_into_the_folder_of_a_run_stays",),
    ),
    Edit(
        "an error is shown in the digits of another power of ten",
        "analysis/estimate.py",
        "    places = power_of_ten - last\n",
        "    places = power_of_ten - last + (last < -3)\n",
        (UNIT + "test_estimate.py",),
    ),
    Edit(
        "a block kept in memory is not a copy",
        "store/in_memory.py",
        "name: np.array(values) for",
        "name: np.asarray(values) for",
        (UNIT + "test_in_memory.py::test_a_block_in_memory_is_a_copy",),
    ),
    Edit(
        "an unfinished run is written over by one that is saved",
        "running/in_memory.py",
        "    if Parts(output).exists():",
        "    if Parts(output).exists() and not force:",
        (UNIT + "test_in_memory.py::test_what_save_may_not_replace_is_refused",),
    ),
    Edit(
        "a run replaces a config",
        "running/run.py",
        "    if holds_config(output):",
        "    if holds_config(output) and not output.exists():",
        (UNIT + "test_outputs.py::test_what_no_run_may_replace_is_refused_whatever_is_forced",),
    ),
    Edit(
        "bytes behind the last line of a file are not told",
        "store/frame.py",
        "            if end + len(line) < size:",
        "            if end + len(line) < 0:",
        (UNIT + "test_outputs.py::test_bytes_behind_the_last_line_of_a_run_are_told",),
    ),
    Edit(
        "shares of shards one trajectory short",
        "store/shards.py",
        "whole * self.number // self.total",
        "max(0, whole * self.number // self.total - 1)",
        (UNIT + "test_shards.py::test_shares_cut_a_run_evenly_and_leave_nothing_out",),
    ),
    Edit(
        "blocks are packed one trajectory too far ahead",
        "store/packed.py",
        "before = block.point * layout.trajectories + block.first\n",
        "before = block.point * layout.trajectories + max(block.first - 1, 0)\n",
        (UNIT + "test_store.py::test_a_packed_file_holds_the_blocks_and_replaces_their_folder",),
    ),
    Edit(
        "shadow work left out of the first law",
        "ledger.py",
        'if "shadow_work" in columns:\n        rest -= columns["shadow_work"]',
        'if "shadow_work" in columns:\n        rest -= 0.0 * columns["shadow_work"]',
        (ENSEMBLE + "test_oscillators_end_to_end.py",),
    ),
    # -- analysis and check ----------------------------------------------------------------------
    Edit(
        "standard errors 1 % too small",
        "analysis/moments.py",
        "return np.sqrt(self.variance / self.count)",
        "return 0.99 * np.sqrt(self.variance / self.count)",
        (UNIT + "test_moments.py",),
    ),
    Edit(
        "fourth cumulant with 2 instead of 3 squares of the second",
        "analysis/cumulants.py",
        "- 3 * n * (n - 1) * s2**2",
        "- 2 * n * (n - 1) * s2**2",
        (UNIT + "test_cumulants.py",),
    ),
    Edit(
        "jackknife without its factor of the batch's share",
        "analysis/batches.py",
        "variance = ((pseudo - centre) ** 2 / (ratio - 1)).mean(axis=0)",
        "variance = ((pseudo - centre) ** 2 / ratio).mean(axis=0)",
        (UNIT + "test_cumulants.py",),
    ),
    Edit(
        "windows one row short",
        "analysis/windows.py",
        "at = self.starts[:, None] + np.arange(self.rows)",
        "at = self.starts[:, None] + np.arange(self.rows - 1)",
        (UNIT + "test_fluctuations.py::test_cumulants_and_covariances_are_those_of_the_columns",),
    ),
    Edit(
        "theta compared at k instead of -1 - k",
        "analysis/theorems/symmetry.py",
        "mean[0] - other[0, ::-1],",
        "mean[0] - other[0],",
        (UNIT + "test_theorems.py",),
    ),
    Edit(
        "threshold of the check one-sided",
        "comparison/verdict.py",
        "return -float(stdtrit(fewest - 1, FALSE_ALARM / (2 * max(judged, 1))))",
        "return -float(stdtrit(fewest - 1, FALSE_ALARM / max(judged, 1)))",
        (
            UNIT
            + "test_averages.py::test_the_threshold_allows_one_false_alarm_in_ten_thousand_runs",
        ),
    ),
    Edit(
        "errors of variances balanced twice over",
        "comparison/spreads.py",
        "return np.nan_to_num((size(exact) / size(sampled)) ** 0.25, nan=1.0, posinf=1.0)",
        "return np.nan_to_num((size(exact) / size(sampled)) ** 0.5, nan=1.0, posinf=1.0)",
        (UNIT + "test_spreads.py",),
    ),
    # -- large systems ---------------------------------------------------------------------------
    Edit(
        "a search tells scipy, not the user, that there is no exact side",
        "explore/optimum.py",
        "            except NoExactSideError as error:",
        "            except KeyError as error:",
        (UNIT + "test_large_systems.py",),
    ),
    Edit(
        "a thinned curve loses what is greatest",
        "plots/trajectory.py",
        "for each in (np.minimum, np.maximum))",
        "for each in (np.minimum, np.minimum))",
        (UNIT + "test_large_systems.py::test_a_thinned_curve_keeps_every_extreme",),
    ),
    Edit(
        "the start is listed before the ensemble refuses so many states",
        "comparison/__init__.py",
        """        exact = ensemble(network, TOLERANCE)
        begin = start_state(network, point.experiment.ensemble.initial)
""",
        """        begin = start_state(network, point.experiment.ensemble.initial)
        exact = ensemble(network, TOLERANCE)
""",
        (UNIT + "test_large_systems.py",),
    ),
    # -- outputs ---------------------------------------------------------------------------------
    Edit(
        "an output written in place",
        "system/files.py",
        'temporary = target.with_name(f".trajsim-{secrets.token_hex(8)}.tmp")',
        "temporary, _ = target, secrets\n    target.unlink(missing_ok=True)",
        (UNIT + "test_outputs.py::test_a_file_is_written_whole_or_stays_as_it_was",),
    ),
    Edit(
        "a run that a link leads to is no run",
        "system/files.py",
        "    if holds_run(target):",
        "    if holds_run(target) and not path.is_symlink():",
        (UNIT + "test_outputs.py::test_no_verb_writes_over_a_run_however_it_is_spelled",),
    ),
    Edit(
        "names cut at the first dot",
        "system/files.py",
        "            return name[: -len(suffix)]",
        '            return name.split(".")[0]',
        (UNIT + "test_outputs.py::test_only_the_last_known_ending_is_taken_off",),
    ),
    # -- names, values, signs --------------------------------------------------------------------
    Edit(
        "a site called total hides the sum",
        "analysis/windows.py",
        "return OTHER_TOTAL if TOTAL in drives else TOTAL",
        "return TOTAL",
        (UNIT + "test_names.py",),
    ),
    Edit(
        "a key of two bonds means the first",
        "config/keys.py",
        "    if len(pairs) > 1:",
        "    if len(pairs) > 2:",
        (UNIT + "test_names.py::test_a_key_of_two_bonds_is_refused_with_both_meanings",),
    ),
    Edit(
        "a swept experiment is loaded again without its sweep",
        "config/values.py",
        "value = value.model_dump(exclude_unset=True, exclude_none=True)",
        'value = value.model_dump(exclude_unset=True, exclude_none=True, exclude={"sweep"})',
        (
            UNIT
            + "test_overrides.py::test_a_sweep_put_in_place_before_is_kept_and_can_be_taken_away",
        ),
    ),
    Edit(
        "a sign as small as its doubt",
        "analysis/estimate.py",
        "    if not abs(value) - doubt > sure * error:",
        "    if not abs(value) > sure * error:",
        (UNIT + "test_signs.py",),
    ),
    Edit(
        "exact errors of oscillators without what their covariance leaves",
        "ensemble/gaussian.py",
        "spread = ROUNDING * square + SAFE * np.abs(np.diag(left)[n:])",
        "spread = 0 * (ROUNDING * square + SAFE * np.abs(np.diag(left)[n:]))",
        (UNIT + "test_signs.py::test_oscillators_in_equilibrium_have_no_currents_and_no_regime",),
    ),
    Edit(
        "covariances that differ by rounding",
        "comparison/spreads.py",
        "both = rounding * math.sqrt(time) * np.add.outer(spread, spread) + rounding**2 * time",
        "both = rounding**2 * time * np.ones_like(covariance)",
        (UNIT + "test_check_rounding.py",),
    ),
    Edit(
        "slopes by periods beyond the allowed ones",
        "comparison/settings.py",
        "        if all(allowed[0] <= p <= allowed[1] for p, _ in near):",
        "        if any(allowed[0] <= p <= allowed[1] for p, _ in near):",
        (UNIT + "test_derived.py",),
    ),
    Edit(
        "the largest effective size instead of the one that limits",
        "analysis/theorems/symmetry.py",
        "effective = min(float(growth.effective[last].min()) for growth in both)",
        "effective = min(float(growth.effective[last].max()) for growth in both)",
        (UNIT + "test_derived.py",),
    ),
    # -- what is shown -----------------------------------------------------------------------------
    Edit(
        "figures look as matplotlibrc says",
        "plots/style.py",
        "            mpl.rcdefaults()\n",
        "",
        (UNIT + "test_shown_text.py::test_a_matplotlibrc_of_the_user_changes_nothing",),
    ),
    Edit(
        "ends of lines in file names are obeyed",
        "system/text.py",
        "c.isprintable() or c in keep else",
        'c.isprintable() or c in keep + "\\n" else',
        (UNIT + "test_shown_text.py::test_titles_and_file_names_are_escaped_by_every_verb",),
    ),
    Edit(
        "panels that are not drawn are not told",
        "plots/left_out.py",
        "if all_ > most]",
        "if all_ > 2 * most]",
        (UNIT + "test_shown_text.py::test_panels_that_are_not_drawn_are_told",),
    ),
)
