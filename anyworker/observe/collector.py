"""The listener that counts what a worker's events tell."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import attrs

from anyworker.errors import message_of
from anyworker.events import (
    LeaseExtended,
    LeaseFailed,
    LeaseLost,
    PollCompleted,
    PollFailure,
    PollStarted,
    ResultRefused,
    ResultReplayed,
    ResultStored,
    TaskCancelled,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskHandedBack,
    TaskRunnerEventsListener,
    TaskUpdateFailure,
)
from anyworker.events.kinds import TaskEvent
from anyworker.observe import catalog
from anyworker.observe.distribution import Distribution
from anyworker.observe.ledger import Count, FailureNote, Ledger

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

_REASON_CHARACTERS = 500
_SUCCESS, _FAILURE = "SUCCESS", "FAILURE"


@attrs.frozen(eq=False)
class TypeTally:
    """Where the numbers of one task type go, looked up once."""

    polls: Count
    empty: Count
    poll_time: Distribution
    succeeded: Distribution
    failed: Distribution
    sizes: Distribution

    @classmethod
    def in_ledger(cls, ledger: Ledger, task_type: str) -> "TypeTally":
        """Return the one of a task type."""
        return cls(
            polls=ledger.count(catalog.POLLS, task_type),
            empty=ledger.count(catalog.EMPTY_POLLS, task_type),
            poll_time=ledger.distribution(catalog.POLL_TIME, task_type),
            succeeded=ledger.distribution(catalog.EXECUTE_TIME, task_type, _SUCCESS),
            failed=ledger.distribution(catalog.EXECUTE_TIME, task_type, _FAILURE),
            sizes=ledger.distribution(catalog.RESULT_SIZE, task_type),
        )

    def poll_started(self) -> None:
        """Count a poll."""
        self.polls.value += 1

    def poll_completed(self, seconds: float, received: int) -> None:
        """Measure a poll."""
        self.poll_time.add(seconds)
        if not received:
            self.empty.value += 1

    @property
    def took(self) -> Callable[[float], None]:
        """Takes the seconds of a call that succeeded."""
        return self.succeeded.take

    @property
    def put_out(self) -> Callable[[float], None]:
        """Takes the bytes that its output has as JSON."""
        return self.sizes.take


class _Tallies(dict[str, TypeTally]):
    """Those of all task types that were heard of."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __missing__(self, task_type: str) -> TypeTally:
        tally = self[task_type] = TypeTally.in_ledger(self._ledger, task_type)
        return tally


class MetricsCollector(TaskRunnerEventsListener):
    """Count polls, executions and results.

    ``metrics_settings`` brings one along. Given among the listeners by hand it counts what workers do, and
    can be registered with prometheus-client, to be exposed with a program's own metrics::

        collector = MetricsCollector()
        prometheus_client.REGISTRY.register(collector)
        anyworker.run(event_listeners=[collector])
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        """What was counted."""
        self.tallies = _Tallies(self.ledger)
        """By task type."""

    def collect(self) -> Iterable["Family"]:
        """Return all metrics, for a registry of prometheus-client."""
        from anyworker.observe.exposition import Exposition  # noqa: PLC0415 - it brings prometheus-client along

        return Exposition(self.ledger).collect()

    def on_poll_started(self, event: PollStarted) -> None:
        """Count a poll."""
        self.tallies[event.task_type].poll_started()

    def on_poll_completed(self, event: PollCompleted) -> None:
        """Measure a poll."""
        self.tallies[event.task_type].poll_completed(event.duration_ms / 1000, event.tasks_received)

    def on_poll_failure(self, event: PollFailure) -> None:
        """Count a failed poll by its exception's class."""
        self.tallies[event.task_type].poll_time.add(event.duration_ms / 1000)
        self._count_error(catalog.POLL_ERRORS, event.task_type, event.cause)

    def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
        """Measure an execution and its output."""
        tally = self.tallies[event.task_type]
        tally.succeeded.add(event.duration_ms / 1000)
        tally.sizes.add(event.output_size_bytes)

    def on_task_execution_failure(self, event: TaskExecutionFailure) -> None:
        """Measure an execution, and count its exception's class."""
        self.tallies[event.task_type].failed.add(event.duration_ms / 1000)
        self._count_error(catalog.EXECUTE_ERRORS, event.task_type, event.cause)
        self._note(event, event.cause)

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        """Count a result that was given up."""
        self._count_error(catalog.UPDATE_ERRORS, event.task_type, event.cause)
        self._note(event, event.cause, "its result could not be delivered: ")

    def on_lease_extended(self, event: LeaseExtended) -> None:
        """Count a heartbeat."""
        self.ledger.count(catalog.LEASES, event.task_type, "extended").value += 1

    def on_lease_failed(self, event: LeaseFailed) -> None:
        """Count a heartbeat that was in vain."""
        self.ledger.count(catalog.LEASES, event.task_type, "failed").value += 1

    def on_lease_lost(self, event: LeaseLost) -> None:
        """Count a lease that ended before its task."""
        self.ledger.count(catalog.LEASES, event.task_type, "lost").value += 1

    def on_task_cancelled(self, event: TaskCancelled) -> None:
        """Count a call that was cancelled."""
        self.ledger.count(catalog.CANCELS, event.task_type, type(event.reason).__name__).value += 1

    def on_task_handed_back(self, event: TaskHandedBack) -> None:
        """Count a task that the server has back."""
        self.ledger.count(catalog.HAND_BACKS, event.task_type, event.reason).value += 1

    def on_result_stored(self, event: ResultStored) -> None:
        """Count a result that waits in the outbox."""
        self.ledger.count(catalog.STORED_RESULTS, event.task_type, "stored").value += 1

    def on_result_replayed(self, event: ResultReplayed) -> None:
        """Count a result that the outbox delivered."""
        self.ledger.count(catalog.STORED_RESULTS, event.task_type, "replayed").value += 1

    def on_result_refused(self, event: ResultRefused) -> None:
        """Count a result that came too late."""
        self.ledger.count(catalog.STORED_RESULTS, event.task_type, "refused").value += 1

    def _note(self, event: TaskEvent, cause: BaseException, what: str = "") -> None:
        self.ledger.note(
            FailureNote(
                at=event.timestamp.timestamp(),
                task_type=event.task_type,
                task_id=event.task_id,
                workflow_id=event.workflow_instance_id,
                reason=f"{what}{type(cause).__name__}: {message_of(cause)}"[:_REASON_CHARACTERS],
            )
        )

    def _count_error(self, metric: catalog.Metric, task_type: str, cause: BaseException) -> None:
        self.ledger.count(metric, task_type, type(cause).__name__).value += 1


class QuickCollector(MetricsCollector):
    """One that is told by its tallies, not by events, of what every poll and every good task does."""

    on_poll_started = TaskRunnerEventsListener.on_poll_started
    on_poll_completed = TaskRunnerEventsListener.on_poll_completed
    on_task_execution_completed = TaskRunnerEventsListener.on_task_execution_completed


PrometheusMetricsCollector = MetricsCollector
"""Its other name."""
