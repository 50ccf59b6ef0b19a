"""The command line. Everything heavy is imported inside the commands: `--help` is instant."""

import sys

try:
    import click

    import trajsim
    from trajsim.cli import ensemble, exploring, files, looking, reproducing, simulating, tracing
    from trajsim.cli.common import add_common_options, traceback_option
    from trajsim.cli.ending import Program
except KeyboardInterrupt:
    print("stopped", file=sys.stderr)
    raise SystemExit(130) from None
except (MemoryError, OSError) as error:
    print(error or "out of memory", file=sys.stderr)
    raise SystemExit(5) from None

EXIT_STATUSES = """\b
Exit status:
  0    done
  1    check disagrees, verify: not sound, optimize: nothing found,
       reproduce: something published does not hold
  2    bad input, with a sentence that says where and what
  3    run, merge or reproduce was stopped; it can be resumed
  4    internal error; please report it
  5    memory, open files, threads or disk space ran out
  130  another verb was stopped by Ctrl-C (SIGTERM: 143)
  141  standard output was closed early, as by head
"""


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[traceback_option()],
    epilog=EXIT_STATUSES,
)
@click.version_option(trajsim.__version__)
def main() -> None:
    """Single trajectories of small driven systems between heat baths, with the books kept."""


for module in (simulating, ensemble, exploring, looking, tracing, reproducing, files):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            add_common_options(command)
            main.add_command(command)
