"""The parent of a fleet of processes in a thread of a program that has no event loop."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal

from anyworker.fleet.control.signals import SignalStages
from anyworker.fleet.control.waking import in_main_thread
from anyworker.fleet.processes.processes import supervise
from anyworker.fleet.processes.supervisor import Supervisor, SupervisorStatus

if TYPE_CHECKING:
    from concurrent.futures import Future

_running: "set[SupervisorThread]" = set()
"""Those that the end of the program waits for, as it does for processes of ``multiprocessing``."""


class SupervisorThread:
    """Run a supervisor in an event loop and a thread of its own, until `wait` or `close`.

    Where it is made in the main thread, signals reach the supervisor from then on.

    Args:
        supervisor: It has not begun.
        backend: The event loop.
        backend_options: Its options.
        is_quiet: Whether its processes are not to poll yet.

    Raises:
        ConfigurationError: The processes cannot be started.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        backend: str,
        backend_options: Mapping[str, Any],
        *,
        is_quiet: bool = False,
    ) -> None:
        self.supervisor = supervisor
        self._outcome: Future[SupervisorStatus]
        with contextlib.ExitStack() as resources:
            self.stages: SignalStages | None = None
            """The signals, None where none are heard."""
            if in_main_thread():
                self.stages = resources.enter_context(SignalStages(is_quiet=is_quiet))
            elif is_quiet:
                supervisor.quiet()
            portal = resources.enter_context(start_blocking_portal(backend, dict(backend_options)))
            self._outcome, _ = portal.start_task(_supervise, portal, supervisor, self.stages)
            self._portal, self._resources = portal, resources.pop_all()
        _have_the_end_wait()
        _running.add(self)

    def begin_to_await(self) -> None:
        """Keep signals from the main thread, if this is it: it waits for the end of the processes."""
        if self.stages is not None and in_main_thread():
            self.stages.is_awaited = True

    def tell(self, order: Callable[[], object]) -> None:
        """Have the thread do something, unless the processes have ended."""
        with contextlib.suppress(RuntimeError):  # the portal closes with their end
            self._portal.call(order)

    def wait(self) -> SupervisorStatus:
        """Wait until the processes have ended, and give back the thread and the signals.

        Raises:
            ConfigurationError: A process could not start, and the others were stopped for that.
        """
        self.begin_to_await()
        try:
            return self._outcome.result()
        finally:
            _running.discard(self)
            self._resources.close()


async def _supervise(
    portal: BlockingPortal,
    supervisor: Supervisor,
    stages: SignalStages | None,
    *,
    task_status: TaskStatus[None],
) -> SupervisorStatus:
    try:
        return await supervise(supervisor, stages, task_status=task_status)
    finally:
        await portal.stop()


@cache
def _have_the_end_wait() -> None:
    # Before the program's other threads and its executors end, on which an event loop relies.
    threading._register_atexit(_wait_for_all)  # type: ignore[attr-defined]  # noqa: SLF001 - as in concurrent.futures


def _wait_for_all() -> None:
    for thread in list(_running):
        # What it says has been logged.
        with contextlib.suppress(Exception):
            thread.wait()
