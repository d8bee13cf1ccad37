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
    AuthorizationError,
    ConductorError,
    MethodNotAllowedError,
    NotFoundError,
    ResponseError,
    UnexpectedAnswerError,
)
from anyworker.events import Publisher, TaskDefRegistered, TaskDefRegistrationFailure
from anyworker.policy.backoff import error_delay
from anyworker.policy.definitions import Registration, plan_registration

logger = logging.getLogger(__name__)

ATTEMPTS = 10
"""How often a server that cannot be reached, or is busy, is asked before that counts: two minutes or so."""
_SERVERS_OWN = frozenset({"createTime", "updateTime", "createdBy", "updatedBy"})
"""Fields of a definition that the server sets, whatever is sent."""


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
        """Return the schemas by the fields that name them, but for those that the template says itself."""
        schemas = {
            "inputSchema": SchemaDef(name=f"{self.task_type}_input", data=self.input_schema),
            "outputSchema": SchemaDef(name=f"{self.task_type}_output", data=self.output_schema),
        }
        said = self.said()
        return {field: schema for field, schema in schemas.items() if field not in said}

    def said(self) -> dict[str, Any]:
        """Return the fields that the template sets, by the names of the wire."""
        fields = {} if self.template is None else msgspec.to_builtins(self.template)
        return {key: fields[key] for key in fields if key not in _SERVERS_OWN} | {"name": self.task_type}


@attrs.define(eq=False)
class _Pending:
    """A declaration that is not there yet."""

    declared: Declared
    failures: int = 0
    """How often it was tried in vain."""
    is_given_up: bool = False
    """Whether its failure was told. It is tried all the same, where time may mend it."""
    is_new: bool = False
    """Whether it was created just now. It is looked at once more, because another process may have created it
    at the same moment, with what its own workers say."""


