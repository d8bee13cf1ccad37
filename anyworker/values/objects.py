"""Shapes of objects with known members."""

import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import NoneType

import attrs

from anyworker.values.paths import item, member
from anyworker.values.scalars import refused_by_class
from anyworker.values.shapes import (
    NAMED,
    Convert,
    Misfit,
    Problem,
    Schema,
    Shape,
    TupleShape,
    Write,
    is_constant,
)


class Absent(Enum):
    """What an absent key means."""

    REFUSED = "refused"
    LEFT_OUT = "left out"
    """The function or the class has a default of its own."""
    NONE = "none"
    """The type allows null and there is no default."""


def absent_means(shape: Shape, *, has_default: bool) -> Absent:
    """Say what an absent key means for a parameter or a member of that shape."""
    if has_default:
        return Absent.LEFT_OUT
    # Any takes null, as models and types of the user's may: their absence is a mistake all the same.
    return Absent.NONE if shape.accepts.get(NoneType, math.inf) <= NAMED else Absent.REFUSED


_MISSING = object()
_REFUSED_TURN = 100
"""Instead of the turn of a type that is not accepted."""


@attrs.frozen(eq=False)
class Member:
    """One named part of an object."""

    key: str
    """Its name in JSON."""
    name: str | None
    """Its name in Python; None for a tag, which is checked and not kept."""
    shape: Shape
    absent: Absent
    description: str | None = None


class Members:
    """The known members of an object.

    Args:
        members: In the order in which problems are listed.
        is_strict: Whether unknown keys are refused instead of ignored.
    """

    def __init__(self, members: tuple[Member, ...], *, is_strict: bool = False) -> None:
        self.members = members
        self.keys = frozenset(member.key for member in members)
        self.required = frozenset(member.key for member in members if member.absent is Absent.REFUSED)
        self._constants = tuple(
            (member.key, member.shape.convert) for member in members if is_constant(member.shape)
        )
        self.is_strict = is_strict
        self._rows: tuple[tuple[str, str | None, Convert, Absent], ...] = tuple(
            (member.key, member.name, member.shape.convert, member.absent) for member in members
        )

    def are_meant(self, given: Mapping[str, object]) -> bool:
        """Whether the constants that are given, such as a tag, are the right ones."""
        try:
            for key, convert in self._constants:
                if key in given:
                    convert(given[key])
        except Misfit:
            return False
        return True

    def distance(self, given: Mapping[str, object]) -> tuple[int, int, int]:
        """Say how far the members are from the keys that are given.

        Returns:
            Keys left over, members absent, and how little the members' types are those of the values.
        """
        looseness = sum(
            member.shape.accepts.get(type(given[member.key]), _REFUSED_TURN)
            for member in self.members
            if member.key in given
        )
        return len(given.keys() - self.keys), len(self.keys - given.keys()), looseness

    def gather(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return the converted members by their Python names.

        Raises:
            Misfit: With every problem of every member.
        """
        gathered: dict[str, object] = {}
        problems: list[Problem] | None = None
        for key, name, convert, absent in self._rows:
            value = given.get(key, _MISSING)
            if value is not _MISSING:
                try:
                    converted = convert(value)
                except Misfit as misfit:
                    problems = (problems or []) + misfit.below(member(key))
                    continue
            elif absent is Absent.LEFT_OUT:
                continue
            elif absent is Absent.NONE:
                converted = None
            else:
                problems = [*(problems or []), self._missing(key)]
                continue
            if name is not None:
                gathered[name] = converted
        if self.is_strict and not self.keys.issuperset(given):
            problems = (problems or []) + self._unknown(given)
        if problems:
            raise Misfit(problems)
        return gathered

    def schema(self, write: Write) -> Schema:
        """Return the schema of an object with these members."""
        written: Schema = {"type": "object", "properties": {}}
        for part in self.members:
            schema = write(part.shape)
            if part.description is not None:
                schema = {"description": part.description, **schema}
            written["properties"][part.key] = schema
        required = [part.key for part in self.members if part.absent is Absent.REFUSED]
        if required:
            written["required"] = required
        return {**written, "additionalProperties": not self.is_strict}

    def _missing(self, key: str) -> Problem:
        shape = next(member.shape for member in self.members if member.key == key)
        return member(key), f"missing, expected {shape.name}"

    def _unknown(self, given: Mapping[str, object]) -> list[Problem]:
        return [unknown_key(key, self.keys) for key in given if key not in self.keys]


def unknown_key(key: str, known: Iterable[str]) -> Problem:
    """Return what is wrong with a key that nothing takes."""
    return member(key), f"unknown key (known are: {', '.join(sorted(known)) or 'none'})"


@attrs.define(eq=False)
class ObjectShape:
    """An object with the members of a class, built by calling it."""

    name: str
    build: Callable[..., object] | None
    """Called with the members by name; None where a dict is wanted."""
    members: Members = attrs.field(factory=lambda: Members(()))
    """Filled in last, because classes may refer to themselves."""
    is_positional: bool = False
    """Whether an array of the values in order fits as well: a NamedTuple."""
    description: str | None = None

    @property
    def form(self) -> str:
        parts = sorted(
            f"{part.key}{'' if part.absent is Absent.REFUSED else '?'}: {part.shape.name}"
            for part in self.members.members
        )
        return f"object of {{{', '.join(parts)}}}"

    @property
    def accepts(self) -> Mapping[type, int]:
        return {dict: 2, list: 2} if self.is_positional else {dict: 2}

    def convert(self, value: object) -> object:
        """Convert the members, then build the object."""
        if type(value) is list and self.is_positional:
            keys = [part.key for part in self.members.members]
            if len(value) > len(keys):
                raise Misfit([(item(len(keys)), f"expected no more than {len(keys)} items of {self.name}")])
            value = dict(zip(keys, value, strict=False))
        if type(value) is not dict:
            raise Misfit.expecting(self.name, value)
        gathered = self.members.gather(value)
        if self.build is None:
            return gathered
        try:
            return self.build(**gathered)
        except Exception as error:  # validators and __post_init__ of users may raise anything
            raise refused_by_class(self.name, error) from error

    def schema(self, write: Write) -> Schema:
        """Return the schema of an object, or of an array of its values in order where that fits, too."""
        written = self.members.schema(write)
        if self.is_positional:
            members = self.members.members
            needed = [place for place, part in enumerate(members, 1) if part.absent is Absent.REFUSED]
            items = TupleShape(self.name, tuple(part.shape for part in members)).schema(write)
            written = {"anyOf": [written, {**items, "minItems": max(needed, default=0)}]}
        return written if self.description is None else {"description": self.description, **written}
