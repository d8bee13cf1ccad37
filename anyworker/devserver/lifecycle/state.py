"""What the parts of the engine share: the records, the queues, the deadlines, and what is to be done next."""

from collections import deque
from collections.abc import Callable

import attrs

from anyworker.devserver.metadata.catalog import Catalog
from anyworker.devserver.queueing.queues import Queues
from anyworker.devserver.records.changes import Listener
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.store import Store
from anyworker.devserver.timing.deadlines import Deadlines


@attrs.frozen
class Decide:
    """Look at a workflow."""

    workflow: WorkflowRecord


@attrs.frozen
class EvaluateJoins:
    """Look whether what the JOINs of a workflow wait for is there."""

    workflow: WorkflowRecord


@attrs.frozen
class StartChild:
    """Start the workflow of a SUB_WORKFLOW."""

    task: TaskRecord


@attrs.frozen
class EndChild:
    """End a sub-workflow because the workflow around it has ended."""

    child: WorkflowRecord
    reason: str


@attrs.frozen
class ChildEnded:
    """Tell the SUB_WORKFLOW that its workflow has ended."""

    child: WorkflowRecord


@attrs.frozen
class StartFailureWorkflow:
    """Start the workflow that deals with the failure of another."""

    failed: WorkflowRecord


@attrs.frozen
class Internalize:
    """Let expressions see into what a failure workflow was given."""

    workflow: WorkflowRecord


Job = Decide | EvaluateJoins | StartChild | EndChild | ChildEnded | StartFailureWorkflow | Internalize
"""What the real server does in the background; here it is done before the request is answered."""


@attrs.define(eq=False)
class State:
    """Everything that an engine knows."""

    catalog: Catalog
    store: Store
    queues: Queues
    deadlines: Deadlines
    new_id: Callable[[], str]
    jitter: Callable[[int], int]
    """Returns a number of milliseconds from 0 up to the given one, to be added to a retry's delay."""
    listeners: list[Listener]
    jobs: deque[Job] = attrs.field(factory=deque)
    """In the order in which they are done."""

    def later(self, job: Job) -> None:
        """Have a job done after those before it."""
        self.jobs.append(job)
