"""Run workers inside an event loop that somebody else owns."""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from random import random
from typing import Any, Literal, Self

import anyio
import anyio.lowlevel

from anyworker.conductor.client import ConductorClient
from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.events import Listener, Publisher
from anyworker.fleet.declarations import check_templates, declarations
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.estates.predecessors import Predecessors
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.hosting import ended_with_the_block, hosting
from anyworker.fleet.lifespan import Lifespan, check_lifespan, opened
from anyworker.fleet.limits import check_limits
from anyworker.observe.settings import MeterSource
from anyworker.options import ResolvedWorker, resolve_all, startup_line
from anyworker.outbox_settings import OutboxChoice, OutboxSettings
from anyworker.policy.planner import PollSettings
from anyworker.policy.rates import Rate
from anyworker.registry import registered_workers
from anyworker.runner.assembly import executor_of
from anyworker.runner.calling.blocking import LoopWatch
from anyworker.runner.calling.execution import Executor
from anyworker.runner.calling.wrapping import Middleware, checked_middleware
from anyworker.runner.delivery import Delivery
from anyworker.runner.log_forwarding import forwarding
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.polls.places import Places
from anyworker.runner.polls.polling import Identity
from anyworker.runner.process_id import process_worker_id
from anyworker.runner.registration import Registrar
from anyworker.runner.runner import Runner
from anyworker.runner.threads import RunSync, thread_runner
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
            publisher = Publisher(metrics.listeners if metrics else listeners, metrics)
        with problems.of_one_part():
            kept = OutboxSettings.of(outbox, os.environ, configuration)
        with problems.of_one_part():
            resolved = resolve_workers(workers, configuration)
    async with (
        metrics.exposed() if metrics else contextlib.nullcontext(),
        ConductorClient(
            configuration, around=metrics.around if metrics else None, publisher=publisher
        ) as client,
        forwarding(resolved),
        hosting() as host,
        opened(lifespan, host) as resources,
    ):
        store = Outbox(client, publisher, kept, draw=random)
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
            middleware=around,
            places=Places(max_tasks, len(resolved)),
        )
        announce(resolved, max_tasks)
        registrar = Registrar(client, publisher, declarations(resolved))
        beside = [client.keep_time, registrar.run, watch.run, *([metrics.beat] if metrics else [])]
        if kept.path is not None:
            others = Predecessors(kept.path, configuration, publisher, run_sync=aside, draw=random)
            beside.append(lambda: others.run(fleet.status().workers, runners))
        fleet = Fleet(runners, grace, beside, store, publisher)
        if metrics is not None:
            metrics.watch(fleet.status, watchdog)
            metrics.describe(configuration, resolved)
        host.start_soon(fleet.run)
        async with ended_with_the_block(fleet):
            yield fleet


class Problems:
    """Collect what is wrong with the parts of a start, to name all of it at once."""

    def __init__(self) -> None:
        self._errors: list[ConfigurationError] = []

    def __enter__(self) -> Self:
        return self

    def __len__(self) -> int:
        return len(self._errors)

    def __exit__(self, *_: object) -> None:
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise ConfigurationError([problem for error in self._errors for problem in error.problems])

    @contextlib.contextmanager
    def of_one_part(self) -> Iterator[None]:
        """Go on behind the block although a part of the start is wrong."""
        try:
            yield
        except ConfigurationError as error:
            self._errors.append(error)


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


def assemble(
    workers: Iterable[ResolvedWorker],
    client: ConductorClient,
    publisher: Publisher,
    outbox: Outbox,
    *,
    watch: LoopWatch,
    delays: Sequence[float],
    run_sync: RunSync,
    resources: Mapping[str, Any],
    middleware: Sequence[Middleware] = (),
    places: Places,
) -> list[Runner]:
    """Build a runner for each worker. Called in the event loop that will run them.

    Raises:
        DeclarationError: Functions have parameters that nothing can fill; all of them are named.
    """
    own_id = process_worker_id()
    executors: list[tuple[ResolvedWorker, Executor]] = []
    with Problems() as problems:
        for resolved in workers:
            with problems.of_one_part():
                executors.append((resolved, executor_of(resolved, run_sync, resources, middleware, watch)))
    return [
        _runner(resolved, executor, client, publisher, outbox, own_id=own_id, delays=delays, places=places)
        for resolved, executor in executors
    ]


def _runner(
    resolved: ResolvedWorker,
    executor: Executor,
    client: ConductorClient,
    publisher: Publisher,
    outbox: Outbox,
    *,
    own_id: str,
    delays: Sequence[float],
    places: Places,
) -> Runner:
    worker, options = resolved.worker, resolved.options
    identity = Identity(
        worker.task_definition_name,
        options.domain,
        options.worker_id or own_id,
        is_unique=options.worker_id is None,
    )
    runner = Runner(
        identity,
        PollSettings(
            thread_count=options.thread_count,
            poll_interval=options.poll_interval,
            poll_timeout=options.poll_timeout,
            idle_poll_timeout=options.idle_poll_timeout,
            rate=None if options.rate_limit is None else Rate.of(options.rate_limit),
        ),
        client=client,
        executor=executor,
        delivery=Delivery(
            client,
            task_type=identity.task_type,
            worker_id=identity.worker_id,
            publisher=publisher,
            outbox=outbox,
            delays=delays,
            random=random,
        ),
        publisher=publisher,
        places=places,
        journal=outbox.journal,
        extends_leases=options.lease_extend_enabled,
    )
    if options.paused:
        runner.pause()
    return runner


def announce(workers: Iterable[ResolvedWorker], max_tasks: int | None) -> None:
    """Log the line by which an operator knows what runs, one for each worker."""
    backend = _backend()
    for resolved in workers:
        mode: Literal["async", "thread"] = "async" if resolved.worker.is_async else "thread"
        logger.info(startup_line(resolved, pid=os.getpid(), mode=mode, backend=backend, max_tasks=max_tasks))


def _backend() -> str:
    loop = type(anyio.lowlevel.current_token().native_token).__module__.partition(".")[0]
    return loop if loop in {"asyncio", "trio", "uvloop"} else f"asyncio ({loop})"
