"""Register what the code says of its task types, beside workers that poll already."""

import logging
import random
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import attrs
import msgspec

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import SchemaDef, TaskDef
from anyworker.errors import (
    AnyworkerError,
    MethodNotAllowedError,
    NotFoundError,
    ResponseError,
    TransportError,
    UnexpectedAnswerError,
)
from anyworker.events import Publisher, TaskDefRegistered, TaskDefRegistrationFailure
from anyworker.policy.backoff import error_delay
from anyworker.policy.definitions import Registration, plan_registration

logger = logging.getLogger(__name__)

ATTEMPTS = 10
"""How often a server that cannot be reached, or is busy, is asked: about two minutes."""


@attrs.frozen
class Declared:
    """What the code says of one task type."""

    task_type: str
    template: TaskDef | None
    """Its name does not count."""
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    overwrite: bool
    """Whether what the server has may be changed."""

    def schemas(self) -> dict[str, SchemaDef]:
        """Return the schemas by the fields of the definition that name them."""
        return {
            "inputSchema": SchemaDef(name=f"{self.task_type}_input", data=self.input_schema),
            "outputSchema": SchemaDef(name=f"{self.task_type}_output", data=self.output_schema),
        }

    def said(self) -> dict[str, Any]:
        """Return the fields that the template sets, by the names of the wire."""
        fields = {} if self.template is None else msgspec.to_builtins(self.template)
        return {**fields, "name": self.task_type}


class Registrar:
    """Brings declarations to the server, each until it is there, refused, or given up.

    Args:
        client: The server.
        publisher: Hears what became of each.
        declared: One for each task type.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        client: ConductorClient,
        publisher: Publisher,
        declared: Iterable[Declared],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._publisher = publisher
        self._declared = tuple(declared)
        self._draw = draw
        self._has_registry = True

    async def run(self) -> None:
        """Register everything; nothing that goes wrong is raised."""
        for declared in self._declared:
            try:
                done = await self._persist(declared)
            except AnyworkerError as error:
                self._failed(declared, error)
            else:
                self._succeeded(declared, done)

    async def plan(self, declared: Declared) -> Registration:
        """Return what registering would come to; nothing is changed. Schemas are taken as embedded.

        Raises:
            ConductorError: The server did not say what it has.
            RegistrationRefused: It would be refused.
        """
        existing = await self._existing(declared.task_type)
        return plan_registration(self._embedded(declared), existing, overwrite=declared.overwrite)

    async def _persist(self, declared: Declared) -> Registration:
        failures = 0
        while True:
            try:
                return await self._register(declared)
            except (TransportError, ResponseError) as error:
                failures += 1
                if not error.is_retryable or failures >= ATTEMPTS:
                    raise
                logger.debug("Registering %r, attempt %d: %s", declared.task_type, failures, error)
                await anyio.sleep(error_delay(failures, self._draw(), getattr(error, "retry_after", None)))

    async def _register(self, declared: Declared) -> Registration:
        existing = await self._existing(declared.task_type)
        said = declared.said()
        # A definition that will be refused leaves no schemas behind.
        plan_registration(said, existing, overwrite=declared.overwrite)
        for field, schema in declared.schemas().items():
            said[field] = await self._schema(schema, overwrite=declared.overwrite)
        registration = plan_registration(said, existing, overwrite=declared.overwrite)
        match registration.outcome:
            case "created":
                await self._client.register_task_defs([registration.definition])
            case "updated":
                await self._client.update_task_def(registration.definition)
            case _:
                pass
        return registration

    async def _existing(self, task_type: str) -> dict[str, Any] | None:
        try:
            return await self._client.get_task_def_fields(task_type)
        except NotFoundError:
            return None

    async def _schema(self, schema: SchemaDef, *, overwrite: bool) -> dict[str, Any]:
        """Put a schema into the server's registry, if it has one; return what the definition says of it."""
        if self._has_registry:
            try:
                if overwrite or not await self._has_schema(schema):
                    await self._client.save_schemas([schema])
            except (NotFoundError, MethodNotAllowedError, UnexpectedAnswerError):
                self._has_registry = False
            else:
                return {"name": schema.name, "version": schema.version, "type": schema.type}
        return _embedded(schema)

    async def _has_schema(self, schema: SchemaDef) -> bool:
        try:
            await self._client.get_schema(schema.name, schema.version)
        except NotFoundError:
            return False
        return True

    @staticmethod
    def _embedded(declared: Declared) -> dict[str, Any]:
        schemas = {field: _embedded(schema) for field, schema in declared.schemas().items()}
        return {**declared.said(), **schemas}

    def _succeeded(self, declared: Declared, done: Registration) -> None:
        changes = ", ".join(
            f"{field}: {was!r} -> {will!r}"
            for field, (was, will) in done.changes.items()
            if not isinstance(will, dict)
        )
        logger.info(
            "Task definition %r %s%s", declared.task_type, done.outcome, f" ({changes})" if changes else ""
        )
        if self._publisher.hears(TaskDefRegistered):
            self._publisher.publish(
                TaskDefRegistered(
                    task_type=declared.task_type,
                    outcome=done.outcome,
                    changed_fields=tuple(done.changes),
                    has_schema_registry=self._has_registry,
                )
            )

    def _failed(self, declared: Declared, error: Exception) -> None:
        logger.warning("Task definition %r not registered: %s", declared.task_type, error)
        if self._publisher.hears(TaskDefRegistrationFailure):
            self._publisher.publish(TaskDefRegistrationFailure(task_type=declared.task_type, cause=error))


def _embedded(schema: SchemaDef) -> dict[str, Any]:
    return {"name": schema.name, "version": schema.version, "type": schema.type, "data": schema.data}
