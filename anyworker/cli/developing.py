"""``anyworker dev``."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

import anyworker
from anyworker.cli import sharing

if TYPE_CHECKING:
    from anyworker.dev.definitions import Definitions
    from anyworker.dev.settings import Settings


@click.command()
@sharing.required_targets
@click.option(
    "--backend", type=sharing.BACKEND, default="asyncio", show_default=True, help=sharing.BACKEND_HELP
)
@click.option("--grace", type=sharing.GRACE, default=25.0, show_default=True, help=sharing.GRACE_HELP)
@sharing.lifespan
@sharing.middleware
@sharing.verbose
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    show_default="8080, with --once a free one",
    help="0 for a free one.",
)
@click.option(
    "--waiting",
    type=click.Choice(["fill", "first"]),
    default="fill",
    show_default=True,
    help="How polls wait: until they have all they asked for, as on SQL back ends, or for the first task, "
    "as on Redis.",
)
@click.option(
    "--orkes",
    is_flag=True,
    help="Serve /token and /schema, too, as Orkes does, and ask for CONDUCTOR_AUTH_KEY and "
    "CONDUCTOR_AUTH_SECRET where these are set.",
)
@click.option("--admin", is_flag=True, help="Let things go wrong on demand, by requests to /admin/faults.")
@click.option("--no-reload", is_flag=True, help="Leave the workers as they are when their code changes.")
@click.option(
    "--workflow",
    "files",
    multiple=True,
    metavar="FILE.json",
    help="Register what is defined in a file: one definition or a list. One without tasks that has what only "
    "a task definition has, such as retryCount, is a task definition. May be given more than once.",
)
@click.option("--start", metavar="NAME", help="Start a workflow as soon as the workers are ready.")
@click.option("--input", "source", metavar="JSON|@FILE|-", help="Its input: an object, by default {}.")
@click.option(
    "--once",
    is_flag=True,
    help="End when that workflow has ended, its output as JSON on standard output and all else on standard "
    "error.",
)
def dev(targets: Sequence[str], **options: Any) -> None:
    """Run workers against a development server, and show each task as it moves.

    The server keeps everything in memory and speaks the Conductor API at http://127.0.0.1:PORT/api. Without
    --workflow each worker gets a workflow of its name, to try it with. When the workers' code changes, what
    runs is finished or handed back, and the new code goes on; the server and its workflows stay.

    \b
    Examples:
      anyworker dev workers.py
      anyworker dev workers.py --start greet --input '{"name": "World"}' --once
      anyworker dev my_app.workers --workflow order.json --start order --input @order-1.json

    \b
    Exit status:
      0    everything was handed over; with --once, the workflow is COMPLETED
      1    with --once: it ended otherwise, or had not ended
      2    the command line is wrong, or a file that it names
      3    could not start: the port, the workers' code, a definition, the workflow's name
      4    a task was abandoned
      128+n  forced by signal n, the third
    """
    definitions, source = _read_files(options.pop("files"), options["start"], options.pop("source"))
    if options["once"] and options["start"] is None:
        message = "--once needs --start NAME, the workflow to wait for"
        raise click.UsageError(message)
    _check_extra()
    from anyworker.dev.command import run_dev  # noqa: PLC0415 - what it needs is an extra's

    sys.exit(run_dev(_settings(targets, definitions, source, options)))


def _check_extra() -> None:
    missing = [name for name in ("rich", "uvicorn", "watchfiles") if importlib.util.find_spec(name) is None]
    if missing:
        message = f"{' and '.join(missing)} missing; install what it needs with: pip install 'anyworker[dev]'"
        raise sharing.CouldNotStart(message)


def _settings(
    targets: Sequence[str],
    definitions: "Definitions | None",
    source: Mapping[str, Any],
    options: Mapping[str, Any],
) -> "Settings":
    from anyworker.dev.settings import Settings  # noqa: PLC0415 - other commands need not wait for it

    default_port = 0 if options["once"] else 8080
    return Settings(
        targets=tuple(targets),
        lifespan=options["lifespan"],
        middleware=options["middleware"],
        backend=options["backend"],
        grace=options["grace"],
        level="DEBUG" if options["verbose"] else "INFO",
        port=default_port if options["port"] is None else options["port"],
        waiting=options["waiting"],
        is_orkes=options["orkes"],
        has_admin=options["admin"],
        has_reload=not (options["no_reload"] or options["once"]),
        definitions=definitions,
        start=options["start"],
        input=source,
        is_once=options["once"],
    )


def _read_files(
    files: Sequence[str], start: str | None, source: str | None
) -> "tuple[Definitions | None, dict[str, Any]]":
    from anyworker.dev.arguments import read_definitions, read_input  # noqa: PLC0415

    if source is not None and start is None:
        message = "--input needs --start NAME, the workflow that it is for"
        raise click.UsageError(message)
    try:
        definitions = read_definitions(files) if files else None
        return definitions, {} if source is None else read_input(source, sys.stdin.buffer)
    except anyworker.ConfigurationError as error:
        raise click.UsageError(str(error)) from None
