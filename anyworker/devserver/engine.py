"""The engine: workflows, tasks and polls of a Conductor server in memory.

Pure: it has no clock and does no I/O. Every call is given ``now``, in epoch milliseconds, which never goes
back; what became due in between happens first, in order and each at its own time. Whoever waits for something
advances the engine when :meth:`Engine.next_deadline` is reached.
"""

import random
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from anyworker.devserver import complaints, errors, payloads
from anyworker.devserver.catalog import Catalog
from anyworker.devserver.changes import Listener
from anyworker.devserver.deadlines import Deadlines
from anyworker.devserver.decider import Decider
from anyworker.devserver.plans import Plan
from anyworker.devserver.queues import Poll, Queues, Waiting
from anyworker.devserver.records import TaskRecord, WorkflowRecord
from anyworker.devserver.results import Report
from anyworker.devserver.store import LogLine, Store
from anyworker.devserver.watches import Watch, Watches

UPDATE_V2_WAIT = 100
"""Milliseconds for which an update-v2 waits for a next task."""


@attrs.frozen
class Start:
    """A workflow to be started."""

    plan: Plan
    input: dict[str, Any]
    correlation_id: str | None = None
    priority: int = 0
    task_to_domain: dict[str, Any] = attrs.field(factory=dict)
    external_input: str | None = None


