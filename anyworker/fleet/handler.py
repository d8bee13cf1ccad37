"""Run workers in processes from a program without an event loop."""

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from anyworker.configuration import Configuration
from anyworker.errors import AnyworkerError, ConfigurationError
from anyworker.events import Listener
from anyworker.fleet.control.importing import Told, load_by_signals
from anyworker.fleet.control.steering import leave
from anyworker.fleet.lifespan import Lifespan
from anyworker.fleet.main_module import end_import, is_imported_again
from anyworker.fleet.problems import Problems
from anyworker.fleet.processes.processes import Processes, supervisor_of
from anyworker.fleet.processes.thread import SupervisorThread
from anyworker.fleet.references import pack
from anyworker.fleet.serving import UPDATE_RETRY_DELAYS, settle
from anyworker.fleet.settings_check import check_settings
from anyworker.observe.settings import MetricsSettings
from anyworker.outbox_settings import OutboxChoice
from anyworker.registry import registered_workers
from anyworker.runner.calling.wrapping import Middleware
from anyworker.worker import Worker

if TYPE_CHECKING:
    from anyworker.fleet.processes.supervisor import Supervisor

logger = logging.getLogger(__name__)


class TaskHandler:
    """Start processes with workers, keep them going, stop them: ``with TaskHandler(...) as handler:``.

    Methods block and may be called from any thread. In the main thread, while modules are imported and from
    the start to the end of the processes, signals act as for `anyworker.run`; in another thread none are
    touched. A program that waits for something else gets the first of them when the processes have ended:
    as KeyboardInterrupt, by a handler of its own, or else as SystemExit. Leaving the ``with`` block stops
    the processes. After they have ended they can be started again.

    Args:
        workers: Workers, decorated functions or class-based workers; by default all that are registered.
        configuration: The server; by default what the environment says.
        metrics_settings: Where metrics of all processes go; by default nowhere, and nothing is counted.
        scan_for_annotated_workers: Whether to run all registered workers: by default if no others are given,
            with True beside them.
        import_modules: Modules or files to import first, for the workers that they register.
        event_listeners: Objects with methods of `TaskRunnerEventsListener`; each process gets a copy.
        monitor_processes: False leaves processes that die or do not answer as they are.
        restart_on_failure: False leaves processes that die as they are.
        monitor_interval_seconds: Seconds after which each process says how it is, again and again; that one
            has died is noticed at once.
        restart_backoff_seconds: Seconds before the first restart in a row; see `anyworker.policy.restarts`.
        restart_backoff_max_seconds: Seconds before any restart, at most.
        restart_max_attempts: Restarts in a row; 0 for any number.
        processes: One process for each worker, or so many with all workers each.
        backend: The event loop: ``asyncio`` or ``trio``.
        backend_options: anyio's own, such as ``{"use_uvloop": True}`` for asyncio.
        lifespan: As for `anyworker.run`, in each process.
        middleware: What stands around every execution; each process gets a copy.
        grace: Seconds that tasks in hand may take to finish when the processes are stopped.
        update_retry_delays: Seconds between attempts to deliver a result.
        outbox: Where results go that could not be delivered, as for `anyworker.run`.
        max_tasks: Most tasks of all workers of a process in hand at once, as for `anyworker.run`.
        watchdog: As for `anyworker.run`, like the following.
        max_tasks_per_process: Tasks after which a process is drained and replaced.
        max_rss_mb: Memory beyond which a process is drained and replaced.

    Raises:
        ConfigurationError: Something that is configured cannot work; all problems are named.
    """

    def __init__(  # noqa: PLR0917 - the seed's order
        self,
        workers: Iterable[object] | object | None = None,
        configuration: Configuration | None = None,
        metrics_settings: MetricsSettings | None = None,
        scan_for_annotated_workers: bool | None = None,
        import_modules: Sequence[str] | None = None,
        event_listeners: Iterable[Listener] | None = None,
        *,
        monitor_processes: bool = True,
        restart_on_failure: bool = True,
        monitor_interval_seconds: float = 1.0,
        restart_backoff_seconds: float = 0.25,
        restart_backoff_max_seconds: float = 30.0,
        restart_max_attempts: int = 0,
        processes: Processes = "per-worker",
        backend: Literal["asyncio", "trio"] = "asyncio",
        backend_options: Mapping[str, Any] | None = None,
        lifespan: Lifespan | None = None,
        middleware: Sequence[Middleware] = (),
        grace: float = 25.0,
        update_retry_delays: Sequence[float] = UPDATE_RETRY_DELAYS,
        outbox: OutboxChoice = None,
        max_tasks: int | None = None,
        watchdog: float | None = 60.0,
        max_tasks_per_process: int | None = None,
        max_rss_mb: float | None = None,
    ) -> None:
        limits = {
            "watchdog": watchdog,
            "restart_max_attempts": restart_max_attempts or None,
            "max_tasks_per_process": max_tasks_per_process,
            "max_rss_mb": max_rss_mb,
        }
        delays = {
            "monitor_interval_seconds": monitor_interval_seconds,
            "restart_backoff_seconds": restart_backoff_seconds,
            "restart_backoff_max_seconds": restart_backoff_max_seconds,
        }
        self._settings: dict[str, Any] = {
            "configuration": configuration,
            "event_listeners": tuple(event_listeners or ()),
            "lifespan": lifespan,
            "middleware": middleware,
            "metrics_settings": metrics_settings,
            "grace": grace,
            "update_retry_delays": update_retry_delays,
            "outbox": outbox,
            "max_tasks": max_tasks,
        }
        self._division: dict[str, Any] = {
            "processes": processes,
            "backend": backend,
            "backend_options": dict(backend_options or {}),
            "import_modules": import_modules or (),
            "upkeep": {
                **limits,
                "watchdog": watchdog if monitor_processes else None,
                "has_restarts": monitor_processes and restart_on_failure,
                "restart_unit": restart_backoff_seconds,
                "restart_ceiling": restart_backoff_max_seconds,
                "beat_seconds": monitor_interval_seconds,
            },
        }
        with Problems() as problems:
            with problems.of_one_part():
                # One process is still one of its own here, and replaced like several.
                every = {**limits, **delays}
                check_settings(backend, backend_options or {}, processes, every, is_supervised=True)
            is_loaded = False
            with problems.of_one_part():
                self._told = load_by_signals(import_modules or ())
                is_loaded = True
            with problems.of_one_part():
                given = _chosen(workers, scan_for_annotated_workers) if is_loaded else None
                chosen = settle(given, **self._settings).workers
        self.workers = tuple(resolved.worker for resolved in chosen)
        """Those that run."""
        if not is_imported_again():
            pack(self._settings, self.workers)  # what no other process can get is said at once
        self._supervisor: Supervisor | None = None
        self._thread: SupervisorThread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_processes()

    def start_processes(self) -> None:
        """Start the processes and return; they begin to poll as soon as they have imported their workers.

        Where a signal asked to end while modules were imported, nothing is started; where one asked for
        quiet, they poll after `resume` or SIGUSR2.

        Raises:
            ConfigurationError: Something does not exist outside of this process; all of it is named. Or the
                port of the metrics is taken.
            AnyworkerError: They have been started already.
        """
        end_import()
        if self._told.is_to_end:
            logger.info("A signal came while modules were imported: no process is started")
            return
        if self._thread is not None:
            raise AnyworkerError("the processes have been started already; stop_processes() first")
        self._supervisor = supervisor_of(self.workers, settings=self._settings, **self._division)
        backend, options = self._division["backend"], self._division["backend_options"]
        is_quiet = self._told.is_to_be_quiet
        self._thread = SupervisorThread(self._supervisor, backend, options, is_quiet=is_quiet)
        self._told = Told()

    def join_processes(self) -> None:
        """Wait until the processes have ended, by a signal or by `stop_processes` in another thread.

        Raises:
            ConfigurationError: A process could not start, and the others were stopped for that.
            SystemExit: A signal ended them, and a result or a task had to be abandoned; the code is 4.
        """
        if (thread := self._thread) is None:
            return
        try:
            status = thread.wait()
        finally:
            self._thread = None
        if thread.stages is not None and thread.stages.signum is not None:
            leave(status, thread.stages)

    def stop_processes(self, *, at_once: bool = False) -> None:
        """Let the processes finish what they run within the grace, and wait until they have ended.

        Args:
            at_once: Cancel what runs instead; what may run again is handed back. Also where another thread
                waits for the processes already.
        """
        if (thread := self._thread) is None:
            return
        thread.begin_to_await()
        thread.tell(thread.supervisor.stop if at_once else thread.supervisor.drain)
        with contextlib.suppress(ConfigurationError):
            thread.wait()
        self._thread = None

    def quiet(self) -> None:
        """Stop polling; what runs goes on, until `resume` or `stop_processes`."""
        if (thread := self._thread) is not None:
            thread.tell(thread.supervisor.quiet)

    def resume(self) -> None:
        """Poll again."""
        if (thread := self._thread) is not None:
            thread.tell(thread.supervisor.resume)

    def is_healthy(self) -> bool:
        """Return whether there is a living process in every place."""
        statuses = self.get_worker_process_status()
        return bool(statuses) and all(status["alive"] for status in statuses)

    def get_worker_process_status(self) -> list[dict[str, Any]]:
        """Return for each process ``worker``, ``pid``, ``alive``, ``exitcode`` and ``restart_count``."""
        if self._supervisor is None:
            types = [worker.task_definition_name for worker in self.workers]
            processes = self._division["processes"]
            places = types if processes == "per-worker" else [", ".join(types)] * processes
            return [_described(place) for place in places]
        return [
            _described(
                process.task_types, process.pid, process.is_alive, process.exit_status, process.restarts
            )
            for process in self._supervisor.status().processes
        ]


def _described(
    worker: str,
    pid: int | None = None,
    is_alive: bool = False,
    exit_status: int | None = None,
    restarts: int = 0,
) -> dict[str, Any]:
    return {
        "worker": worker,
        "pid": pid,
        "alive": is_alive,
        "exitcode": exit_status,
        "restart_count": restarts,
    }


def _chosen(workers: Iterable[object] | object | None, is_scanned: bool | None) -> Sequence[object]:
    """Return the given workers, and the registered ones where these are wanted."""
    given = [] if workers is None else list(workers) if isinstance(workers, Iterable) else [workers]
    if is_scanned is False and not given:
        raise ConfigurationError("workers: none, and scan_for_annotated_workers=False; give some")
    if not is_scanned:
        return given
    own = [Worker.of(worker) for worker in given]
    return [*own, *(worker for worker in registered_workers() if worker not in own)]
