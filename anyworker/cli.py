"""The ``anyworker`` command."""

import importlib.util
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import anyio
import click

import anyworker
from anyworker.fleet.conventions import LOG_FORMAT

if TYPE_CHECKING:
    from anyworker.dev.definitions import Definitions
    from anyworker.dev.settings import Settings
    from anyworker.options import ResolvedWorker

Backend = Literal["asyncio", "trio"]
_targets = click.argument("targets", nargs=-1, required=True, metavar="MODULE_OR_FILE...")


def _worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        _targets,
        click.option(
            "--backend",
            type=click.Choice(["asyncio", "uvloop", "trio"]),
            default="asyncio",
            show_default=True,
            help="The event loop.",
        ),
        click.option(
            "--grace",
            type=click.FloatRange(min=0),
            default=25.0,
            show_default=True,
            help="Seconds that running tasks may take to finish after the first signal.",
        ),
        click.option("--verbose", is_flag=True, help="Log what happens in detail."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(anyworker.__version__)
def main() -> None:
    """Run workers for Conductor."""


@main.command()
@_worker_options
@click.option(
    "--processes",
    default="1",
    show_default=True,
    metavar="N|per-worker",
    help="How many processes, each with all workers; or one process for each worker.",
)
def run(targets: Sequence[str], backend: str, grace: float, *, verbose: bool, processes: str) -> None:
    """Import modules or files and run the workers that they declare.

    The server is CONDUCTOR_SERVER_URL, by default http://localhost:8080/api.

    Example: anyworker run my_app.workers billing/workers.py --backend trio
    """
    _log(verbose=verbose)
    name, backend_options = _chosen(backend)
    anyworker.run(
        backend=name,
        backend_options=backend_options,
        processes=_processes(processes),
        import_modules=targets,
        grace=grace,
    )


def _processes(text: str) -> int | Literal["per-worker"]:
    if text == "per-worker":
        return "per-worker"
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    message = f"--processes {text}: expected a number of processes, 1 or more, or per-worker"
    raise click.UsageError(message)


@main.command()
@_worker_options
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
        raise _CouldNotStart(message)


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


_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@main.command("list")
@_targets
@_as_json
def list_workers(targets: Sequence[str], *, as_json: bool) -> None:
    """List the workers that modules or files declare: function, place, options that are not the defaults.

    Example: anyworker list my_app.workers
    """
    from anyworker import inspection  # noqa: PLC0415 - it brings what `run` needs, which `--help` need not wait for

    found = [inspection.describe(resolved) for resolved in _workers(targets)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for worker in found:
        click.echo(f"{worker['task_type']}  {worker['kind']} {worker['signature']}")
        click.echo(f"    {worker['module']} ({worker['file']}:{worker['line']})")
        for name, source in worker["sources"].items():
            click.echo(f"    {name} = {worker['options'][name]!r}  ({source})")


@main.command()
@_targets
def schema(targets: Sequence[str]) -> None:
    """Print, as JSON, the schemas and the task definition of each worker, as registration sends them.

    Example: anyworker schema my_app.workers
    """
    from anyworker import inspection  # noqa: PLC0415 - as above

    click.echo(json.dumps(inspection.definitions(_workers(targets)), indent=2))


@main.command()
@_targets
@_as_json
def doctor(targets: Sequence[str], *, as_json: bool) -> None:
    """Compare the workers with what the server has of them. Nothing is changed.

    The server is CONDUCTOR_SERVER_URL, by default http://localhost:8080/api. The exit status is 1 if it
    cannot be asked, or would refuse a definition.

    Example: anyworker doctor my_app.workers
    """
    from anyworker import inspection  # noqa: PLC0415 - as above

    findings = anyio.run(inspection.examine, _workers(targets))
    if as_json:
        rows = [{"task_type": f.subject, "ok": f.is_right, "report": f.report} for f in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            click.echo(f"{'ok   ' if finding.is_right else 'WRONG'} {finding.subject}: {finding.report}")
    sys.exit(0 if all(finding.is_right for finding in findings) else 1)


def _workers(targets: Sequence[str]) -> "tuple[ResolvedWorker, ...]":
    from anyworker import inspection  # noqa: PLC0415 - as above

    try:
        return inspection.load_workers(targets)
    except anyworker.ConfigurationError as error:
        raise _CouldNotStart(str(error)) from None


class _CouldNotStart(click.ClickException):
    exit_code = 3


def _chosen(backend: str) -> tuple[Backend, dict[str, Any]]:
    if backend == "trio":
        return "trio", {}
    return "asyncio", {"use_uvloop": True} if backend == "uvloop" else {}


def _log(*, verbose: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format=LOG_FORMAT, stream=sys.stderr
    )