class Engine:
    """The state of a server and what can be done to it.

    Args:
        waiting: How polls wait: ``fill`` as the SQL back ends, ``first`` as Redis.
        chance: Where ids and jitter come from.
        max_finished: How many ended workflows are kept.
    """

    def __init__(
        self, *, waiting: Waiting = "fill", chance: random.Random, max_finished: int = 10_000
    ) -> None:
        self._waiting = waiting
        self._chance = chance
        self._deadlines = Deadlines()
        self.is_hurried = False
        """Whether every poll is answered at once, however long it would wait."""
        self.on_change = list[Listener]()
        self.catalog = Catalog()
        self.store = Store(max_finished)
        self.queues = Queues(waiting, self._deadlines, self._take)
        self._watches = Watches(self._deadlines)
        self.decider = Decider(self.store, self.queues, self._deadlines, self.new_id, self._jitter)

    # Time

    def advance(self, now: int) -> None:
        """Let everything happen that is due by now: deliveries, ends of polls, timeouts."""
        self._deadlines.advance(now)

    def next_deadline(self) -> int | None:
        """Return when something is due next, None if nothing ever is."""
        return self._deadlines.next()

    def new_id(self) -> str:
        """Return a new id in the form of a random UUID."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _jitter(self, most: int) -> int:
        if most <= 0:
            return 0
        jitter = self._chance.randint(0, most)
        return jitter if self._waiting == "first" else jitter // 1000 * 1000

    # Workflows

    def start(self, request: Start, now: int) -> str:
        """Start a workflow and return its id.

        Raises:
            RequestRefused: 500, the input is over the limit.
        """
        self.advance(now)
        workflow_id = self.new_id()
        source = self._stored_input(request.external_input) if request.external_input else request.input
        if source:
            source = {**source, **{k: v for k, v in request.plan.template.items() if source.get(k) is None}}
        found = payloads.size(source)
        if found > payloads.LIMIT:
            raise errors.failure(payloads.too_large_for_workflow(found, workflow_id))
        workflow = WorkflowRecord(
            workflow_id=workflow_id,
            plan=request.plan,
            created=now,
            input=source,
            correlation_id=request.correlation_id,
            priority=request.priority,
            task_to_domain=request.task_to_domain,
            external_input=request.external_input,
            listeners=self.on_change,
        )
        if found > payloads.WORKFLOW_INPUT_INLINE_LIMIT:
            workflow.external_input = f"{self.new_id()}.json"
            self.store.keep_payload(workflow.external_input, source)
        self.store.add_workflow(workflow)
        workflow.become("RUNNING", now)
        self.decider.decide(workflow, now)
        return workflow_id

    def _stored_input(self, path: str) -> dict[str, Any]:
        found = self.store.find_payload(path)
        if found is None:
            raise errors.payload_not_found(path)
        return found

    # Polls

    def poll(
        self,
        task_type: str,
        *,
        now: int,
        domain: str | None = None,
        worker_id: str | None = None,
        count: int = 1,
        timeout: int = 100,
    ) -> Poll:
        """Ask for tasks; the poll is answered at once or waits in the engine.

        Args:
            task_type: The type.
            now: Epoch milliseconds.
            domain: The domain, None for the plain queue.
            worker_id: Who asks.
            count: The most tasks wanted; 0 or less brings none.
            timeout: Milliseconds it may wait; 0 or less for one look.
        """
        self.advance(now)
        poll = Poll(task_type, domain, worker_id, count)
        self.queues.poll(poll, 0 if self.is_hurried else timeout, now)
        return poll

    def _take(self, task: TaskRecord, poll: Poll, now: int) -> None:
        task.poll_count += 1
        task.updated = now
        task.started = task.started or now
        task.callback_after = 0
        task.worker_id = poll.worker_id
        task.become("IN_PROGRESS", now)
        self.decider.watch(task.workflow, now)

    def take_again(self, task: TaskRecord, poll: Poll, now: int) -> None:
        """Give a task that is in work to a further poll."""
        self._take(task, poll, now)

    def hurry(self, now: int) -> None:
        """Answer the polls and watches that wait, and from now on every one at once."""
        self.is_hurried = True
        self.queues.end_all_early(now)
        self._watches.end_all_early()

    def watch(self, holds: Callable[[], bool], timeout: int, now: int) -> Watch:
        """Wait until something holds, at most so many milliseconds."""
        return self._watches.add(holds, 0 if self.is_hurried else timeout, now)

    # Updates

    def update(self, report: Report, now: int) -> TaskRecord | None:
        """Take a worker's report. Return the task, None when only its lease was extended.

        Raises:
            RequestRefused: 404 for an unknown workflow or task; 500 without a status, and for a log line
                without text, after everything but the decision has been done.
        """
        self.advance(now)
        if report.extend_lease:
            self._extend_lease(report, now)
            return None
        workflow = self.store.workflow(report.workflow_id or "")
        task = self.store.tasks.get(report.task_id or "")
        if task is None:
            raise errors.no_such_task(report.task_id or "")
        if task.is_terminal or workflow.is_terminal:
            self.queues.remove(task)
            return task
        if report.status is None:
            raise complaints.missing_status()
        self._apply(task, report, now)
        self._keep_logs(task, report)
        if task.workflow.lost_payload is not None:
            raise errors.payload_not_found(task.workflow.lost_payload)
        self.decider.decide(workflow, now)
        return task

    def _extend_lease(self, report: Report, now: int) -> None:
        task = self.store.tasks.get(report.task_id or "")
        if task is None:
            raise errors.no_such_task(report.task_id or "")
        if not task.is_terminal:
            task.updated = now
            self.decider.watch(task.workflow, now)

    def _apply(self, task: TaskRecord, report: Report, now: int) -> None:
        task.reason = report.reason
        task.worker_id = report.worker_id
        task.callback_after = report.callback_after
        task.output = report.output
        task.sub_workflow_id = report.sub_workflow_id
        if report.external_output:
            self._take_stored_output(task, report.external_output)
        status = report.status or ""
        if report.is_large:
            status = self._measure_output(task, status)
        if status == "IN_PROGRESS":
            task.updated = now
            task.become("SCHEDULED", now)
            self.queues.push(task, report.callback_after * 1000, now)
        else:
            task.close(status, now)
            self.queues.remove(task)

    def _take_stored_output(self, task: TaskRecord, path: str) -> None:
        found = self.store.find_payload(path)
        task.external_output, task.output = path, found or {}
        if found is None:
            task.workflow.lost_payload = path

    def _measure_output(self, task: TaskRecord, status: str) -> str:
        """Move a large output out of the task, or fail a task whose output is over the limit."""
        found = payloads.size(task.output)
        if found > payloads.LIMIT:
            task.reason = payloads.too_large_for_task(found, task.task_id, task.workflow.workflow_id)
            task.output = {}
            return "FAILED_WITH_TERMINAL_ERROR"
        if found > payloads.INLINE_LIMIT:
            task.external_output = f"{self.new_id()}.json"
            self.store.keep_payload(task.external_output, task.output)
        return status

    def _keep_logs(self, task: TaskRecord, report: Report) -> None:
        if any(text is None for text, _ in report.logs):
            raise complaints.log_without_text()
        for text, created in report.logs:
            self.store.log(LogLine(text or "", task.task_id, created))

    def update_and_poll(self, report: Report, now: int) -> Poll | None:
        """Take a worker's report, then ask for its next task of the same type and domain.

        Returns:
            The poll, or None when the task goes on and nothing is asked for.

        Raises:
            RequestRefused: As :meth:`update`.
        """
        task = self.update(report, now)
        if task is None or not task.is_terminal:
            return None
        return self.poll(
            task.task_type,
            now=now,
            domain=task.domain,
            worker_id=report.worker_id,
            timeout=UPDATE_V2_WAIT,
        )
