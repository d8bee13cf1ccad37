"""The command's dealings with its own server: those of a client like any other."""

from collections.abc import Iterable

import attrs
import msgspec

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import StartWorkflow, TaskResult, Workflow, WorkflowDef
from anyworker.context import now_ms
from anyworker.dev.definitions import Attempt, Definition, Definitions
from anyworker.errors import ConductorError, ConfigurationError, ProcessDied, ResponseError
from anyworker.policy.outcome import Draft, Failed, HandedBack, to_result


@attrs.frozen
class Server:
    """The dev server, over its API."""

    client: ConductorClient

    async def register(self, definitions: Definitions) -> None:
        """Register definitions, in the place of earlier ones.

        Raises:
            ConfigurationError: The server refuses some; each is named, with all that is wrong with it.
        """
        problems: list[str] = []
        for definition in definitions.tasks:
            try:
                await self.client.register_task_defs([definition])
            except ResponseError as error:
                problems.append(_refusal("task", definition, error))
        for definition in definitions.workflows:
            try:
                await self.client.register_workflow_def(definition, overwrite=True)
            except ResponseError as error:
                problems.append(_refusal("workflow", definition, error))
        if problems:
            raise ConfigurationError(problems)

    async def start(self, wanted: Attempt) -> str:
        """Start a workflow and return its id.

        Raises:
            ConfigurationError: The server refuses to start it.
        """
        request = StartWorkflow(name=wanted.name, input=wanted.input, task_to_domain=wanted.task_to_domain)
        if wanted.definition is not None:
            request.workflow_def = msgspec.convert(wanted.definition, WorkflowDef)
        try:
            return await self.client.start_workflow(request)
        except ResponseError as error:
            problem = f"--start {wanted.name}: the server does not start it: {error.message}"
            raise ConfigurationError(problem) from None

    async def result(self, workflow_id: str) -> Workflow:
        """Wait for the end of a workflow."""
        return await self.client.wait_for_workflow(workflow_id)

    async def give_back(self, task_ids: Iterable[str], blame: str | None) -> None:
        """Take tasks from a process that is no more.

        Args:
            task_ids: Tasks that it may have had in hand.
            blame: Why they have failed; None hands them back, so that others have them at once.
        """
        for task_id in task_ids:
            try:
                task = await self.client.get_task(task_id)
                if task.status == "IN_PROGRESS":
                    await self.client.update_task(_result(Draft.of(task, task.worker_id or ""), blame))
            except ConductorError:
                continue  # it has ended, or was removed, in the meantime


def _result(draft: Draft, blame: str | None) -> TaskResult:
    outcome = HandedBack() if blame is None else Failed(blame, ProcessDied(blame))
    return to_result(outcome, draft, now_ms=now_ms)


def _refusal(kind: str, definition: Definition, error: ResponseError) -> str:
    name = repr(definition["name"]) if definition.get("name") else "without a name"
    return f"{kind} definition {name}: the server refuses it: {error.message}"
