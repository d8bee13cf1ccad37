"""The endpoints of definitions and workflows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import anyio

from anyworker.conductor import replay
from anyworker.conductor.calls import Calls, segment
from anyworker.conductor.decoding import ModelDecoder
from anyworker.conductor.encoding import encode
from anyworker.conductor.models import SchemaDef, StartWorkflow, TaskDef, Workflow, WorkflowDef

T = TypeVar("T")

FIRST_LOOK, LAST_LOOK = 0.01, 1.0
"""Shortest and longest pause, in seconds, between looks at a workflow that runs."""

_WORKFLOW = ModelDecoder(Workflow)
_WORKFLOW_DEF = ModelDecoder(WorkflowDef)
_TASK_DEF = ModelDecoder(TaskDef)
_FIELDS = ModelDecoder(dict[str, Any])
_SCHEMA_DEF = ModelDecoder(SchemaDef)


class WorkflowCalls(ABC):
    """Register definitions; start, read and terminate workflows."""

    @property
    @abstractmethod
    def _calls(self) -> Calls: ...

    async def register_task_defs(self, definitions: Sequence[TaskDef | Mapping[str, Any]]) -> None:
        """Store task definitions, each replacing the whole definition of its name; all or none."""
        if definitions:
            await self._write(replay.CREATE, "/metadata/taskdefs", body=encode(list(definitions)))

    async def update_task_def(self, definition: TaskDef | Mapping[str, Any]) -> None:
        """Replace a task definition that exists."""
        await self._write(replay.REPLACE, "/metadata/taskdefs", body=encode(definition))

    async def get_task_def(self, name: str) -> TaskDef:
        """Return a task definition."""
        return await self._read(_TASK_DEF, _task_def_path(name))

    async def get_task_def_fields(self, name: str) -> dict[str, Any]:
        """Return a task definition as the wire has it, with the fields that no model here knows."""
        return await self._read(_FIELDS, _task_def_path(name))

    async def delete_task_def(self, name: str) -> None:
        """Remove a task definition; a server answers 500 where there is none."""
        await self._write(replay.REMOVE, _task_def_path(name))

    async def save_schemas(self, schemas: Sequence[SchemaDef]) -> None:
        """Put schemas into the server's registry, each replacing its version.

        Raises:
            NotFoundError: The server has no registry.
        """
        if schemas:
            await self._write(replay.CREATE, "/schema", body=encode(list(schemas)))

    async def get_schema(self, name: str, version: int) -> SchemaDef:
        """Return a schema of the server's registry.

        Raises:
            NotFoundError: There is none, or no registry.
        """
        return await self._read(_SCHEMA_DEF, f"/schema/{segment(name, 'schema name')}/{version}")

    async def register_workflow_def(
        self, definition: WorkflowDef | Mapping[str, Any], *, overwrite: bool = False
    ) -> None:
        """Store a workflow definition; one of its name and version is replaced only if ``overwrite`` is set.

        Raises:
            ConflictError: It exists.
        """
        query = {"overwrite": overwrite}
        await self._write(replay.CREATE, "/metadata/workflow", query, body=encode(definition))

    async def delete_workflow_def(self, name: str, version: int) -> None:
        """Remove one version of a workflow definition; a server answers 500 where there is none."""
        path = f"/metadata/workflow/{segment(name, 'workflow name')}/{version}"
        await self._write(replay.REMOVE, path)

    async def get_workflow_def(self, name: str, version: int | None = None) -> WorkflowDef:
        """Return a workflow definition, without a version the latest."""
        path = f"/metadata/workflow/{segment(name, 'workflow name')}"
        return await self._read(_WORKFLOW_DEF, path, {"version": version})

    async def start_workflow(
        self,
        name: str | StartWorkflow,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        correlation_id: str | None = None,
        task_to_domain: Mapping[str, str] | None = None,
    ) -> str:
        """Start a workflow and return its id. It is never sent twice: each copy would start one.

        Args:
            name: The workflow's name, or the whole request.
            input: The workflow's input.
            version: Without one the latest.
            correlation_id: An id of yours to find it by.
            task_to_domain: Which domain takes which task type.
        """
        request = name
        if isinstance(request, str):
            request = StartWorkflow(
                name=request,
                version=version,
                input=input or {},
                correlation_id=correlation_id,
                task_to_domain=task_to_domain or {},
            )
        target = self._calls.target("/workflow")
        workflow_id = await self._calls.text(replay.START, target, encode(request))
        if not workflow_id:
            raise self._calls.request(replay.START, target).unexpected("the answer holds no id", 200)
        return workflow_id

    async def get_workflow(self, workflow_id: str, *, include_tasks: bool = True) -> Workflow:
        """Return a workflow as it is now."""
        path = f"/workflow/{segment(workflow_id, 'workflow id')}"
        return await self._read(_WORKFLOW, path, {"includeTasks": include_tasks})

    async def wait_for_workflow(self, workflow_id: str, *, include_tasks: bool = True) -> Workflow:
        """Return a workflow once it has ended; bound the wait with ``anyio.fail_after``.

        It is read again and again, at intervals that grow from 10 ms to a second.
        """
        pause = FIRST_LOOK
        while True:
            workflow = await self.get_workflow(workflow_id, include_tasks=include_tasks)
            if workflow.status not in {"RUNNING", "PAUSED"}:
                return workflow
            await anyio.sleep(pause)
            pause = min(pause * 1.5, LAST_LOOK)

    async def terminate_workflow(self, workflow_id: str, reason: str | None = None) -> None:
        """End a workflow and cancel its tasks.

        Raises:
            ConflictError: It is completed already.
        """
        path = f"/workflow/{segment(workflow_id, 'workflow id')}"
        await self._write(replay.REMOVE, path, {"reason": reason})

    async def decide(self, workflow_id: str) -> None:
        """Let the server look at a workflow now: timeouts that have passed take effect."""
        await self._write(replay.REPLACE, f"/workflow/decide/{segment(workflow_id, 'workflow id')}")

    async def _read(
        self,
        decoder: ModelDecoder[T],
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        default: T | None = None,
    ) -> T:
        target = self._calls.target(path, query)
        answer = await self._calls.call(replay.READ, target)
        if not answer.body and default is not None:
            return default
        return decoder.decode(answer, self._calls.request(replay.READ, target))

    async def _write(
        self,
        operation: replay.Operation,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        body: bytes = b"",
    ) -> None:
        await self._calls.text(operation, self._calls.target(path, query), body)


def _task_def_path(name: str) -> str:
    return f"/metadata/taskdefs/{segment(name, 'task type')}"
