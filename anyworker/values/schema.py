"""JSON Schema, draft-07, of a worker's input and output: from the very shapes that convert them.

What validates converts and what does not does not, but for what no schema can say: that an integer is exact
as a float, what a class's own code refuses (its constructor, ``_missing_`` of an Enum, validators) or takes
beyond what it says (pydantic's models take text for numbers), and the bounds of a number that is written as
text.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from anyworker.values.models import ModelShape
from anyworker.values.objects import ObjectShape
from anyworker.values.resolve import BoundCall
from anyworker.values.returns import BoundReturn
from anyworker.values.shapes import Deferred, Leaf, Schema, Shape

DRAFT = "http://json-schema.org/draft-07/schema#"
_REFERENCE = "#/definitions/"


def input_schema(call: BoundCall) -> Schema:
    """Return the schema of the input that a function takes."""
    book = _Book()
    written = call.members.schema(book.write)
    if call.takes_all:
        written["additionalProperties"] = True if call.rest is None else book.write(call.rest) or True
    return book.closed(written)


def output_schema(returned: BoundReturn) -> Schema:
    """Return the schema of the output that a function's return value becomes."""
    book = _Book()
    options = [book.write(shape) for shape in returned.outputs]
    if returned.results:
        result = _any_of([book.write(shape) for shape in returned.results])
        properties = {"properties": {"result": result}, "required": ["result"]}
        options.append({"type": "object", **properties, "additionalProperties": not returned.is_strict})
    if not options or {} in options:
        options = [{"type": "object", "additionalProperties": True}]
    written = _any_of(options)
    if returned.description is not None:
        written = {"description": returned.description, **written}
    return book.closed(written)


def _any_of(options: list[Schema]) -> Schema:
    return options[0] if len(options) == 1 else {"anyOf": options}


class _Book:
    """The schemas of named shapes, which others refer to until it is known which must be referred to."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._shapes: list[Shape] = []
        self._definitions: dict[str, Schema] = {}

    def write(self, shape: Shape) -> Schema:
        """Return the schema of a shape, a reference if it has a name."""
        if isinstance(shape, Leaf):
            return self._adopted(shape.schema(self.write))
        if not isinstance(shape, ObjectShape | ModelShape | Deferred):
            return shape.schema(self.write)
        name = self._names.get(id(shape))
        if name is None:
            name = self._names[id(shape)] = self._free_name(shape.name)
            self._shapes.append(shape)  # its id is in use for as long as it lives
            self._definitions[name] = {}
            self._definitions[name] = self._adopted(shape.schema(self.write))
        return {"$ref": _REFERENCE + name}

    def _free_name(self, wanted: str) -> str:
        wanted = re.sub(r"[^A-Za-z0-9_.-]", "_", wanted)
        name, count = wanted, 1
        while name in self._definitions:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _adopted(self, schema: Schema) -> Schema:
        """Take over the definitions that a model or a user's type brings along, under names that are free."""
        definitions = {**schema.pop("definitions", {}), **schema.pop("$defs", {})}
        if not definitions:
            return schema
        names: dict[str, str] = {}
        for name in definitions:
            names[name] = self._free_name(name)
            self._definitions[names[name]] = {}
        for name, definition in definitions.items():
            self._definitions[names[name]] = _renamed(definition, names)
        renamed: Schema = _renamed(schema, names)
        return renamed

    def closed(self, root: Schema) -> Schema:
        """Return the whole schema: what is referred to once and not by itself in its place."""
        self._definitions[""] = root
        uses = Counter(name for schema in self._definitions.values() for name in self._references(schema))
        kept = {name for name in self._definitions if uses[name] > 1 or self._is_recursive(name)}
        written = self._settled(root, kept)
        definitions = {
            name: self._settled(self._definitions[name], kept) for name in self._definitions if name in kept
        }
        if "$ref" in written:
            written = {"allOf": [written]}  # beside $ref all is ignored
        return {"$schema": DRAFT, **written, **({"definitions": definitions} if definitions else {})}

    def _is_recursive(self, name: str) -> bool:
        seen: set[str] = set()
        waiting = list(self._references(self._definitions[name]))
        while waiting:
            found = waiting.pop()
            if found == name:
                return True
            if found not in seen:
                seen.add(found)
                waiting.extend(self._references(self._definitions[found]))
        return False

    def _settled(self, schema: Any, kept: set[str]) -> Any:
        if isinstance(schema, list):
            return [self._settled(item, kept) for item in schema]
        if not isinstance(schema, dict):
            return schema
        name = self._named_by(schema)
        if name is None:
            return {key: self._settled(value, kept) for key, value in schema.items()}
        words = {key: value for key, value in schema.items() if key != "$ref"}
        if name not in kept:
            return {**self._settled(self._definitions[name], kept), **words}
        reference = {"$ref": _REFERENCE + name}
        return {"allOf": [reference], **words} if words else reference  # beside $ref all is ignored

    def _named_by(self, schema: Schema) -> str | None:
        """Return the definition of ours that a schema refers to."""
        reference = schema.get("$ref")
        name = reference.removeprefix(_REFERENCE) if isinstance(reference, str) else None
        return name if name in self._definitions else None

    def _references(self, schema: Any) -> Iterator[str]:
        if isinstance(schema, list):
            for item in schema:
                yield from self._references(item)
        elif isinstance(schema, dict):
            if (name := self._named_by(schema)) is not None:
                yield name
            for value in schema.values():
                yield from self._references(value)


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _renamed(value, names) for key, value in schema.items()}
    if isinstance(reference := renamed.get("$ref"), str):
        name = reference.rpartition("/")[2]
        renamed["$ref"] = _REFERENCE + names.get(name, name)
    return renamed
