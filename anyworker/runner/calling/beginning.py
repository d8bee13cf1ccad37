"""Begin the call of a task's function: not while draining, and only once the journal knows of it."""

from collections.abc import Awaitable

import anyio
import attrs

from anyworker.errors import ProcessDied
from anyworker.policy.outcome import HandedBack, Outcome, Terminal
from anyworker.policy.planner import Planner
from anyworker.runner.calling.execution import Executor, known
from anyworker.runner.in_hand import Execution
from anyworker.runner.outbox.journal import Journal
from anyworker.runner.reporting import Reporter


@attrs.frozen(eq=False)
class Beginning:
    """Begins the calls of one worker."""

    executor: Executor
    planner: Planner
    """Tells whether the worker drains."""
    reporter: Reporter
    journal: Journal | None
    """Keeps which functions have begun, None for nobody does."""

    def execute(self, execution: Execution, scope: anyio.CancelScope) -> Awaitable[Outcome]:
        """Execute a task, as `Executor.execute` does, or say what became of it instead."""
        if self.planner.is_draining:
            return known(HandedBack("shutdown"))
        if self.journal is not None:
            return self._execute_entered(execution, scope, self.journal)
        self.reporter.execution_started(execution)
        return self.executor.execute(execution, scope)

    async def _execute_entered(
        self, execution: Execution, scope: anyio.CancelScope, journal: Journal
    ) -> Outcome:
        """Execute a task once the journal has it, unless that says that it must not be."""
        reason = await journal.begin(execution.draft.task)
        if self.planner.is_draining:
            return HandedBack("shutdown")
        self.reporter.execution_started(execution)
        if reason is not None:
            return Terminal(reason, ProcessDied(reason))
        return await self.executor.execute(execution, scope)
