"""Tell listeners and the log what a runner does; build nothing that nobody hears."""

import logging

import anyio.lowlevel

from anyworker.conductor.models import Task
from anyworker.context import now_ms
from anyworker.errors import ConductorError, UnexpectedAnswerError
from anyworker.events import (
    PollCompleted,
    PollFailure,
    PollStarted,
    Publisher,
    TaskCancelled,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskExecutionStarted,
    TaskHandedBack,
)
from anyworker.events.kinds import identity_of, made
from anyworker.logs import fields_of
from anyworker.policy.outcome import Dropped, HandedBack, Outcome, Sent, to_result
from anyworker.runner.in_hand import Execution
from anyworker.runner.parcel import Parcel, cause_of
from anyworker.runner.polls.polling import PollHistory
from anyworker.runner.threads import stack_of
from anyworker.values.payload import output_size

logger = logging.getLogger(__name__)


class Reporter:
    """Report on one worker.

    Args:
        publisher: Brings events to their listeners.
        task_type: The worker's task type.
        worker_id: The id it polls under.
    """

    def __init__(self, publisher: Publisher, task_type: str, worker_id: str) -> None:
        self._publish = publisher.publish
        self._hears = publisher.hears
        # As anyio.current_time(), which would look up twice for every task what kind of loop this is.
        self.now = anyio.lowlevel.current_token().backend_class.current_time
        """Tells the loop time."""
        self._task_type = task_type
        self._worker_id = worker_id
        self.polls = PollHistory()
        """How polling has gone."""
        self._tally = tally = publisher.tallies.tally(task_type)
        self._measured = None if tally is None else (tally.took, tally.put_out)
        self._hears_poll_started = publisher.hears(PollStarted)
        self._hears_poll_completed = publisher.hears(PollCompleted)
        self._hears_started = publisher.hears(TaskExecutionStarted)
        self._hears_completed = publisher.hears(TaskExecutionCompleted)
        self._hears_failure = publisher.hears(TaskExecutionFailure)
        self._measures = self._hears_completed or self._hears_failure or self._tally is not None

    def poll_started(self, count: int) -> None:
        """A poll for so many tasks is about to be sent."""
        if self._tally is not None:
            self._tally.poll_started()
        if self._hears_poll_started:
            event = made(PollStarted, task_type=self._task_type, worker_id=self._worker_id, poll_count=count)
            self._publish(event)

    def poll_completed(self, duration: float, received: int) -> None:
        """A poll was answered after so many seconds; it may end a streak of failures."""
        self.polls.succeeded()
        if failures := self.polls.failures.ended():
            logger.info("Polling %s works again after %d failed polls", self._task_type, failures)
        if self._tally is not None:
            self._tally.poll_completed(duration, received)
        if self._hears_poll_completed:
            self._publish(
                made(
                    PollCompleted,
                    task_type=self._task_type,
                    duration_ms=duration * 1000,
                    tasks_received=received,
                )
            )

    def poll_failed(self, duration: float, error: ConductorError) -> None:
        """A poll failed after so many seconds; a streak of one failure is logged at its start and its end."""
        self.polls.failed(error)
        before = self.polls.failures.count
        if self.polls.failures.failed((type(error), error.status)):
            level = logging.ERROR if isinstance(error, UnexpectedAnswerError) else logging.WARNING
            since = f", otherwise than the {before} polls before" if before else ""
            logger.log(level, "Polling %s fails%s, going on with backoff: %s", self._task_type, since, error)
        if self._hears(PollFailure):
            self._publish(PollFailure(task_type=self._task_type, duration_ms=duration * 1000, cause=error))

    def execution_started(self, execution: Execution) -> None:
        """A function is about to be called."""
        if self._measures or self._hears_started:
            execution.started = self.now()
        if self._hears_started:
            task = execution.draft.task
            self._publish(
                made(
                    TaskExecutionStarted,
                    task_type=self._task_type,
                    task_id=task.task_id,
                    worker_id=self._worker_id,
                    workflow_instance_id=task.workflow_instance_id,
                )
            )

    def executed(self, execution: Execution, outcome: Sent, parcel: Parcel) -> None:
        """A call came to an outcome and its result is ready to be sent."""
        if isinstance(outcome, HandedBack) or not self._measures:
            return
        cause = cause_of(outcome, parcel)
        if cause is not None:
            self._failed(execution, cause)
        else:
            self._completed(execution, parcel)

    def handed_back(self, execution: Execution, outcome: HandedBack) -> None:
        """The server has a task back."""
        task = execution.draft.task
        logger.info("Task %s is handed back", task.task_id, extra=fields_of(task))
        if self._hears(TaskHandedBack):
            self._publish(
                TaskHandedBack(
                    **identity_of(task, self._task_type, self._worker_id),
                    reason=outcome.reason,
                    was_running=execution.is_interrupted,
                )
            )

    def repeated(self, task: Task) -> None:
        """The server handed out a task that is in hand."""
        logger.warning(
            "Task %s was handed out again while in hand; ignored", task.task_id, extra=fields_of(task)
        )

    def dropped(self, execution: Execution, outcome: Dropped) -> None:
        """A call was cancelled for a task that is no longer ours."""
        task = execution.draft.task
        late = "" if outcome.late is None else "; what its function came to all the same is not sent"
        logger.info("Task %s is dropped: %s%s", task.task_id, outcome.reason, late, extra=fields_of(task))

    def cancelled(self, execution: Execution, outcome: Outcome) -> None:
        """A call that was cancelled is over."""
        task, reason = execution.draft.task, execution.draft.cancel_reason
        if not self._hears(TaskCancelled) or reason is None:
            return
        late = (outcome.late if isinstance(outcome, Dropped) else None) or execution.came_to()
        self._publish(
            TaskCancelled(
                **identity_of(task, self._task_type, self._worker_id),
                reason=reason,
                late_result=None if late is None else to_result(late, execution.draft, now_ms=now_ms),
            )
        )

    def stubborn(self, execution: Execution, seconds: float) -> None:
        """A function goes on so many seconds after it was cancelled."""
        reason = execution.draft.cancel_reason or "the call took longer than its timeout"
        logger.warning(
            "The function of task %s (type %s) still runs %.0f s after it was cancelled (%s): it swallows "
            "its cancellation, or cleans up for long. Its slot stays taken",
            execution.draft.task.task_id,
            self._task_type,
            seconds,
            reason,
            extra=fields_of(execution.draft.task),
        )

    def leaked(self, execution: Execution, count: int, *, most: int) -> None:
        """A call was given up whose thread goes on, one of so many."""
        slot = "its slot is free again" if count <= most else "its slot stays taken until one of them ends"
        logger.log(
            logging.WARNING if count <= most else logging.ERROR,
            "The function of task %s (type %s) goes on in its thread although its call was given up (%s); %d "
            "threads do, at most %d may beside the slots, so %s. It is at:\n%s",
            execution.draft.task.task_id,
            self._task_type,
            execution.draft.cancel_reason,
            count,
            most,
            slot,
            stack_of(execution.thread_id),
            extra=fields_of(execution.draft.task),
        )

    def abandoned(self, execution: Execution) -> None:
        """A thread goes on although nobody waits for it."""
        logger.error(
            "Task %s (type %s) cannot be stopped: its function still runs in a thread, and is left to the "
            "task's response timeout. It is at:\n%s",
            execution.draft.task.task_id,
            self._task_type,
            stack_of(execution.thread_id),
            extra=fields_of(execution.draft.task),
        )

    def _completed(self, execution: Execution, parcel: Parcel) -> None:
        seconds, size = self.now() - execution.started, output_size(parcel.result, parcel.body)
        if self._measured is not None:
            took, put_out = self._measured
            took(seconds)
            put_out(size)
        if not self._hears_completed:
            return
        task = execution.draft.task
        self._publish(
            made(
                TaskExecutionCompleted,
                task_type=self._task_type,
                task_id=task.task_id,
                worker_id=self._worker_id,
                workflow_instance_id=task.workflow_instance_id,
                duration_ms=seconds * 1000,
                output_size_bytes=size,
            )
        )

    def _failed(self, execution: Execution, cause: BaseException) -> None:
        if not self._hears_failure:
            return
        task = execution.draft.task
        self._publish(
            TaskExecutionFailure(
                **identity_of(task, self._task_type, self._worker_id),
                cause=cause,
                duration_ms=(self.now() - execution.started) * 1000,
            )
        )
