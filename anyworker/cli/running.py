"""``anyworker run``."""

import contextlib
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

import anyworker
from anyworker.cli import sharing
from anyworker.fleet.control.pid_file import pid_file as keep_pid_file

logger = logging.getLogger(__name__)


@click.command()
@sharing.targets
@sharing.config
@click.option("--backend", type=sharing.BACKEND, show_default="asyncio", help=sharing.BACKEND_HELP)
@click.option("--grace", type=sharing.GRACE, show_default="25.0", help=sharing.GRACE_HELP)
@sharing.lifespan
@sharing.middleware
@sharing.verbose
@click.option(
    "--processes",
    show_default="1",
    metavar="N|per-worker",
    help="How many processes, each with all workers; or one process for each worker.",
)
@click.option(
    "--max-tasks",
    type=click.IntRange(min=1),
    help="Most tasks of all workers of a process in hand at once; by default any number.",
)
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="How to log: lines for people, or JSON, with the task's id, workflow, type and attempt as fields.",
)
@click.option(
    "--pid-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to keep the process's id, for `anyworker quiet`.",
)
def run(
    targets: Sequence[str],
    path: str | None,
    backend: str | None,
    grace: float | None,
    *,
    lifespan: str | None,
    middleware: Sequence[str],
    verbose: bool,
    processes: str | None,
    max_tasks: int | None,
    log_format: sharing.LogFormat,
    pid_file: Path | None,
) -> None:
    """Import modules or files and run the workers that they declare.

    The server is CONDUCTOR_SERVER_URL, by default http://localhost:8080/api. What is not on the command line
    may be in a settings file: the modules, the server, all options; `anyworker config` shows what holds.

    \b
    Exit status:
      0        everything was handed over
      2        the command line is wrong
      3        could not start; the log names every problem
      4        a result could not be delivered, or a thread could not be stopped
      128 + n  forced by signal n, the third

    Example: anyworker run my_app.workers billing/workers.py --backend trio
    """
    from anyworker.run_settings import choose  # noqa: PLC0415 - `--help` need not wait for it

    sharing.log(verbose=verbose, form=log_format)
    file = sharing.read_file(path)
    flags = {
        "backend": backend,
        "grace": grace,
        "processes": _processes(processes),
        "max_tasks": max_tasks,
        "lifespan": lifespan,
        "middleware": middleware,
    }
    chosen = {name: each.value for name, each in choose(flags, file).items()}
    chosen["modules"] = sharing.named_modules(targets, file)
    if file is not None:
        logger.info("Settings from %s", file.name)
    chosen["backend"], chosen["backend_options"] = sharing.event_loop(chosen["backend"])
    # TOML has no null.
    chosen["watchdog"] = chosen["watchdog"] or None
    with sharing.refusing(), _kept(pid_file):
        anyworker.run(
            import_modules=chosen.pop("modules"),
            configuration=None if file is None else sharing.configured(file),
            metrics_settings=None if file is None else sharing.metrics_of(file),
            **chosen,
        )


def _kept(path: Path | None) -> contextlib.AbstractContextManager[None]:
    if path is None:
        return contextlib.nullcontext()
    # Who finds the file may send it at once, and by default it would end the process.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    return keep_pid_file(path)


def _processes(text: str | None) -> int | Literal["per-worker"] | None:
    if text is None:
        return None
    if text == "per-worker":
        return "per-worker"
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    message = f"--processes {text}: expected a number of processes, 1 or more, or per-worker"
    raise click.UsageError(message)