class Registrar:
    """Brings declarations to the server, each until it is there or refused.

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
        self._pending = [_Pending(one) for one in declared]
        self._draw = draw
        self._has_registry = True

    async def run(self) -> None:
        """Register everything; nothing that goes wrong is raised.

        What time may mend is tried again for as long as this runs. For the log and for listeners it has
        failed when it was tried in vain for some minutes, or at once where the server refused it.
        """
        rounds = 0
        try:
            while self._pending:
                rounds += 1
                retry_after = await self._round(is_last_hope=rounds >= ATTEMPTS)
                if self._pending:
                    await anyio.sleep(error_delay(rounds, self._draw(), retry_after))
        finally:
            self._stopped()

    async def _round(self, *, is_last_hope: bool) -> float | None:
        """Try what is pending; return how long the server wants to be left alone."""
        still: list[_Pending] = []
        retry_after: float | None = None
        for pending in self._pending:
            try:
                done = await self._register(pending.declared)
            except ConductorError as error:
                pending.failures += 1
                if is_last_hope or not error.is_retryable:
                    self._failed(pending, error)
                if error.is_retryable or isinstance(error, AuthorizationError | UnexpectedAnswerError):
                    still.append(pending)
                if isinstance(error, ResponseError) and error.retry_after is not None:
                    retry_after = max(retry_after or 0.0, error.retry_after)
            except AnyworkerError as error:  # refused by us, or no JSON
                self._failed(pending, error)
            else:
                if not (pending.is_new and done.outcome in {"unchanged", "kept"}):
                    self._succeeded(pending, done)
                if done.outcome == "created":
                    pending.is_new = True
                    still.append(pending)
        self._pending = still
        return retry_after

    async def plan(self, declared: Declared) -> Registration:
        """Return what registering would come to; nothing is changed.

        Raises:
            ConductorError: The server did not say what it has.
            RegistrationRefused: It would be refused.
        """
        existing = await self._existing(declared.task_type)
        schemas = {field: _embedded(schema) for field, schema in declared.schemas().items()}
        if existing is not None:
            for field in schemas:
                existing[field] = await self._opened(existing.get(field))
        return plan_registration({**schemas, **declared.said()}, existing, overwrite=declared.overwrite)

    async def _opened(self, found: object) -> object:
        """Return a schema of a definition with its data, which may be in the registry."""
        if not isinstance(found, dict) or found.get("data") or not isinstance(found.get("name"), str):
            return found
        try:
            schema = await self._client.get_schema(found["name"], found.get("version", 1))
        except ConductorError:
            return found
        return {**found, "data": schema.data}

    async def _register(self, declared: Declared) -> Registration:
        existing = await self._existing(declared.task_type)
        said = declared.said()
        # A definition that will be refused leaves no schemas behind.
        plan_registration(said, existing, overwrite=declared.overwrite)
        changes: dict[str, tuple[object, object]] = {}
        for field, schema in declared.schemas().items():
            before = await self._stored(schema)
            if before is None or (declared.overwrite and before.data != schema.data):
                await self._store(schema)
                if before is not None:
                    changes[field] = (before.data, schema.data)
            said[field] = _reference(schema) if self._has_registry else _embedded(schema)
        registration = plan_registration(said, existing, overwrite=declared.overwrite)
        match registration.outcome:
            case "created":
                await self._client.register_task_defs([registration.definition])
            case "updated":
                await self._client.update_task_def(registration.definition)
            case "unchanged" if changes:
                return Registration("updated", changes=changes)
            case _:
                pass
        return registration

    async def _existing(self, task_type: str) -> dict[str, Any] | None:
        try:
            return await self._client.get_task_def_fields(task_type)
        except NotFoundError:
            return None

    async def _stored(self, schema: SchemaDef) -> SchemaDef | None:
        """Return what the server's registry has under a schema's name, None if it has nothing."""
        if self._has_registry:
            try:
                return await self._client.get_schema(schema.name, schema.version)
            except NotFoundError:
                return None
            except (MethodNotAllowedError, UnexpectedAnswerError):
                self._has_registry = False
        return None

    async def _store(self, schema: SchemaDef) -> None:
        """Put a schema into the server's registry, if it has one."""
        if self._has_registry:
            try:
                await self._client.save_schemas([schema])
            except (NotFoundError, MethodNotAllowedError, UnexpectedAnswerError):
                self._has_registry = False

    def _succeeded(self, pending: _Pending, done: Registration) -> None:
        declared = pending.declared
        changes = ", ".join(
            field if isinstance(will, dict) else f"{field}: {was!r} -> {will!r}"
            for field, (was, will) in done.changes.items()
        )
        notes = [changes] if changes else []
        if pending.failures:
            notes.append(f"after {pending.failures} failed attempts")
        added = f" ({', '.join(notes)})" if notes else ""
        logger.info("Task definition %r %s%s", declared.task_type, done.outcome, added)
        if self._publisher.hears(TaskDefRegistered):
            self._publisher.publish(
                TaskDefRegistered(
                    task_type=declared.task_type,
                    outcome=done.outcome,
                    changed_fields=tuple(done.changes),
                    has_schema_registry=self._has_registry,
                )
            )

    def _stopped(self) -> None:
        """Tell the end of what was told to have failed and is not tried any more."""
        for pending in self._pending:
            if pending.is_given_up and pending.failures:
                text = "Task definition %r was not registered to the end, %d attempts failed"
                logger.info(text, pending.declared.task_type, pending.failures)

    def _failed(self, pending: _Pending, error: Exception) -> None:
        if pending.is_given_up:
            return
        pending.is_given_up = True
        task_type = pending.declared.task_type
        logger.warning(
            "Task definition %r not registered, its worker polls all the same: %s", task_type, error
        )
        if self._publisher.hears(TaskDefRegistrationFailure):
            self._publisher.publish(TaskDefRegistrationFailure(task_type=task_type, cause=error))


def _reference(schema: SchemaDef) -> dict[str, Any]:
    return {"name": schema.name, "version": schema.version, "type": schema.type}


def _embedded(schema: SchemaDef) -> dict[str, Any]:
    return {**_reference(schema), "data": schema.data}
