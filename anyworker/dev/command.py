"""``anyworker dev`` apart from its command line: put the parts together, run, say how it ended."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import attrs

from anyworker.configuration import Configuration
from anyworker.dev.console import Console, ConsoleHandler
from anyworker.dev.plain import PlainView
from anyworker.dev.process import WorkerProcess
from anyworker.dev.settings import Settings
from anyworker.dev.showing import View
from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread
from anyworker.errors import ConfigurationError
from anyworker.fleet.control.signals import SignalStages
from anyworker.fleet.conventions import EXIT_COULD_NOT_START
from anyworker.logs import ConsoleFormatter

if TYPE_CHECKING:
    from anyworker.conductor.models import Workflow


def run_dev(settings: Settings) -> int:
    """Run workers against a dev server of their own until a signal; return the exit status.

    A third signal ends the process from its handler.
    """
    console = Console(partial(_view, is_once=settings.is_once))
    if _is_screen(is_once=settings.is_once) and settings.level == "INFO":
        # Who watches the table needs no log of what it shows.
        settings = attrs.evolve(settings, level="WARNING")
    with SignalStages() as stages, console, _logging(console, settings.level):
        status, finished = _run(settings, console, stages)
    if settings.is_once and finished is not None:
        _print_result(finished)
    return status


def _run(settings: Settings, console: Console, stages: SignalStages) -> "tuple[int, Workflow | None]":
    # Begun first: its interpreter starts while this one imports and binds.
    with contextlib.closing(WorkerProcess.begin(settings.backend, settings.level, console.line)) as process:
        try:
            server = _server(settings)
            server.engine.on_change.append(console.change)
            with serve_in_thread(settings.port, server, admin=settings.has_admin) as url:
                console.notice(f"Development server: {url}")
                # The server answers while this, a client of it, is imported.
                from anyworker.dev.session import Session  # noqa: PLC0415

                with contextlib.closing(Session(settings, console, server, url, process)) as session:
                    status = anyio.run(session.run, stages)
                    return status, session.finished
        except ConfigurationError as error:
            console.problems(f"Cannot start: {problem}" for problem in error.problems)
            return EXIT_COULD_NOT_START, None


def _server(settings: Settings) -> DevServer:
    if not settings.is_orkes:
        return DevServer(waiting=settings.waiting)
    # The workers find the key and its secret in the same environment.
    found = Configuration(proxy="").authentication_settings
    auth = None
    if found is not None:
        auth = _value(found.key_id, found.key_id_file), _value(found.key_secret, found.key_secret_file)
    return DevServer(waiting=settings.waiting, flavor="orkes", auth=auth)


def _value(value: str | None, path: str | None) -> str:
    return value or "" if path is None else Path(path).read_text(encoding="utf-8").strip()


def _view(*, is_once: bool) -> View:
    """Make the view that fits where the command writes to; what is done once keeps standard output clean."""
    stream = sys.stderr if is_once else sys.stdout
    if _is_screen(is_once=is_once):
        from anyworker.dev.screen import ScreenView  # noqa: PLC0415 - only terminals need rich

        return ScreenView(stream, None if sys.stderr.isatty() else sys.stderr.buffer)
    return PlainView(stream.buffer, sys.stderr.buffer)


def _is_screen(*, is_once: bool) -> bool:
    stream = sys.stderr if is_once else sys.stdout
    return stream.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}


@contextlib.contextmanager
def _logging(console: Console, level: str) -> Iterator[None]:
    handler = ConsoleHandler(console)
    handler.setFormatter(ConsoleFormatter())
    logging.root.addHandler(handler)
    logging.root.setLevel("DEBUG" if level == "DEBUG" else "WARNING")
    try:
        yield
    finally:
        logging.root.removeHandler(handler)


def _print_result(workflow: "Workflow") -> None:
    from anyworker.dev.texts import failure_text, output_text  # noqa: PLC0415 - as above

    if workflow.status != "COMPLETED":
        name = f"{workflow.workflow_name} {workflow.workflow_id}"
        sys.stderr.buffer.write(f"{name}: {workflow.status}: {failure_text(workflow)}\n".encode())
        sys.stderr.flush()
    sys.stdout.buffer.write(f"{output_text(workflow)}\n".encode())
    sys.stdout.flush()
