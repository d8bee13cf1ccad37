"""Build what runs the workers of a process."""

from collections.abc import Iterable, Mapping, Sequence
from random import random
from typing import Any

from anyworker.conductor.client import ConductorClient
from anyworker.events import Publisher
from anyworker.fleet.problems import Problems
from anyworker.options import ResolvedWorker
from anyworker.policy.planner import PollSettings
from anyworker.policy.rates import Rate
from anyworker.runner.assembly import executor_of
from anyworker.runner.calling.blocking import LoopWatch
from anyworker.runner.calling.execution import Executor
from anyworker.runner.calling.wrapping import Middleware
from anyworker.runner.delivery import Delivery
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.polls.places import Places
from anyworker.runner.polls.polling import Identity
from anyworker.runner.process_id import process_worker_id
from anyworker.runner.runner import Runner
from anyworker.runner.threads import RunSync


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
