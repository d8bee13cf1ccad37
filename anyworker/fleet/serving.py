"""Run workers inside an event loop that somebody else owns."""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from random import random
from typing import Literal

import anyio
import anyio.lowlevel
import attrs

from anyworker.conductor.client import ConductorClient
from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.events import Listener, Publisher
from anyworker.fleet.assembly import assemble
from anyworker.fleet.declarations import check_templates, declarations
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.estates.predecessors import Predecessors
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.hosting import ended_with_the_block, hosting
from anyworker.fleet.lifespan import Lifespan, check_lifespan, opened
from anyworker.fleet.limits import check_limits
from anyworker.fleet.problems import Problems
from anyworker.observe.settings import MeterSource
from anyworker.options import ResolvedWorker, resolve_all, startup_line
from anyworker.outbox_settings import OutboxChoice, OutboxSettings
from anyworker.registry import registered_workers
from anyworker.runner.calling.blocking import LoopWatch
from anyworker.runner.calling.wrapping import Middleware, checked_middleware
from anyworker.runner.log_forwarding import forwarding
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.polls.places import Places
from anyworker.runner.process_id import process_worker_id
from anyworker.runner.registration import Registrar
from anyworker.runner.threads import RunSync, thread_runner
from anyworker.tallies import TallySource
from anyworker.worker import Worker

logger = logging.getLogger(__name__)

UPDATE_RETRY_DELAYS = (10.0, 20.0, 30.0)
"""Seconds between the four attempts to deliver a result."""


@contextlib.asynccontextmanager
async def serving(
    *workers: object,
    configuration: Configuration | None = None,
    import_modules: Sequence[str] = (),
    event_listeners: Iterable[Listener] = (),
    metrics_settings: MeterSource | None = None,
    lifespan: Lifespan | None = None,
    middleware: Sequence[Middleware] = (),
    grace: float = 25.0,
    update_retry_delays: Sequence[float] = UPDATE_RETRY_DELAYS,
    outbox: OutboxChoice = None,
    max_tasks: int | None = None,
    watchdog: float | None = 60.0,
    run_sync: RunSync | None = None,
) -> AsyncIterator[Fleet]:
    """Run workers beside the block, in the running event loop: ``async with serving() as fleet:``.

    Leaving the block drains the fleet. Signals are not touched, and nothing ever exits the process. Where the
    block is cancelled, running functions are cancelled, too, and their tasks handed back before the
    cancellation goes on.

    Args:
        *workers: Workers, decorated functions or class-based workers; by default all that are registered.
        configuration: The server; by default what the environment says.
        import_modules: Modules or files to import first, for the workers that they register.
        event_listeners: Objects with methods of `TaskRunnerEventsListener`.
        metrics_settings: `MetricsSettings`, where metrics go; by default nowhere, and nothing is counted.
        lifespan: Makes the async context manager that is entered before the first poll and left after the
            last result. The mapping that it yields fills parameters marked `FromLifespan`.
        middleware: What stands around every execution, the outermost first; see `anyworker.middleware`.
        grace: Seconds that tasks in hand may take to finish when the fleet drains.
        update_retry_delays: Seconds between attempts to deliver a result.
        outbox: Where results go that could not be delivered: the path of a file, or `OutboxSettings`; by
            default memory.
        max_tasks: Most tasks of all workers together in hand at once, beside each one's ``thread_count``; by
            default any number. A place that becomes free goes to the worker that has waited longest.
        watchdog: Seconds for which the event loop may be blocked before ``/health`` says so; None for any
            time.
        run_sync: Runs plain functions; by default in worker threads.

    Raises:
        ConfigurationError: Something that is configured cannot work; all problems are named.
        LifespanError: The lifespan failed to open.
    """
    load_all(import_modules)
    listeners = tuple(event_listeners)
    metrics = metrics_settings.meter(listeners) if metrics_settings is not None else None
    settled = settle(
        workers,
        configuration=configuration,
        event_listeners=metrics.listeners if metrics else listeners,
        tallies=metrics,
        lifespan=lifespan,
        middleware=middleware,
        grace=grace,
        update_retry_delays=update_retry_delays,
        outbox=outbox,
        max_tasks=max_tasks,
    )
    configuration, publisher, resolved = settled.configuration, settled.publisher, settled.workers
    async with (
        metrics.exposed() if metrics else contextlib.nullcontext(),
        ConductorClient(
            configuration, traffic=metrics.traffic if metrics else None, publisher=publisher
        ) as client,
        forwarding(resolved),
        hosting() as host,
        opened(lifespan, host) as resources,
    ):
        store = Outbox(client, publisher, settled.outbox, draw=random)
        aside = run_sync or thread_runner()
        await store.open(server=configuration.server_api_url, owner=process_worker_id(), run_sync=aside)
        watch = LoopWatch(publisher)
        runners = assemble(
            resolved,
            client,
            publisher,
            store,
            watch=watch,
            delays=update_retry_delays,
            run_sync=aside,
            resources=resources,
            middleware=settled.middleware,
            places=Places(max_tasks, len(resolved)),
        )
        announce(resolved, max_tasks)
        registrar = Registrar(client, publisher, declarations(resolved))
        beside = [client.keep_time, registrar.run, watch.run, *([metrics.beat] if metrics else [])]
        if settled.outbox.path is not None:
            others = Predecessors(settled.outbox.path, configuration, publisher, run_sync=aside, draw=random)
            beside.append(lambda: others.run(fleet.status().workers, runners))
        fleet = Fleet(runners, grace, beside, store, publisher)
        if metrics is not None:
            metrics.watch(fleet.status, watchdog)
            metrics.describe(configuration, resolved)
        host.start_soon(fleet.run)
        async with ended_with_the_block(fleet):
            yield fleet


