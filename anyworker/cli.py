"""The ``anyworker`` command."""

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

import click

import anyworker

LOG_FORMAT = "%(asctime)s %(levelname)-8s %(name)s: %(message)s"

Backend = Literal["asyncio", "trio"]


def _worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.argument("targets", nargs=-1, required=True, metavar="MODULE_OR_FILE..."),
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
def run(targets: Sequence[str], backend: str, grace: float, *, verbose: bool) -> None:
    """Import modules or files and run the workers that they declare.

    The server is CONDUCTOR_SERVER_URL, by default http://localhost:8080/api.

    Example: anyworker run my_app.workers billing/workers.py --backend trio
    """
    _log(verbose=verbose)
    name, backend_options = _chosen(backend)
    anyworker.run(backend=name, backend_options=backend_options, import_modules=targets, grace=grace)


@main.command()
@_worker_options
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 for a free one."
)
def dev(targets: Sequence[str], backend: str, grace: float, port: int, *, verbose: bool) -> None:
    """Run workers against a development server in this process.

    The server keeps everything in memory and speaks the Conductor API at http://127.0.0.1:PORT/api.

    Example: anyworker dev workers.py
    """
    _log(verbose=verbose)
    try:
        from anyworker.devserver.serve import serve_in_thread  # noqa: PLC0415 - uvicorn is an extra's
    except ModuleNotFoundError as error:
        message = f"{error.name} is missing; install it with: pip install 'anyworker[dev]'"
        raise click.ClickException(message) from None
    name, backend_options = _chosen(backend)
    try:
        with serve_in_thread(port) as url:
            click.echo(f"Development server: {url}")
            anyworker.run(
                backend=name,
                backend_options=backend_options,
                configuration=anyworker.Configuration(server_api_url=url, proxy=""),
                import_modules=targets,
                grace=grace,
            )
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
