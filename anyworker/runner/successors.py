"""Take the next task with the answer to a result: update-v2."""

import logging

from anyio.abc import TaskGroup

from anyworker.conductor.models import Task
from anyworker.errors import ConductorError, MethodNotAllowedError, UnexpectedAnswerError
from anyworker.policy.chaining import SERVER_WAIT
from anyworker.policy.planner import Planner
from anyworker.runner.delivery import Delivery
from anyworker.runner.in_hand import Execution
from anyworker.runner.needs import Heartbeats
from anyworker.runner.parcel import Parcel
from anyworker.runner.polls.places import Places
from anyworker.runner.polls.reclaiming import Reclaimer, Take
from anyworker.runner.prospects import may_have_worked
from anyworker.runner.reporting import Reporter

logger = logging.getLogger(__name__)


class Successors:
    """Deliver results of one worker so that their answers bring the next tasks.

    Args:
        delivery: Brings results home.
        planner: Decides about polls; a result that asks for a task counts as one.
        places: What all workers of the process share.
        reporter: Knows how polling has gone.
        reclaimer: Looks for tasks in answers that are lost.
        take_back: Takes in hand what it finds.
    """

    def __init__(
        self,
        delivery: Delivery,
        planner: Planner,
        places: Places,
        *,
        reporter: Reporter,
        reclaimer: Reclaimer,
        take_back: Take,
    ) -> None:
        self._delivery = delivery
        self._planner = planner
        self._chaining = planner.chaining
        self._places = places
        self._reporter = reporter
        self._reclaimer = reclaimer
        self._take_back = take_back

    def are_wanted(self, execution: Execution) -> bool:
        """Return whether to ask for one with a task's result; if so, `deliver` must follow."""
        if not self._chaining.is_worth_it or self._places.are_wanted:
            return False
        # A slot whose thread goes on, or whose child is marked, may not go on with another task.
        if execution.is_abandoned or execution.is_marked:
            return False
        return self._planner.may_chain(self._reporter.now())

    async def deliver(
        self, execution: Execution, parcel: Parcel, heartbeats: Heartbeats, children: TaskGroup
    ) -> tuple[bool, Task | None]:
        """Send a result that ends a task, by the plain way where this one fails.

        Args:
            execution: The task.
            parcel: Its result.
            heartbeats: Its own.
            children: Where to search for the task that a lost answer may have had.

        Returns:
            Whether the server has it, and the next task.
        """
        sent = self._reporter.now()
        task: Task | None = None
        has_answer = False
        try:
            task = await self._delivery.attempt_v2(parcel)
            has_answer = True
        except ConductorError as error:
            is_open = self._lost(sent, error, children)
            failure = error
        finally:
            self._planner.chained(self._reporter.now(), hit=task is not None if has_answer else None)
        if not has_answer:
            if is_open:
                self._delivery.failed_attempts += 1
                return await self._delivery.deliver(parcel, heartbeats), None
            return await self._delivery.persist(parcel, failure, heartbeats), None
        execution.has_no_successor = task is None
        self._reporter.polls.succeeded()
        self._reclaimer.answered(() if task is None else (task,))
        return True, task

    def _lost(self, sent: float, error: ConductorError, children: TaskGroup) -> bool:
        """Take in that no answer came; return whether the plain way may fare better at once."""
        if isinstance(error, MethodNotAllowedError) or _has_no_such_path(error):
            self._chaining.is_possible = False
            logger.info("The server does not know update-v2, results go by the plain update: %s", error)
            return True
        if self._reclaimer.lost(sent, SERVER_WAIT, error):
            children.start_soon(self._reclaimer.run, self._take_back, children)
        return may_have_worked(error) or isinstance(error, UnexpectedAnswerError)


def _has_no_such_path(error: ConductorError) -> bool:
    return isinstance(error, UnexpectedAnswerError) and error.status == 404
