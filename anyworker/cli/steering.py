"""``anyworker quiet``."""

import os
import signal
from pathlib import Path

import click

from anyworker.fleet.control.pid_file import NobodyThereError, holder


@click.command()
@click.option(
    "--pid-file",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `anyworker run` was given as --pid-file.",
)
def quiet(path: Path) -> None:
    """Let running workers take no more tasks; what they run goes on.

    For a hook that runs before a container is stopped: the workers stay until they are told to end, and are
    no longer ready meanwhile. SIGUSR2 lets them poll again.

    \b
    Exit status:
      0  told
      1  no process is there
      2  the command line is wrong

    Example: anyworker quiet --pid-file /run/anyworker.pid
    """
    try:
        pid = holder(path)
    except NobodyThereError as error:
        raise click.ClickException(str(error)) from None
    os.kill(pid, signal.SIGUSR1)
    click.echo(f"Process {pid} takes no more tasks.")
