"""Put the tables of benchmarks/results/*.json into benchmarks/README.md, between its markers.

python benchmarks/report.py            writes README.md anew
python benchmarks/report.py --check    only tells whether it is as the results are
"""

import json
import re
import sys

from common import HERE, RESULTS

README = HERE / "README.md"

VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "": "no AVX2"}


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def origin(found):
    """Where the numbers of a result come from."""
    machine = found["machine"]
    vectors = next(name for key, name in VECTORS.items() if not key or key in machine["vectors"])
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    return [
        "",
        f"`{found['command']}`, {found['date']}: {machine['processor']} ({vectors}), "
        f"{machine['cores']} cores, {machine['system']}, {machine['compiler']} "
        f"`{machine['flags']}`; {libraries}.",
    ]


def million(t):
    return f"{1e-6 / t['min']:.3g}", f"{1e-6 / t['median']:.3g}"


def nanoseconds(t, digits=2):
    return f"{1e9 * t['min']:.{digits}f}", f"{1e9 * t['median']:.{digits}f}"


def spread(r):
    """A ratio: the median of the pairs, and their range."""
    return f"{r['median']:.3g} ({r['min']:.3g} to {r['max']:.3g})"


def spins(found):
    lines = []
    for point, result in found["points"].items():
        period, exact = result["period"], result["exact"]
        flips = (exact["flips.1"] + exact["flips.2"]) * period
        lines += [
            f"**{point}**, million periods a second; exact: {flips:.3f} flips a period, "
            f"q_L = {exact['heat.L']:.3e}.",
            "",
        ]
        rows = []
        for name, c in result["contenders"].items():
            mean, error = c["means"], c["stderr"]
            rows.append(
                [
                    name,
                    *million(c["seconds_per_period"]),
                    spread(c["times_faster"]),
                    f"{(mean['flips.1'] + mean['flips.2']) * period:.3f}",
                    f"{mean['heat.L']:.2e} ± {error['heat.L']:.0e}",
                    f"{c['furthest']:.1f}",
                    f"{c['first_law_residual']:.0e}",
                ]
            )
        header = [
            "",
            "best",
            "median",
            f"times as fast as {result['compared_with']}",
            "flips a period",
            "q_L",
        ]
        lines += [*table([*header, "furthest mean, σ", "first law"], rows), ""]
    return lines[:-1]


def oscillators(found):
    lines = []
    for case, result in found["cases"].items():
        lines += [f"**{case}**, ns a trajectory-step at {found['steps_per_period']} a period.", ""]
        header = ["", "best", "median", f"times as long as {result['compared_with']}"]
        linear, rows = case == "alpha = 0", []
        for name, c in result["contenders"].items():
            t, steps = c["seconds_per_step"], c["steps_for_a_thousandth"]
            row = [name, *nanoseconds(t), spread(c["times_slower"])]
            if linear:
                row += [steps, f"{1e-6 / t['min'] / steps:.2f}"]
            first = name == "trajsim HOH" and not linear
            rows.append([*row, "" if first else f"{c['furthest']:.1f}"])
        if linear:
            header += ["steps a period for 0.1 %", "million periods a second at 0.1 %"]
        lines += [*table([*header, "furthest mean, σ"], rows), ""]
    return lines[:-1]


def overdamped(found):
    lines = [f"ns a trajectory-step at {found['steps_per_period']} a period.", ""]
    rows = [
        [f"{name}, {case}", *nanoseconds(c["seconds_per_step"]), spread(c["times_slower"])]
        for case, result in found["cases"].items()
        for name, c in result.items()
    ]
    return lines + table(["", "best", "median", "times as long as trajsim"], rows)


def waveforms(found):
    rows = [
        [
            name,
            *million(c["seconds_per_period"]),
            spread(c["speed"]),
            f"{c['flips_per_period']:.2f}",
            f"{c['acceptance']:.3f}",
            f"{c['first_run_seconds']:.1f}" if "first_run_seconds" in c else "",
        ]
        for name, c in found["cases"].items()
    ]
    header = ["", "best", "median", "speed in that of cosine fields", "flips a period"]
    lines = ["Million periods a second.", ""]
    return lines + table([*header, "acceptance", "first run, CPU s"], rows)


def networks(found):
    lines = []
    for case, contenders in found["cases"].items():
        rows = [
            [
                name,
                *nanoseconds(c["seconds_per_jump"], 1),
                spread(c["times_faster"]),
                f"{c['furthest']:.1f}",
                f"{c['first_law_residual']:.0e}",
            ]
            for name, c in contenders["contenders"].items()
        ]
        header = ["", "best", "median", "times as fast as C, plain", "furthest mean, σ"]
        lines += [f"**{case}**, nanoseconds a jump.", "", *table([*header, "first law"], rows), ""]
    return lines[:-1]


