"""The workers of one process of a run, and what their functions do."""

from collections.abc import Awaitable, Callable, Iterator

import anyio
from scenario import Deed, Scenario, TaskKind
from wire import Wire
from witness import Witness

from anyworker import NonRetryableException, TaskInProgress, Worker, get_task_context


class Workforce:
    """Declare the workers of one process.

    Args:
        scenario: What they do.
        life: The number of the process.
        wire: Tells whether it is dead.
        witness: Hears what they do.
    """

    def __init__(self, scenario: Scenario, life: int, wire: Wire, witness: Witness) -> None:
        self._scenario = scenario
        self._life = life
        self._wire = wire
        self._witness = witness

    def workers(self) -> Iterator[Worker]:
        """Return one for each kind of task."""
        return map(self._worker, self._scenario.kinds)

    def _worker(self, kind: TaskKind) -> Worker:
        function = self._asynchronous() if kind.is_async else self._plain()
        return Worker(
            kind.name,
            function,
            thread_count=kind.thread_count,
            lease_extend_enabled=kind.extends_leases,
            timeout=kind.timeout,
        )

    def _asynchronous(self) -> Callable[[int, str], Awaitable[object]]:
        async def work(flow: int, reference: str) -> object:
            task_id = get_task_context().get_task_id()
            deed = self._deed(flow, reference)
            self._witness.called(self._life, task_id, 1)
            try:
                await anyio.sleep(deed.seconds)
                return self._end(deed, task_id)
            finally:
                self._witness.called(self._life, task_id, -1)

        return work

    def _plain(self) -> Callable[[int, str], object]:
        def work(flow: int, reference: str) -> object:
            task_id = get_task_context().get_task_id()
            self._witness.called(self._life, task_id, 1)
            try:
                return self._end(self._deed(flow, reference), task_id)
            finally:
                self._witness.called(self._life, task_id, -1)

        return work

    def _deed(self, flow: int, reference: str) -> Deed:
        context = get_task_context()
        return self._scenario.deed(flow, reference, context.get_retry_count(), context.get_poll_count())

    def _end(self, deed: Deed, task_id: str) -> object:
        is_interim = deed.ending == "go on"
        token = "dead" if self._wire.is_cut else self._witness.ran(self._life, task_id, is_interim=is_interim)
        match deed.ending:
            case "complete":
                return {"token": token}
            case "go on":
                return TaskInProgress(deed.pause, {"token": token})
            case "fail":
                raise RuntimeError(token)
            case "fail for good":
                raise NonRetryableException(token)
