"""The command line. Everything heavy is imported inside the commands: `--help` is instant."""

import click

import trajsim
from trajsim.cli import ensemble, exploring, files, looking, reproducing, simulating, tracing
from trajsim.cli.common import add_plugin_option


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(trajsim.__version__)
def main() -> None:
    """Single trajectories of small driven systems between heat baths, with the books kept."""


for module in (simulating, ensemble, exploring, looking, tracing, reproducing, files):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            add_plugin_option(command)
            main.add_command(command)