def packages(found):
    spins, oscillators = found["spins"], found["oscillators"]
    lines = ["**Spins in constant fields**, million periods a second.", ""]
    rows = [
        [
            name,
            *million(c["seconds_per_period"]),
            spread(c["times_slower"]),
            f"{(c['means']['flips.1'] + c['means']['flips.2']) * spins['period']:.3f}",
            f"{c['furthest']:.1f}",
        ]
        for name, c in spins["contenders"].items()
    ]
    header = ["", "best", "median", "times slower than trajsim", "flips a period"]
    lines += [*table([*header, "furthest mean, σ"], rows), "", *absent(spins)]
    lines += ["**Linear oscillators**, ns a trajectory-step.", ""]
    rows = [
        [
            name,
            *nanoseconds(c["seconds_per_step"], 1),
            spread(c["times_slower"]),
            at_least(name, c["steps_for_a_thousandth"]),
            f"{c['furthest']:.1f}",
        ]
        for name, c in oscillators["contenders"].items()
    ]
    header = ["", "best", "median", "times as long as trajsim HOH", "steps a period for 0.1 %"]
    return [*lines, *table([*header, "furthest mean, σ"], rows), "", *absent(oscillators)][:-1]


def at_least(name, steps):
    if steps is None:
        return ""
    return f"at least {steps}" if name in ("diffrax", "LAMMPS") else str(steps)


def absent(result):
    return [f"Left out: {name} ({why})." for name, why in result["missing"].items()]


def scaling(found):
    rows = [
        [name, *nanoseconds(t, 1), f"{1e-6 / t['min']:.3g}"]
        for name, t in found["spins"]["systems"].items()
    ]
    lines = table(["spins", "best, ns a flip", "median", "million flips a second"], rows)
    rows = [
        [name, *nanoseconds(t, 1), f"{1e9 * t['min'] / int(name.split()[1]):.2f}"]
        for name, t in found["oscillators"]["systems"].items()
    ]
    header = ["oscillators", "best, ns a trajectory-step", "median", "best, ns a site"]
    lines += ["", *table(header, rows), ""]
    rows = [
        [name, n, f"{r['best']:.2f}", spread(r)]
        for name, by in found["workers"].items()
        for n, r in by.items()
        if n != "1"
    ]
    return lines + table(["", "workers", "times one, of the best", "pair by pair"], rows)


def whole_program(found):
    periods, rows = found["trajectories"] * found["periods"], []
    for n, run in found["runs"].items():
        wall = run["wall_seconds"]
        rows.append(
            [
                n,
                *(f"{wall[k]:.2f}" for k in ("min", "median")),
                f"{run['wall_seconds_inside']['min']:.2f}",
                f"{run['cpu_seconds']:.2f}",
                f"{run['times_faster_than_one']['best']:.2f}",
                f"{run['bytes_per_second'] / 1e6:.0f}",
                f"{run['peak_megabytes']:.0f}",
            ]
        )
    header = ["workers", "best, s", "median", "without start-up", "CPU, s", "times one"]
    lines = [f"`trajsim run` of {periods:,} pump periods with a row each.", ""]
    lines += table([*header, "MB/s of the file", "peak MB"], rows)
    size, disk = found["runs"]["1"]["file_bytes"] / 1e6, found["disk_bytes_per_second"] / 1e6
    lines += ["", f"The file has {size:.0f} MB; the disk takes {disk:.0f} MB/s with fsync.", ""]
    parts = dict(found["start_up"])
    for name, t in found.get("first_compile", {}).items():
        parts[f"a run with nothing compiled, {name}"] = t
    rows = [[name, f"{t['min']:.2f}", f"{t['median']:.2f}"] for name, t in parts.items()]
    lines += [*table(["start-up", "best, s", "median"], rows), ""]
    most = [f"{name} {ms:.0f}" for name, ms in list(found["imports"].items())[:8]]
    return [*lines, f"Importing `trajsim.running.run`, ms by library: {', '.join(most)}."]


SECTIONS = {
    "spins": spins,
    "spins-avx2": spins,
    "waveforms": waveforms,
    "networks": networks,
    "oscillators": oscillators,
    "oscillators-avx2": oscillators,
    "overdamped": overdamped,
    "packages": packages,
    "scaling": scaling,
    "whole_program": whole_program,
}


def render(text):
    """The page with all tables as the results are."""
    for name, section in SECTIONS.items():
        path = RESULTS / f"{name}.json"
        body = ["(not measured yet)"]
        if path.exists():
            found = json.loads(path.read_text())
            body = [*section(found), *origin(found)]
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        assert pattern.search(text), f"README.md has no place for {name}"
        fresh = "\n".join([begin, "", *body, "", end])
        text = pattern.sub(lambda _, fresh=fresh: fresh, text)
    return text


def main():
    text = README.read_text(encoding="utf-8")
    fresh = render(text)
    if "--check" in sys.argv:
        sys.exit(0 if fresh == text else "README.md is not as the results are: run report.py")
    README.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
