"""The registered definitions."""

from typing import Any

from anyworker.devserver.metadata import validation
from anyworker.devserver.metadata.definitions import (
    TaskDefinition,
    read_task_definition,
    read_workflow_definition,
    stamped,
)
from anyworker.devserver.metadata.planning import Definitions, plan
from anyworker.devserver.metadata.plans import Plan
from anyworker.devserver.wire import complaints, errors
from anyworker.devserver.wire.errors import Violation, invalid


class Catalog:
    """Task and workflow definitions by name (and version)."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskDefinition] = {}
        self._workflows: dict[str, dict[int, dict[str, Any]]] = {}
        self._plans: dict[tuple[str, int], Plan] = {}
        self._definitions = Definitions(self._tasks.get, self._latest_version)

    # Task definitions

    def register_tasks(self, sources: list[Any], now: int) -> None:
        """Store task definitions, each replacing the one of its name as a whole; all of them or none.

        Raises:
            RequestRefused: 400 with every broken rule, 500 for a field of the wrong type.
        """
        wires = [None if source is None else read_task_definition(source) for source in sources]
        broken = [Violation("registerTaskDef.arg0", "TaskDefList is empty")] if not wires else []
        for position, wire in enumerate(wires):
            if wire is not None:
                broken.extend(validation.task_definition(wire, f"registerTaskDef.arg0[{position}]"))
        if broken:
            raise invalid(broken)
        present = [wire for wire in wires if wire is not None]
        if len(present) < len(wires):
            raise complaints.null_task_definition()
        for wire in present:
            self._store_task(stamped(wire, now))

    def replace_task(self, source: object, now: int) -> None:
        """Replace a registered task definition, keeping the time of its registration.

        Raises:
            RequestRefused: 400, 404 or 500.
        """
        wire = read_task_definition(source)
        if broken := list(validation.task_definition(wire, "updateTaskDef.arg0")):
            raise invalid(broken)
        former = self._tasks.get(wire["name"])
        if former is None:
            raise errors.no_task_definition_to_replace(wire["name"])
        created = former.wire["createTime"]
        self._store_task(stamped(wire, created, now))

    def _store_task(self, wire: dict[str, Any]) -> None:
        self._tasks[wire["name"]] = TaskDefinition.of(wire)
        self._plans.clear()

    def task(self, name: str) -> TaskDefinition:
        """Return a task definition.

        Raises:
            RequestRefused: 404.
        """
        found = self._tasks.get(name)
        if found is None:
            raise errors.task_definition_not_found(name)
        return found

    def tasks(self) -> list[TaskDefinition]:
        """Return all task definitions."""
        return list(self._tasks.values())

    def remove_task(self, name: str) -> None:
        """Forget a task definition.

        Raises:
            RequestRefused: 500, there is none of this name.
        """
        if self._tasks.pop(name, None) is None:
            raise errors.failure("No such task definition")
        self._plans.clear()

    # Workflow definitions

    def add_workflow(self, source: object, now: int, *, overwrite: bool = False) -> None:
        """Store a new workflow definition, or replace one when told to.

        Raises:
            RequestRefused: 400, 409 (it exists) or 500.
        """
        wire = read_workflow_definition(source)
        name, version = wire.get("name"), wire["version"]
        exists = name is not None and version in self._workflows.get(name, {})
        if exists and not overwrite:
            raise errors.workflow_exists(wire["name"], version)
        _check(wire, "updateWorkflowDef.arg0" if exists else "registerWorkflowDef.arg0")
        self._store_workflow(wire, **({"updateTime": now} if exists else {"createTime": now}))

    def put_workflows(self, sources: list[Any], now: int) -> list[str]:
        """Store workflow definitions, new or not; all of them or none. Return their names.

        Raises:
            RequestRefused: 400 or 500.
        """
        wires = [None if source is None else read_workflow_definition(source) for source in sources]
        broken = [Violation("updateWorkflowDef.arg0", "WorkflowDefList is empty")] if not wires else []
        for position, wire in enumerate(wires):
            broken.extend(validation.listed_workflow_definition(wire, f"updateWorkflowDef.arg0[{position}]"))
        if broken:
            raise invalid(broken)
        present = [wire for wire in wires if wire is not None]
        for wire in present:
            self._store_workflow(wire, updateTime=now)
        return [wire["name"] for wire in present]

    def _store_workflow(self, wire: dict[str, Any], **stamps: int) -> None:
        key = (wire["name"], wire["version"])
        self._workflows.setdefault(key[0], {})[key[1]] = {**wire, **stamps}
        self._plans.clear()

    def workflow(self, name: str, version: int | None) -> dict[str, Any] | None:
        """Return a workflow definition, without a version the latest; None if there is none."""
        versions = self._workflows.get(name)
        if not versions:
            return None
        return versions.get(max(versions) if version is None else version)

    def workflows(self) -> list[dict[str, Any]]:
        """Return all workflow definitions, by name and version."""
        return [wire for _, versions in sorted(self._workflows.items()) for wire in _by_version(versions)]

    def versions(self, name: str) -> list[dict[str, Any]]:
        """Return the versions of a workflow definition, none if there is none."""
        return _by_version(self._workflows.get(name, {}))

    def latest_workflows(self) -> list[dict[str, Any]]:
        """Return the latest version of each workflow definition, by age."""
        return [versions[max(versions)] for versions in self._workflows.values()]

    def remove_workflow(self, name: str, version: int) -> None:
        """Forget a version of a workflow definition.

        Raises:
            RequestRefused: 500, there is none.
        """
        versions = self._workflows.get(name, {})
        if versions.pop(version, None) is None:
            raise errors.no_workflow_definition_to_remove(name, version)
        if not versions:
            del self._workflows[name]
        self._plans.clear()

    # Plans

    def _latest_version(self, name: str) -> int | None:
        return max(self._workflows.get(name) or (), default=None)

    def plan(self, name: str, version: int | None) -> Plan | None:
        """Return a registered workflow with the task definitions of this moment; None if there is none.

        Raises:
            RequestRefused: 400, it has a task that this server does not execute.
        """
        wire = self.workflow(name, version)
        if wire is None:
            return None
        key = (name, wire["version"])
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = plan(wire, self._definitions)
        return found

    def inline_plan(self, wire: dict[str, Any]) -> Plan:
        """Return a workflow that is not registered with the task definitions of this moment."""
        return plan(wire, self._definitions)


def check_workflow(source: object) -> None:
    """Read and validate a workflow definition without storing it.

    Raises:
        RequestRefused: 400 or 500.
    """
    _check(read_workflow_definition(source), "validateWorkflowDef.arg0")


def _check(wire: dict[str, Any], path: str) -> None:
    if broken := list(validation.workflow_definition(wire, path)):
        raise invalid(broken)


def _by_version(versions: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [versions[version] for version in sorted(versions)]
