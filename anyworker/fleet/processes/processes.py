"""Divide workers among processes."""

import logging
import sys
from collections.abc import Mapping, Sequence
from random import random
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio
import anyio.abc

from anyworker.errors import ConfigurationError
from anyworker.events import Publisher
from anyworker.fleet.control.signals import SignalStages
from anyworker.fleet.control.steering import exit_status_of, steer_by
from anyworker.fleet.conventions import EXIT_COULD_NOT_START
from anyworker.fleet.discovery.finder import noted
from anyworker.fleet.estates.salvage import Salvage
from anyworker.fleet.main_module import main_module
from anyworker.fleet.processes.logs import own_logs
from anyworker.fleet.processes.orders import Begin
from anyworker.fleet.processes.post import Assignment, Upkeep
from anyworker.fleet.processes.supervisor import Supervisor, SupervisorStatus
from anyworker.fleet.references import pack
from anyworker.fleet.serving import Settled, settle
from anyworker.observe.settings import MetricsSettings
from anyworker.policy.restarts import RestartSettings
from anyworker.runner.threads import thread_runner
from anyworker.worker import Worker

if TYPE_CHECKING:
    from anyworker.configuration import Configuration
    from anyworker.observe.metrics import Metrics

logger = logging.getLogger(__name__)

Processes: TypeAlias = int | Literal["per-worker"]


def supervisor_of(
    workers: Sequence[object],
    *,
    processes: Processes,
    backend: str,
    backend_options: Mapping[str, Any],
    import_modules: Sequence[str],
    upkeep: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Supervisor:
    """Return the parent of a fleet that has not begun. The modules have been imported here before.

    Args:
        workers: As for ``run``.
        processes: How many, or one for each worker.
        backend: The event loop of the processes.
        backend_options: Its options.
        import_modules: Modules or files that the processes import.
        upkeep: When a process is replaced: the fields of `Upkeep`, and those of `RestartSettings` after
            ``restart_``.
        settings: Of ``serving``.

    Raises:
        ConfigurationError: Something cannot work, here or in another process.
    """
    settled = settle(workers, **settings)
    declared = tuple(each.worker for each in settled.workers)
    metrics = _metrics(settings["metrics_settings"], settled)
    # What dead processes leave behind is counted here.
    publisher = Publisher((*settings["event_listeners"], *(metrics.listeners if metrics else ())))
    kept = _upkeep(**upkeep)
    teams = [(worker,) for worker in declared] if processes == "per-worker" else [declared] * processes
    return Supervisor(
        [
            Assignment(
                _name(team, number, processes),
                tuple(worker.task_definition_name for worker in team),
                _begin(
                    team,
                    backend=backend,
                    backend_options=backend_options,
                    targets=import_modules,
                    beat_seconds=kept.beat_interval,
                    settings=settings,
                ),
            )
            for number, team in enumerate(teams, 1)
        ],
        settings["grace"],
        kept,
        salvage=Salvage(
            settled.configuration, publisher, settled.outbox.path, draw=random, run_sync=thread_runner()
        ),
        publisher=publisher,
        metrics=metrics,
    )


async def supervise(
    supervisor: Supervisor,
    stages: SignalStages | None,
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> SupervisorStatus:
    """Run a fleet of processes until signals, or something else, have ended it; return how it ended.

    Raises:
        ConfigurationError: A process could not start, and the fleet was stopped for that.
    """

    async def tell() -> None:
        await supervisor.begun()
        task_status.started()

    async with anyio.create_task_group() as watch:
        watch.start_soon(tell)
        if stages is not None:
            stages.farewell = supervisor.kill
            watch.start_soon(steer_by, stages, supervisor)
        await supervisor.run()
        watch.cancel_scope.cancel()
    status, problems = supervisor.status(), supervisor.problems
    if stages is not None:
        stages.release(EXIT_COULD_NOT_START if problems else exit_status_of(status, stages))
    if problems:
        raise ConfigurationError(problems)
    return status


def _metrics(settings: MetricsSettings | None, settled: Settled) -> "Metrics | None":
    if settings is None:
        return None
    from anyworker.observe.metrics import Metrics  # noqa: PLC0415 - it brings prometheus-client along

    metrics = Metrics(settings)
    metrics.describe(settled.configuration, settled.workers)
    return metrics


def _upkeep(**values: Any) -> Upkeep:
    prefix = "restart_"
    restarts = {
        name.removeprefix(prefix): values.pop(name) for name in list(values) if name.startswith(prefix)
    }
    return Upkeep(restarts=RestartSettings(**restarts), **values)


def _name(team: Sequence[Worker], number: int, processes: Processes) -> str:
    if processes == "per-worker":
        worker = team[0]
        domain = f" in domain {worker.domain!r}" if worker.domain else ""
        return f"the process of worker {worker.task_definition_name!r}{domain}"
    return f"process {number} of {processes}"


def _begin(
    team: tuple[Worker, ...],
    *,
    backend: str,
    backend_options: Mapping[str, Any],
    targets: Sequence[str],
    beat_seconds: float,
    settings: Mapping[str, Any],
) -> Begin:
    configuration: Configuration | None = settings["configuration"]
    if configuration is not None:
        configuration = configuration.for_workers({worker.task_definition_name for worker in team})
    parts = {**settings, "configuration": configuration, "backend_options": dict(backend_options)}
    package = pack(parts, team)
    return Begin(
        backend=backend,
        search_path=list(sys.path),
        places={name: str(place) for name, place in noted().items()},
        arguments=list(sys.argv),
        targets=[targets] if isinstance(targets, str) else list(targets),
        main=main_module() if package.needs_main else None,
        payload=package.payload,
        logs=own_logs(),
        beat_seconds=beat_seconds,
    )
