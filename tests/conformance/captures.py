"""Bodies as a real server sent them, to compare answers with: field by field, whatever names and ids are."""

import json
import re
from pathlib import Path
from typing import Any

from black_box import Conductor

WIRE = Path(__file__).parents[1] / "devserver" / "wire"

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_SECONDS = re.compile(r"after \d+ seconds")
_FIELD_ERROR = re.compile(r"(?=\[Field error)")
"""Where a sentence about several fields goes on to the next one; their order is not fixed."""
_MEASURED = frozenset({"queueWaitTime", "executionTime", "instance"})
_UNORDERED = "validationErrors"
_EPOCH_MILLISECONDS = 1_700_000_000_000


def captured(name: str) -> Any:
    """Return a body of the wire directory."""
    return json.loads((WIRE / f"{name}.json").read_text())


def masked(value: Any, key: str = "") -> Any:
    """Return a body with what differs from run to run made the same: ids, times, the host, an order."""
    if isinstance(value, dict):
        return {name: masked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = [masked(item) for item in value]
        return sorted(items, key=json.dumps) if key == _UNORDERED else items
    if key in _MEASURED:
        return type(value).__name__
    if isinstance(value, str):
        text = _SECONDS.sub("after <n> seconds", _ISO_TIME.sub("<time>", _ID.sub("<id>", value)))
        return (
            sorted(part.strip() for part in _FIELD_ERROR.split(text)) if _FIELD_ERROR.search(text) else text
        )
    if isinstance(value, int) and value > _EPOCH_MILLISECONDS:
        return "<time>"
    return value


class Stage:
    """The definitions that the captures were made with, under names of the case's own."""

    def __init__(self, conductor: Conductor, *names: str) -> None:
        self.conductor = conductor
        self.names = {name: conductor.unique(name) for name in (*names, "hello", "greet", "ship")}

    def __getitem__(self, name: str) -> str:
        """Return the case's own name for one of a capture."""
        return self.names[name]

    def request(self, capture: str, **fields: Any) -> Any:
        """Return a captured request's body with the case's names, and with other fields replaced."""
        text = json.dumps(captured(capture))
        for old, new in self.names.items():
            text = text.replace(f'"{old}"', f'"{new}"')
        body = json.loads(text)
        return body | fields if fields else body

    def alike(self, found: Any, capture: str, *, without: tuple[str, ...] = ()) -> None:
        """Assert that a body is the captured one, every field of it.

        Args:
            found: What the server sent.
            capture: The name of a file.
            without: Fields to leave out everywhere: they differ by nature from capture to case.
        """
        text = json.dumps(found)
        for old, new in self.names.items():
            text = text.replace(new, old)
        assert _without(masked(json.loads(text)), without) == _without(masked(captured(capture)), without)

    async def set(self) -> None:
        """Register the definitions."""
        await self.conductor.ok("POST", "/metadata/taskdefs", self.request("request-taskdefs"))
        await self.conductor.ok("POST", "/metadata/workflow", self.request("request-workflowdef"))

    async def start(self, **fields: Any) -> str:
        """Start the captures' workflow."""
        return await self.conductor.start(self["hello"], **fields)

    async def take(self, name: str = "greet", **query: str) -> Any:
        """Poll a task; as in the captures, without a worker's name unless one is given."""
        return await take_anonymously(self.conductor, self[name], **query)


async def take_anonymously(conductor: Conductor, task_type: str, **query: str) -> Any:
    """Poll the task that is there, with no parameters but those given."""
    more = "".join(f"&{key}={value}" for key, value in query.items())
    (task,) = await conductor.get(f"/tasks/poll/batch/{task_type}?count=1&timeout=5000{more}")
    return task


def _without(value: Any, fields: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, fields) for name, item in value.items() if name not in fields}
    return [_without(item, fields) for item in value] if isinstance(value, list) else value
