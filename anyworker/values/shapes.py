"""What every shape is: the JSON values that fit an annotation, and how one becomes a Python value."""

from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, Protocol

import attrs

from anyworker.errors import DeclarationError
from anyworker.values.paths import item, member

Convert = Callable[[object], object]
Problem = tuple[str, str]
"""The steps from the value to the bad one, and what is wrong there."""
Schema = dict[str, Any]
"""JSON Schema, draft-07."""

JSON_TYPES = (NoneType, bool, int, float, str, list, dict)
NAMED = 1
"""The last turn in a union of what an annotation names: None, or a constant."""
PROBLEM_LIMIT = 1000
"""So many problems are looked for; the rest of a hopeless input is not worth the time."""


class Shape(Protocol):
    """The JSON values that fit one annotation, and how they become Python values."""

    @property
    def name(self) -> str:
        """How messages call it: ``list[int]``."""
        ...

    @property
    def form(self) -> str:
        """Which JSON values fit: two shapes of one form cannot be told apart."""
        ...

    @property
    def accepts(self) -> Mapping[type, int]:
        """The JSON types that may fit, each with its turn in a union: the lowest number is tried first."""
        ...

    def convert(self, value: object) -> object:
        """Return the Python value.

        Raises:
            Misfit: The value does not fit; every problem below it is named.
        """
        ...

    def schema(self, write: "Write") -> Schema:
        """Return the schema of the values that fit, those of its parts by ``write``."""
        ...


Write = Callable[[Shape], Schema]
"""Returns the schema of a part, or a reference to it."""


class Misfit(Exception):
    """A value does not fit a shape.

    Args:
        problems: All of them, each with its path from the value.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__()
        self.problems = list(problems)

    @classmethod
    def expecting(cls, name: str, value: object) -> "Misfit":
        """Say what was expected and of which type the value is."""
        return cls([("", f"expected {name}, got {kind(value)}")])

    @classmethod
    def reading(cls, name: str, text: object) -> "Misfit":
        """Say what was expected and quote the scalar that cannot be read as that."""
        if not isinstance(text, str | float | bool):
            return cls.expecting(name, text)
        quoted = repr(text[:61] if isinstance(text, str) else text)
        quoted = quoted if len(quoted) <= 60 else f"{quoted[:57]}..."
        return cls([("", f"expected {name}, got {kind(text)} {quoted}")])

    def below(self, step: str) -> list[Problem]:
        """Return the problems as seen from the container that holds the value."""
        return [(step + path, message) for path, message in self.problems]


def kind(value: object) -> str:
    """Name the type of a JSON value."""
    return "null" if value is None else type(value).__name__


@attrs.frozen(eq=False)
class Leaf:
    """A shape without parts."""

    name: str
    form: str
    accepts: Mapping[type, int]
    convert: Convert
    exact: type | None = None
    """Values of this JSON type are taken as they are."""
    is_constant: bool = False
    """Whether only some constants fit."""
    own_schema: Mapping[str, Any] = attrs.field(factory=dict)

    def schema(self, _: Write) -> Schema:
        """Return a schema of its own."""
        return dict(self.own_schema)


def takes_any_object(shape: Shape) -> bool:
    """Whether every JSON object fits as it is."""
    return dict in shape.accepts and shape.form in {"any", "object of any", "object of str to any"}


def is_constant(shape: Shape) -> bool:
    """Whether only some constants fit: a Literal, an Enum, a tag."""
    return isinstance(shape, Leaf) and shape.is_constant


@attrs.define(eq=False)
class Deferred:
    """The place of a shape that is being built: what a recursive alias refers to."""

    name: str
    target: Shape | None = None

    @property
    def _shape(self) -> Shape:
        if self.target is None:
            reason = f"{self.name} refers to nothing but itself"
            raise DeclarationError(reason)
        return self.target

    @property
    def form(self) -> str:
        return self.name

    @property
    def accepts(self) -> Mapping[type, int]:
        return self._shape.accepts

    def convert(self, value: object) -> object:
        """Convert as the target does."""
        return self._shape.convert(value)

    def schema(self, write: Write) -> Schema:
        """Return the target's schema."""
        return write(self._shape)


