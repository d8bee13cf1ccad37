"""Shapes of classes that validate themselves: ``model_validate``, as pydantic's models have it."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from anyworker.values.objects import Absent, Member, Members, unknown_key
from anyworker.values.paths import item, member
from anyworker.values.scalars import ANY, construct
from anyworker.values.shapes import JSON_TYPES, Misfit, Problem, Schema, Write

_REFERENCE = "#/$defs/"
_TYPES: Mapping[type, str] = {dict: "object", list: "array"}
_WORDS = frozenset({"title", "description"})


@attrs.frozen(eq=False)
class ModelShape:
    """The JSON values that such a class takes."""

    name: str
    validate: Callable[[object], object]
    own_schema: Schema
    """Its definitions under ``$defs``; empty where the class cannot say."""
    members: Members | None = None
    """What is known of its members; None where it may be no object at all."""
    is_strict: bool = False
    """Whether keys that the class ignores are refused."""

    @property
    def form(self) -> str:
        """Two models of one schema cannot be told apart, whatever they are called."""
        described = {key: value for key, value in self.own_schema.items() if key not in _WORDS}
        return f"model {json.dumps(described, sort_keys=True, default=repr) if described else self.name}"

    @property
    def accepts(self) -> Mapping[type, int]:
        return {**dict.fromkeys(JSON_TYPES, 6), dict: 2}

    def convert(self, value: object) -> object:
        """Ask the class."""
        try:
            converted = construct(self.validate, self.name, value)
        except Misfit as misfit:
            problems = _model_problems(misfit.__cause__)
            raise Misfit(problems) if problems else misfit from misfit.__cause__
        if self.is_strict and (unknown := list(self._unknown(self.own_schema, value))):
            raise Misfit(unknown)
        return converted

    def schema(self, _: Write) -> Schema:
        """Return what the class says of itself."""
        return dict(self.own_schema)

    def _unknown(self, schema: Any, value: object) -> Iterator[Problem]:
        """Find the keys for which objects in the schema have no property, and nothing else either."""
        schema = self._referred(schema)
        for word in ("anyOf", "oneOf"):
            options = [self._referred(option) for option in schema.get(word, ())]
            meant = [option for option in options if option.get("type") in {None, _TYPES.get(type(value))}]
            yield from min(([*self._unknown(option, value)] for option in meant), key=len, default=())
        if isinstance(value, list):
            for place, (part, within) in enumerate(_items(schema, value)):
                yield from ((item(place) + path, problem) for path, problem in self._unknown(within, part))
        elif isinstance(value, dict):
            known = schema.get("properties", {})
            for key, part in value.items():
                if key not in known and schema.get("additionalProperties") is False:
                    yield unknown_key(key, known)
                    continue
                within = known.get(key, schema.get("additionalProperties"))
                yield from ((member(key) + path, problem) for path, problem in self._unknown(within, part))

    def _referred(self, schema: Any) -> Schema:
        while isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
            schema = self.own_schema.get("$defs", {}).get(reference.removeprefix(_REFERENCE))
        return schema if isinstance(schema, dict) else {}


def model_shape(kind: type, *, is_strict: bool, is_output: bool) -> ModelShape:
    """Return the shape of a class with ``model_validate``.

    Args:
        kind: The class. Where it has ``model_json_schema``, that describes it.
        is_strict: Whether keys that the class ignores are refused.
        is_output: Whether what it is written as is to be described, instead of what it is read from.
    """
    validate: Any = getattr(kind, "model_validate")  # noqa: B009 - not every class has it
    described = _described(kind, "serialization" if is_output else "validation")
    fields = getattr(kind, "model_fields", None)
    members: Members | None = None
    if isinstance(fields, Mapping) and not getattr(kind, "__pydantic_root_model__", False):
        members = Members(
            tuple(part for name, field in fields.items() for part in _model_members(name, field))
        )
    own_schema = _draft_07(described, is_strict=is_strict)
    return ModelShape(kind.__name__, validate, own_schema, members, is_strict)


def _described(kind: type, mode: str) -> Schema:
    describe = getattr(kind, "model_json_schema", None)
    if describe is None:
        return {}
    try:
        schema = describe(mode=mode) if "mode" in inspect.signature(describe).parameters else describe()
    except Exception:  # noqa: BLE001 - the user's class may raise anything
        return {}
    return schema if isinstance(schema, dict) else {}


def _draft_07(schema: Any, *, is_strict: bool) -> Any:
    """Return a schema of a later draft as one of draft-07 that says what further properties are."""
    if isinstance(schema, list):
        return [_draft_07(part, is_strict=is_strict) for part in schema]
    if not isinstance(schema, dict):
        return schema
    written = {key: _draft_07(part, is_strict=is_strict) for key, part in schema.items()}
    if isinstance(places := written.pop("prefixItems", None), list):
        if "items" in written:
            written["additionalItems"] = written.pop("items")
        written["items"] = places
    if isinstance(written.get("propertyName"), str):
        written.pop("mapping", None)  # of a discriminator, to where the definitions were
    if written.get("type") == "object":
        written.setdefault("additionalProperties", not (is_strict and "properties" in written))
    return written


def _items(schema: Schema, values: list[object]) -> Iterator[tuple[object, object]]:
    of_each = schema.get("items")
    for place, part in enumerate(values):
        if isinstance(of_each, list):
            yield part, of_each[place] if place < len(of_each) else None
        else:
            yield part, of_each


def _model_members(name: str, field: object) -> tuple[Member, ...]:
    alias = getattr(field, "validation_alias", None) or getattr(field, "alias", None)
    is_required = getattr(field, "is_required", None)
    if alias is None and callable(is_required) and is_required():
        return (Member(name, name, ANY, Absent.REFUSED),)
    # With an alias either name may be the one that counts.
    keys = {name, alias} if isinstance(alias, str) else {name}
    return tuple(Member(key, name, ANY, Absent.LEFT_OUT) for key in keys)


def _model_problems(error: BaseException | None) -> list[Problem]:
    """Return the problems that an error lists as pydantic's do; none if it lists them in another way."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return []
    try:
        return [
            (
                "".join(item(step) if isinstance(step, int) else member(step) for step in found["loc"]),
                str(found["msg"]),
            )
            for found in errors()
        ]
    except Exception:  # noqa: BLE001 - what only looks like pydantic's may raise anything
        return []
