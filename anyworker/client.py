"""A small client: register definitions, start, read and terminate workflows.

::

    async with ConductorClient() as client:
        workflow_id = await client.start_workflow("order", {"id": 7})
        workflow = await client.get_workflow(workflow_id)
"""

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import (
    PollData,
    StartWorkflow,
    Task,
    TaskDef,
    TaskExecLog,
    TaskResult,
    TaskStatus,
    Workflow,
    WorkflowDef,
    WorkflowTask,
)
from anyworker.conductor.summaries import TaskPage

__all__ = [
    "ConductorClient",
    "PollData",
    "StartWorkflow",
    "Task",
    "TaskDef",
    "TaskExecLog",
    "TaskPage",
    "TaskResult",
    "TaskStatus",
    "Workflow",
    "WorkflowDef",
    "WorkflowTask",
]