@attrs.frozen
class Settled:
    """Settings of `serving` that can work."""

    configuration: Configuration
    middleware: tuple[Middleware, ...]
    publisher: Publisher
    outbox: OutboxSettings
    workers: tuple[ResolvedWorker, ...]


def settle(
    workers: Sequence[object] | None,
    *,
    configuration: Configuration | None,
    event_listeners: Iterable[Listener],
    tallies: TallySource | None = None,
    lifespan: Lifespan | None,
    middleware: Iterable[Middleware],
    grace: float,
    update_retry_delays: Sequence[float],
    outbox: OutboxChoice,
    max_tasks: int | None,
    **_: object,
) -> Settled:
    """Return the settings of `serving` as they hold, having looked at all of them.

    Args:
        workers: As for ``serving``, like the settings; None where they could not be imported.
        tallies: What counts beside the listeners.

    Raises:
        ConfigurationError: Names all that cannot work.
    """
    resolved: tuple[ResolvedWorker, ...] = ()
    with Problems() as problems:
        with problems.of_one_part():
            configuration = configuration or Configuration()
        with problems.of_one_part():
            check_limits(grace, update_retry_delays, max_tasks)
        with problems.of_one_part():
            check_lifespan(lifespan)
        with problems.of_one_part():
            around = checked_middleware(middleware)
        with problems.of_one_part():
            publisher = Publisher(event_listeners, tallies)
        with problems.of_one_part():
            kept = OutboxSettings.of(outbox, os.environ, configuration)
        with problems.of_one_part():
            resolved = () if workers is None else resolve_workers(workers, configuration)
    assert configuration is not None  # noqa: S101 - there is no problem
    return Settled(configuration, around, publisher, kept, resolved)


def resolve_workers(
    workers: Sequence[object], configuration: Configuration | None = None
) -> tuple[ResolvedWorker, ...]:
    """Return the workers given, or all that are registered, with their options; log what is set in vain.

    Args:
        workers: Workers, decorated functions or class-based workers.
        configuration: Its settings file, if it has one, is the source of options, too.

    Raises:
        ConfigurationError: There is none, or an option has a bad value.
    """
    chosen = [Worker.of(worker) for worker in workers] or registered_workers()
    if not chosen:
        raise ConfigurationError(
            "no workers: decorate a function with @worker_task, give workers as arguments, "
            "or name the modules that declare them in import_modules"
        )
    file = None if configuration is None else configuration.file
    resolution = resolve_all(chosen, os.environ, file)
    for warning in resolution.warnings:
        logger.warning(warning)
    check_templates(resolution.workers)
    return resolution.workers


def announce(workers: Iterable[ResolvedWorker], max_tasks: int | None) -> None:
    """Log the line by which an operator knows what runs, one for each worker."""
    backend = _backend()
    for resolved in workers:
        mode: Literal["async", "thread"] = "async" if resolved.worker.is_async else "thread"
        logger.info(startup_line(resolved, pid=os.getpid(), mode=mode, backend=backend, max_tasks=max_tasks))


def _backend() -> str:
    loop = type(anyio.lowlevel.current_token().native_token).__module__.partition(".")[0]
    return loop if loop in {"asyncio", "trio", "uvloop"} else f"asyncio ({loop})"
