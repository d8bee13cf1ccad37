"""What several commands take, read and say."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.shell_completion import CompletionItem

import anyworker
from anyworker.fleet.conventions import EXIT_COULD_NOT_START
from anyworker.settings_table import BACKENDS

if TYPE_CHECKING:
    from anyworker.options import ResolvedWorker
    from anyworker.settings_file import SettingsFile

Backend = Literal["asyncio", "trio"]
LogFormat = Literal["console", "json"]


def _files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


required_targets = click.argument(
    "targets", nargs=-1, required=True, metavar="MODULE_OR_FILE...", shell_complete=_files
)
targets = click.argument("targets", nargs=-1, metavar="[MODULE_OR_FILE]...", shell_complete=_files)
config = click.option(
    "--config",
    "path",
    metavar="FILE",
    shell_complete=_files,
    help="The settings file. By default anyworker.toml, or pyproject.toml with [tool.anyworker], in the "
    "working directory.",
)
verbose = click.option("--verbose", is_flag=True, help="Log what happens in detail.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
BACKEND = click.Choice(BACKENDS)
BACKEND_HELP = "The event loop."
lifespan = click.option(
    "--lifespan",
    metavar="MODULE:NAME",
    help="An async context manager that each process enters before its first poll and leaves after its last "
    "result.",
)
middleware = click.option(
    "--middleware",
    multiple=True,
    metavar="MODULE:NAME",
    help="What stands around every execution. May be given more than once, the outermost first.",
)
GRACE = click.FloatRange(min=0)
GRACE_HELP = "Seconds that running tasks may take to finish after the first signal."


class CouldNotStart(click.ClickException):
    """The start is refused; the message says why."""

    exit_code = EXIT_COULD_NOT_START


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """End the command where something that is configured cannot work."""
    try:
        yield
    except anyworker.ConfigurationError as error:
        raise CouldNotStart(str(error)) from None


def read_file(path: str | None) -> "SettingsFile | None":
    """Return what the settings file says, None if there is none."""
    from anyworker.settings_file import find_settings, read_settings  # noqa: PLC0415 - `--help` need not wait

    with refusing():
        return find_settings(Path.cwd()) if path is None else read_settings(path)


def configured(file: "SettingsFile | None") -> anyworker.Configuration:
    """Return what the file, and the environment over it, say of the server."""
    with refusing():
        return anyworker.Configuration.of_file(file, os.environ)


def metrics_of(file: "SettingsFile") -> anyworker.MetricsSettings | None:
    """Return where the file has metrics go, None for nowhere."""
    if not file.metrics:
        return None
    try:
        return anyworker.MetricsSettings(**{name: each.value for name, each in file.metrics.items()})
    except anyworker.ConfigurationError as error:
        place = next(iter(file.metrics.values())).place.rpartition(".")[0]
        raise CouldNotStart("\n".join(f"{place}: {problem}" for problem in error.problems)) from None


def modules_of(given: Sequence[str], file: "SettingsFile | None") -> Sequence[str]:
    """Return the modules that the command line names, else those of the settings file, or none."""
    in_file: Sequence[str] = file.run["modules"].value if file is not None and "modules" in file.run else ()
    return given or in_file


def named_modules(given: Sequence[str], file: "SettingsFile | None") -> Sequence[str]:
    """Return the modules as `modules_of`, and end the command where there are none."""
    modules = modules_of(given, file)
    if not modules:
        message = "Name modules or files with workers, or list them as modules in a settings file."
        raise click.UsageError(message)
    return modules


def found_workers(
    modules: Sequence[str], configuration: anyworker.Configuration
) -> "tuple[ResolvedWorker, ...]":
    """Import modules and return the workers that they register, with their options."""
    from anyworker import inspection  # noqa: PLC0415 - it brings what `run` needs, which `--help` need not wait for

    with refusing():
        return inspection.load_workers(modules, configuration)


@contextlib.contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error, where that is a terminal, how many are done; yields what is told of it."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def event_loop(backend: str) -> tuple[Backend, dict[str, Any]]:
    """Return what anyio calls an event loop, and its options."""
    if backend == "trio":
        return "trio", {}
    return "asyncio", {"use_uvloop": True} if backend == "uvloop" else {}


def log(*, verbose: bool, form: LogFormat = "console") -> None:
    """Log to standard error."""
    from anyworker.logs import ConsoleFormatter, JsonFormatter, log_to_stderr  # noqa: PLC0415 - as above

    formatter = JsonFormatter() if form == "json" else ConsoleFormatter()
    log_to_stderr(logging.DEBUG if verbose else logging.INFO, formatter)
