"""The process of the workers: imports their code, tells what it declares, runs them until told to stop.

It ignores SIGINT, which a terminal sends to it as well as to the command, and takes SIGTERM for a drain.
All that goes further is said over the socket. When that closes, the command is gone, and with it the server:
there is nobody left to hand anything to, so what runs is cancelled and the process ends.
"""

import gc
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio

from anyworker.configuration import Configuration
from anyworker.dev.cards import card
from anyworker.dev.messages import (
    ORDERS,
    Cancel,
    Declared,
    Drain,
    Draining,
    Import,
    Order,
    Refused,
    Serve,
    Serving,
)
from anyworker.dev.sources import sources_of, sources_of_failure
from anyworker.errors import ConfigurationError
from anyworker.fleet.control.leaving import exit_now
from anyworker.fleet.control.signals import Stage
from anyworker.fleet.control.steering import enter, leave, serve
from anyworker.fleet.conventions import EXIT_COULD_NOT_START
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.discovery.naming import named_parts
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.processes.link import Link
from anyworker.fleet.processes.parent import ParentWatch
from anyworker.fleet.processes.spawning import given_socket, let_signals_through
from anyworker.fleet.serving import resolve_workers
from anyworker.fleet.settings_check import check_backend
from anyworker.logs import ConsoleFormatter, log_to_stderr
from anyworker.registry import registered_workers
from anyworker.worker import Worker

_FAREWELL_SECONDS = 1.0
"""How long cancelled functions may clean up when the command is gone."""


def main(arguments: Sequence[str]) -> None:
    """Run the process.

    Args:
        arguments: The socket's descriptor, the name of the event loop, the level of
            anyworker's own log.
    """
    descriptor, backend, level = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    let_signals_through()
    log_to_stderr(logging.DEBUG if level == "DEBUG" else logging.INFO, ConsoleFormatter())
    logging.getLogger("anyworker").setLevel(level)
    wire = given_socket(descriptor)
    link = Link(wire, ORDERS)
    ParentWatch(wire).patience = _FAREWELL_SECONDS
    match link.hear():
        case Import() as wanted:
            _run(link, backend, _declare(link, wanted))


def _declare(link: Link[Order], wanted: Import) -> dict[str, Any]:
    """Import everything, tell of the workers, and return what stands around them."""
    try:
        load_all(wanted.targets)
        parts = named_parts(wanted.lifespan, wanted.middleware)
        workers = [card(resolved) for resolved in resolve_workers(())]
    except ConfigurationError as error:
        named = [each.rpartition(":")[0] for each in (wanted.lifespan, *wanted.middleware) if each]
        link.say(Refused(list(error.problems), sources_of_failure([*wanted.targets, *named], error)))
        sys.exit(EXIT_COULD_NOT_START)
    link.say(Declared(workers, sources_of(sys.modules)))
    return parts


def _run(link: Link[Order], backend: str, parts: Mapping[str, Any]) -> None:
    match link.hear():
        case Serve(url, grace):
            pass
        case _:
            # Nothing runs yet; threads of the users' code must not hold up the end.
            exit_now(0)
    gc.collect()
    gc.freeze()
    main = partial(
        serve,
        partial(_follow, link),
        [_restartable(worker) for worker in registered_workers()],
        configuration=Configuration(server_api_url=url, proxy=""),
        grace=grace,
        **parts,
    )
    options: dict[str, Any] = {"use_uvloop": True} if backend == "uvloop" else {}
    name = "asyncio" if backend == "uvloop" else backend
    try:
        check_backend(name, options)
        status = anyio.run(main, backend=name, backend_options=options)
    except ConfigurationError as error:
        link.say(Refused(list(error.problems)))
        sys.exit(EXIT_COULD_NOT_START)
    leave(status)


def _restartable(worker: Worker) -> Worker:
    """Return a worker whose tasks outlast a reload, unless it says that they must not run again.

    The workflows made for trials grant no further attempt, for a failure to be seen at once.
    """
    source: object = worker.execute_function
    if worker.takes_task:
        source = getattr(source, "__self__", None)
    if worker.restartable is not None or (worker.takes_task and (source is None or callable(source))):
        return worker
    options: Any = {**worker.declared, "restartable": True}
    return Worker(worker.task_definition_name, source, task_def=worker.task_def, **options)


async def _follow(link: Link[Order], fleet: Fleet) -> None:
    """Do what the command says, for as long as the fleet runs."""
    link.say(Serving([worker.worker_id for worker in fleet.status().workers]))
    async with anyio.create_task_group() as watch:
        watch.start_soon(_drain_on_signal, link, fleet)
        while True:
            match await link.listen():
                case Drain(grace):
                    _drain(link, fleet)
                    if grace is not None:
                        watch.start_soon(_cancel_after, grace, fleet)
                case Cancel():
                    enter(fleet, Stage.CANCEL)
                case None:
                    enter(fleet, Stage.CANCEL)
                    return


async def _drain_on_signal(link: Link[Order], fleet: Fleet) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as arrivals:
        async for _ in arrivals:
            _drain(link, fleet)


async def _cancel_after(grace: float, fleet: Fleet) -> None:
    await anyio.sleep(grace)
    enter(fleet, Stage.CANCEL)


def _drain(link: Link[Order], fleet: Fleet) -> None:
    enter(fleet, Stage.DRAIN)
    link.say(Draining())


if __name__ == "__main__":
    main(sys.argv[1:])
