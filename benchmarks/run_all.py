"""Run every benchmark, one after the other, and put the results into README.md.

python benchmarks/run_all.py            about a quarter of an hour; the machine should be quiet
python benchmarks/run_all.py --quick    a smoke test that changes no result
"""

import subprocess
import sys

from common import HERE

PACKAGES = HERE / ".venv" / "bin" / "python"
COMMANDS = [
    ["spins.py"],
    ["spins.py", "--avx2"],
    ["waveforms.py"],
    ["networks.py"],
    ["oscillators.py"],
    ["oscillators.py", "--avx2"],
    ["overdamped.py"],
    ["scaling.py"],
    ["whole_program.py"],
    ["packages.py"],
]


def main():
    quick = "--quick" in sys.argv[1:]
    how = "--quick" if quick else "--save"
    failed = []
    for script, *options in COMMANDS:
        # The packages live in an environment of their own, where there is one.
        own = script == "packages.py" and PACKAGES.exists()
        python = str(PACKAGES) if own else sys.executable
        print(f"\n== {' '.join([script, *options, how])}", flush=True)
        if subprocess.run([python, str(HERE / script), *options, how]).returncode:
            failed.append(" ".join([script, *options]))
    if not quick:
        subprocess.run([sys.executable, str(HERE / "report.py")], check=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
