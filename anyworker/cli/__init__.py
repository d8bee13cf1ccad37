"""The ``anyworker`` command."""

import click

import anyworker
from anyworker.cli.completing import completion
from anyworker.cli.developing import dev
from anyworker.cli.looking import config, doctor, list_workers, schema
from anyworker.cli.measuring import bench
from anyworker.cli.migrating import migrate
from anyworker.cli.outbox import outbox
from anyworker.cli.running import run
from anyworker.cli.steering import quiet


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(anyworker.__version__)
def main() -> None:
    """Run workers for Conductor.

    Every command's --help has an example and its exit statuses. A wrong command line is 2 everywhere.

    Example: anyworker dev my_app/workers.py
    """


for command in (run, dev, quiet, list_workers, schema, config, doctor, outbox, bench, migrate, completion):
    main.add_command(command)
