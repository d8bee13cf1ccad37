"""Threads that are left behind: nobody waits for their calls any more, but nothing can stop them."""

import logging
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

from anyworker.context import now_ms
from anyworker.events import Publisher, ResultRefused
from anyworker.events.kinds import identity_of
from anyworker.logs import fields_of
from anyworker.policy.outcome import to_result
from anyworker.runner.in_hand import Execution
from anyworker.runner.reporting import Reporter

logger = logging.getLogger(__name__)

LAST_SECONDS = 1.0
"""How long a thread may take to notice that the worker ends, before its task is left to its lease."""


class Leaks:
    """The calls of one worker that go on in their threads although they were given up."""

    def __init__(self) -> None:
        self.publisher: Publisher | None = None
        """Hears what they come to in the end, which nobody else is told."""
        self._executions: set[Execution] = set()
        self._changed: anyio.Event | None = None
        self._loop: Any = None
        self._is_draining = False

    def __len__(self) -> int:
        """Return how many there are now."""
        return len(self._executions)

    def leave(self, execution: Execution) -> None:
        """Wait for a call no longer, and count it as long as a thread is in it."""
        self._know_loop()
        execution.leave()
        if execution.is_abandoned:
            self._executions.add(execution)

    async def end_of(self, execution: Execution) -> bool:
        """Wait a moment for the thread of a call to end, whoever is cancelled; return whether it has.

        A thread that has not begun the function is not waited for.
        """
        self._know_loop()
        execution.thread_end = anyio.Event()
        if execution.thread_id is not None:
            with anyio.move_on_after(LAST_SECONDS, shield=True):
                await execution.thread_end.wait()
        return execution.has_begun and execution.thread_id is None

    def ended(self, execution: Execution) -> None:
        """Take in, from its thread, that a call has ended."""
        # Without waiting for it, as anyio.from_thread would: the loop may end before it gets there.
        soon = getattr(self._loop, "run_sync_soon", None) or self._loop.call_soon_threadsafe
        try:
            soon(partial(self._remove, execution))
        except RuntimeError:
            logger.debug("A thread outlived its event loop, task %s", execution.draft.task.task_id)

    async def outlast(self, execution: Execution, most: int, reporter: Reporter) -> None:
        """Report that the thread of a call goes on; wait while more than ``most`` do, or until `drain`."""
        if not self._is_draining:
            reporter.leaked(execution, len(self), most=most)
        while len(self) > most and not self._is_draining:
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()

    def drain(self) -> None:
        """Let nobody wait any more: nothing follows that the threads could be too many for."""
        self._is_draining = True
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _know_loop(self) -> None:
        if self._loop is None:
            self._loop = anyio.lowlevel.current_token().native_token

    def _remove(self, execution: Execution) -> None:
        if execution.thread_end is not None:
            execution.thread_end.set()
        if execution not in self._executions:
            return
        self._executions.remove(execution)
        task = execution.draft.task
        logger.info(
            "The thread of task %s has ended after all; what it came to is not sent",
            task.task_id,
            extra=fields_of(task),
        )
        self._wake()
        self._tell(execution)

    def _tell(self, execution: Execution) -> None:
        """Tell of a result that nobody takes."""
        if self.publisher is None or not self.publisher.hears(ResultRefused):
            return
        if execution.late is None or (outcome := execution.late()) is None:
            return
        draft = execution.draft
        self.publisher.publish(
            ResultRefused(
                **identity_of(draft.task, draft.task.task_type, draft.worker_id),
                reason=f"its call had been given up: {draft.cancel_reason}",
                task_result=to_result(outcome, draft, now_ms=now_ms),
                is_persistent=False,
            )
        )
