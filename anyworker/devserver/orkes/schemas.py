"""The registry of schemas that Orkes has and Conductor OSS 3.32 has not."""

from collections.abc import Iterator
from typing import Any

from anyworker.devserver.http.exchange import EMPTY, Answer, Call, as_json, whole
from anyworker.devserver.metadata.definitions import SCHEMA_DEF, read_schema
from anyworker.devserver.wire import errors
from anyworker.devserver.wire.errors import Violation

_SAVE = (
    "public void com.netflix.conductor.rest.controllers.SchemaResource.saveSchemas"
    f"(java.util.List<{SCHEMA_DEF}>,boolean)"
)
_SHORT = ("createTime", "updateTime", "name", "version")


class Schemas:
    """Schemas by name and version."""

    def __init__(self) -> None:
        self._schemas: dict[str, dict[int, dict[str, Any]]] = {}

    def save(self, sources: list[Any], now: int, *, as_new_version: bool) -> None:
        """Store schemas, each in the place of its version; all of them or none.

        Args:
            sources: As JSON has them.
            now: Epoch milliseconds.
            as_new_version: Give each the version after the latest instead of its own.

        Raises:
            RequestRefused: 400, one has no name; 500 for a field of the wrong type.
        """
        wires = [read_schema({} if source is None else source) for source in sources]
        if broken := list(_nameless(wires)):
            raise errors.invalid(broken)
        for wire in wires:
            versions = self._schemas.setdefault(wire["name"], {})
            if as_new_version:
                wire["version"] = max(versions, default=0) + 1
            former = versions.get(wire["version"])
            wire["createTime"] = now if former is None else former["createTime"]
            wire["updateTime"] = now
            versions[wire["version"]] = wire

    def schema(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Return a schema, without a version the latest.

        Raises:
            RequestRefused: 404.
        """
        versions = self._schemas.get(name, {})
        found = versions.get(max(versions, default=0) if version is None else version)
        if found is None:
            raise errors.not_found(_unknown(name, version))
        return found

    def schemas(self) -> list[dict[str, Any]]:
        """Return every version of every schema."""
        return [wire for versions in self._schemas.values() for wire in versions.values()]

    def remove(self, name: str, version: int | None = None) -> None:
        """Forget a version of a schema, or all of them.

        Raises:
            RequestRefused: 500, there is none: so Orkes documents it.
        """
        versions = self._schemas.get(name, {})
        if not versions or (version is not None and version not in versions):
            raise errors.failure(_unknown(name, version))
        if version is not None:
            del versions[version]
        if version is None or not versions:
            del self._schemas[name]


def _nameless(wires: list[dict[str, Any]]) -> Iterator[Violation]:
    for position, wire in enumerate(wires):
        if not wire.get("name"):
            message = "Schema name cannot be null or empty"
            yield Violation(f"saveSchemas.arg0[{position}].name", message, wire.get("name"))


def _unknown(name: str, version: int | None) -> str:
    shown = "" if version is None else f" and version {version}"
    return f"No such schema found by name {name}{shown}"


class SchemaEndpoints:
    """The endpoints under ``/api/schema``."""

    def __init__(self) -> None:
        self._schemas = Schemas()

    def save(self, call: Call) -> Answer:
        """Store a schema, or a list of them."""
        body = call.json(_SAVE)
        as_new_version = call.flag("newVersion", default=False)
        self._schemas.save(
            body if isinstance(body, list) else [body], call.now, as_new_version=as_new_version
        )
        return EMPTY

    def schemas(self, call: Call) -> Answer:
        """Return all schemas, or only what they are called."""
        found = self._schemas.schemas()
        if call.flag("short", default=False):
            return as_json([{key: wire[key] for key in _SHORT} for wire in found])
        return as_json(found)

    def schema(self, call: Call) -> Answer:
        """Return a schema in its latest version or in the one that the path names."""
        return as_json(self._schemas.schema(*_place(call)))

    def remove(self, call: Call) -> Answer:
        """Forget a schema, or the version that the path names."""
        self._schemas.remove(*_place(call))
        return EMPTY


def _place(call: Call) -> tuple[str, int | None]:
    if len(call.variables) == 1:
        return call.variables[0], None
    name, version = call.variables
    return name, whole("version", version, "java.lang.Integer")
