"""The engine: workflows, tasks and polls of a Conductor server in memory.

Pure: it has no clock and does no I/O. Every call is given ``now``, in epoch milliseconds, which never goes
back; what became due in between happens first, in order and each at its own time. Whoever waits for something
advances the engine when :meth:`Engine.next_deadline` is reached.
"""

import contextlib
import random
import uuid
from collections.abc import Callable
from typing import assert_never

from anyworker.devserver.lifecycle import beginnings
from anyworker.devserver.lifecycle.beginnings import Start
from anyworker.devserver.lifecycle.decider import Decider
from anyworker.devserver.lifecycle.endings import Endings
from anyworker.devserver.lifecycle.families import Families
from anyworker.devserver.lifecycle.heartbeats import Heartbeats
from anyworker.devserver.lifecycle.launching import Launcher
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.lifecycle.scheduling import Scheduler
from anyworker.devserver.lifecycle.state import (
    ChildEnded,
    Decide,
    EndChild,
    EvaluateJoins,
    Internalize,
    Job,
    StartChild,
    StartFailureWorkflow,
    State,
)
from anyworker.devserver.lifecycle.updates import Updates
from anyworker.devserver.metadata.catalog import Catalog
from anyworker.devserver.queueing.admission import Admission
from anyworker.devserver.queueing.polls import Poll, Waiting
from anyworker.devserver.queueing.queues import Queues
from anyworker.devserver.records.changes import Listener
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.store import Store
from anyworker.devserver.timing.deadlines import Deadlines
from anyworker.devserver.timing.watches import Watch, Watches
from anyworker.devserver.wire import errors

POSTPONE = 2000
"""Milliseconds for which a task over a limit is pushed back; a real server is shipped with 60,000."""
UPDATE_V2_WAIT = 100
"""Milliseconds for which an update-v2 waits for a next task."""


class Engine:
    """The state of a server and what can be done to it.

    Args:
        waiting: How polls wait: ``fill`` as the SQL back ends, ``first`` as Redis.
        chance: Where ids and jitter come from.
        max_finished: How many ended workflows are kept.
        rate_limits: Whether ``rateLimitPerFrequency`` has an effect.
        postpone: Milliseconds for which a task over a limit is pushed back.
        lease_race: Milliseconds for which a heartbeat is under way.
    """

    def __init__(
        self,
        *,
        waiting: Waiting = "fill",
        chance: random.Random,
        max_finished: int = 10_000,
        rate_limits: bool = False,
        postpone: int = POSTPONE,
        lease_race: int = 0,
    ) -> None:
        self._waiting = waiting
        self._chance = chance
        self._deadlines = Deadlines()
        self.is_hurried = False
        """Whether every poll is answered at once, however long it would wait."""
        self.on_change = list[Listener]()
        self.catalog = Catalog()
        self.store = Store(max_finished)
        admission = Admission(keeps_place=waiting == "fill", rate_limits=rate_limits)
        self.queues = Queues(waiting, self._deadlines, admission, postpone, self._take)
        self._watches = Watches(self._deadlines)
        self._heartbeats = Heartbeats(self.store, self._deadlines, self._watches, chance, lease_race)
        self.state = State(
            catalog=self.catalog,
            store=self.store,
            queues=self.queues,
            deadlines=self._deadlines,
            new_id=self.new_id,
            jitter=self._jitter,
            listeners=self.on_change,
        )
        self.launcher = Launcher(self.state)
        self._updates = Updates(self.state, self.launcher, self._heartbeats)
        self.endings = Endings(self.state, self.launcher)
        self.families = Families(self.state, self.endings, self.launcher)
        self.decider = Decider(self.state, self.endings, self.launcher, Scheduler(self.state))

    # Time

    def advance(self, now: int) -> None:
        """Let everything happen that is due by now: deliveries, ends of polls, timeouts."""
        self._deadlines.advance(now, self.settle)

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
        workflow = beginnings.begin(self.state, request, self.new_id(), now)
        try:
            self.decide(workflow, now)
        except errors.RequestRefused:
            self.forget(workflow)
            raise
        workflow.is_fresh = False
        return workflow.workflow_id

    def decide(self, workflow: WorkflowRecord, now: int) -> None:
        """Let the decider look at a workflow, then do what follows from that elsewhere.

        Raises:
            RequestRefused: The server stumbles over the definition; the workflow stays where it is.
        """
        try:
            self.decider.decide(workflow, now)
        finally:
            self.settle(now)

    def settle(self, now: int) -> None:
        """Do what is to be done in the background, until nothing is; nobody is told of refusals there."""
        jobs = self.state.jobs
        while jobs:
            with contextlib.suppress(errors.RequestRefused):
                self._do(jobs.popleft(), now)

    def _do(self, job: Job, now: int) -> None:
        match job:
            case Decide(workflow):
                self.decider.sweep(workflow, now)
            case EvaluateJoins(workflow):
                self.decider.evaluate_joins(workflow, now)
            case StartChild(task):
                beginnings.start_child(self.state, task, now)
            case EndChild(child, reason):
                self.families.end_child(child, reason, now)
            case ChildEnded(child):
                self.families.child_ended(child, now)
            case StartFailureWorkflow(failed):
                beginnings.start_failure_workflow(self.state, failed, now)
            case Internalize(workflow):
                beginnings.internalize(workflow)
            case _:
                assert_never(job)

    def forget_tasks(self, workflow: WorkflowRecord, after: TaskRecord | None = None) -> None:
        """Forget the tasks of a workflow, all of them or those that came after one of them."""
        kept: list[TaskRecord] = []
        for task in workflow.tasks:
            if after is not None and task.seq <= after.seq:
                kept.append(task)
                continue
            self.queues.forget(task)
            self.launcher.forget(task)
            self.store.remove_task(task)
        workflow.keep(kept)

    def forget(self, workflow: WorkflowRecord, *, archived: bool = False) -> None:
        """Forget a workflow, whatever its state; searches find one that is archived all the same."""
        for task in workflow.tasks:
            self.queues.forget(task)
            self.launcher.forget(task)
        for deadline in (workflow.check, workflow.sweep):
            if deadline is not None:
                self._deadlines.cancel(deadline)
        if not workflow.is_terminal:
            workflow.status = "TERMINATED"  # whoever still holds it must not go on with it
        self.store.remove(workflow, archived=archived)

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
            count: The most tasks wanted; less than 0 brings all with the style ``fill``, none with ``first``.
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
        self.launcher.watch(task, now)

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
            self.extend_lease(report, now)
            return None
        workflow = self.store.workflow(report.workflow_id or "")
        task = self._updates.task_of(report)
        if not self._updates.take(task, report, workflow, now):
            return task
        if task.reference in workflow.plan.lazy and task.status == "COMPLETED":
            self.decider.sweep_later(workflow, now)
            self.state.later(EvaluateJoins(workflow))
            self.settle(now)
        else:
            self.decide(workflow, now)
        return task

    def extend_lease(self, report: Report, now: int) -> Watch | None:
        """Extend a task's lease; return what its sender waits for, None if that is nothing."""
        self.advance(now)
        task = self._updates.task_of(report)
        self._updates.extend_lease(task, now)
        return None if self.is_hurried else self._heartbeats.begin(task, now)

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