def _convert_items(shape: Shape, values: list[object]) -> list[object]:
    if isinstance(shape, Leaf) and shape.exact is not None and set(map(type, values)) <= {shape.exact}:
        return list(values)
    convert = shape.convert
    converted: list[object] = []
    problems: list[Problem] = []
    for value in values:
        try:
            converted.append(convert(value))
        except Misfit as misfit:
            problems += misfit.below(item(len(converted)))
            if len(problems) >= PROBLEM_LIMIT:
                break
            converted.append(None)
    if problems:
        raise Misfit(problems)
    return converted


@attrs.frozen(eq=False)
class ArrayShape:
    """An array whose items are all of one shape, built into some collection."""

    name: str
    item: Shape
    build: Callable[[list[object]], object] | None = None
    """Makes the collection; None where it is a list."""

    @property
    def form(self) -> str:
        return f"array of {self.item.form}"

    @property
    def accepts(self) -> Mapping[type, int]:
        return {list: 3}

    def convert(self, value: object) -> object:
        """Convert every item."""
        if type(value) is not list:
            raise Misfit.expecting(self.name, value)
        items = _convert_items(self.item, value)
        if self.build is None:
            return items
        try:
            return self.build(items)
        except TypeError:
            raise Misfit([("", f"expected {self.name}, got items that cannot be in a set")]) from None

    def schema(self, write: Write) -> Schema:
        """Return the schema of an array; a set's items may repeat in JSON."""
        return {"type": "array", "items": write(self.item)}


@attrs.frozen(eq=False)
class TupleShape:
    """An array of fixed length with a shape for each place."""

    name: str
    items: tuple[Shape, ...]

    @property
    def form(self) -> str:
        return f"array of exactly {', '.join(shape.form for shape in self.items)}"

    @property
    def accepts(self) -> Mapping[type, int]:
        return {list: 2}

    def convert(self, value: object) -> object:
        """Convert each item by the shape of its place."""
        if type(value) is not list:
            raise Misfit.expecting(self.name, value)
        if len(value) != len(self.items):
            raise Misfit([("", f"expected {self.name}, got {len(value)} items")])
        converted: list[object] = []
        problems: list[Problem] = []
        for shape, part in zip(self.items, value, strict=True):
            try:
                converted.append(shape.convert(part))
            except Misfit as misfit:
                problems += misfit.below(item(len(converted)))
                converted.append(None)
        if problems:
            raise Misfit(problems)
        return tuple(converted)

    def schema(self, write: Write) -> Schema:
        """Return the schema of an array of just these items."""
        count = len(self.items)
        items = {"items": [write(shape) for shape in self.items]} if count else {}
        return {"type": "array", **items, "minItems": count, "maxItems": count}


@attrs.frozen(eq=False)
class MapShape:
    """An object with any keys, built into some mapping."""

    name: str
    key: Shape
    value: Shape
    build: Callable[[dict[object, object]], object] | None = None

    @property
    def form(self) -> str:
        return f"object of {self.key.form} to {self.value.form}"

    @property
    def accepts(self) -> Mapping[type, int]:
        return {dict: 5}

    def convert(self, value: object) -> object:
        """Convert every key and every value."""
        if type(value) is not dict:
            raise Misfit.expecting(self.name, value)
        convert_key, convert_value = self.key.convert, self.value.convert
        converted: dict[object, object] = {}
        problems: list[Problem] = []
        for name, part in value.items():
            try:
                key = convert_key(name)
            except Misfit as misfit:
                problems += [(member(name), f"key: {message}") for _, message in misfit.problems]
                key = name
            try:
                converted[key] = convert_value(part)
            except Misfit as misfit:
                problems += misfit.below(member(name))
            if len(problems) >= PROBLEM_LIMIT:
                break
        if problems:
            raise Misfit(problems)
        if len(converted) != len(value):
            raise Misfit([("", f"expected {self.name}, got keys that are the same {self.key.name}")])
        return converted if self.build is None else self.build(converted)

    def schema(self, write: Write) -> Schema:
        """Return the schema of an object with any keys that fit."""
        written: Schema = {"type": "object"}
        key = write(self.key)
        if key != {"type": "string"}:
            written["propertyNames"] = key
        return {**written, "additionalProperties": write(self.value) or True}
