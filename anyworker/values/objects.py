"""Shapes of objects with known members, of classes that validate themselves, and of unions."""

from collections.abc import Callable, Mapping
from enum import Enum

import attrs

from anyworker.errors import DeclarationError
from anyworker.values.paths import item, member
from anyworker.values.scalars import construct
from anyworker.values.shapes import JSON_TYPES, Convert, Misfit, Problem, Shape


class Absent(Enum):
    """What an absent key means."""

    REFUSED = "refused"
    LEFT_OUT = "left out"
    """The function or the class has a default of its own."""
    NONE = "none"
    """The type allows null and there is no default."""


_MISSING = object()


@attrs.frozen(eq=False)
class Member:
    """One named part of an object."""

    key: str
    """Its name in JSON."""
    name: str | None
    """Its name in Python; None for a tag, which is checked and not kept."""
    shape: Shape
    absent: Absent


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
        self._is_strict = is_strict
        self._rows: tuple[tuple[str, str | None, Convert, Absent], ...] = tuple(
            (member.key, member.name, member.shape.convert, member.absent) for member in members
        )

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
        if self._is_strict and not self.keys.issuperset(given):
            problems = (problems or []) + self._unknown(given)
        if problems:
            raise Misfit(problems)
        return gathered

    def _missing(self, key: str) -> Problem:
        shape = next(member.shape for member in self.members if member.key == key)
        return member(key), f"missing, expected {shape.name}"

    def _unknown(self, given: Mapping[str, object]) -> list[Problem]:
        known = ", ".join(sorted(self.keys)) or "none"
        return [(member(key), f"unknown key (known are: {known})") for key in given if key not in self.keys]


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
        return gathered if self.build is None else construct(self.build, self.name, **gathered)


@attrs.frozen(eq=False)
class ModelShape:
    """A class that validates by itself: ``model_validate``, as pydantic's models have it."""

    name: str
    validate: Callable[[object], object]
    accepts: Mapping[type, int]

    @property
    def form(self) -> str:
        return f"model {self.name}"

    def convert(self, value: object) -> object:
        """Ask the class."""
        try:
            return construct(self.validate, self.name, value)
        except Misfit as misfit:
            problems = _model_problems(misfit.__cause__)
            raise Misfit(problems) if problems else misfit from misfit.__cause__


def _model_problems(error: BaseException | None) -> list[Problem]:
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return []
    return [
        (
            "".join(item(step) if isinstance(step, int) else member(step) for step in found["loc"]),
            found["msg"],
        )
        for found in errors()
    ]


@attrs.define(eq=False)
class UnionShape:
    """Any of several shapes: the most specific one that fits."""

    options: tuple[Shape, ...]
    _turns: Mapping[type, tuple[Shape, ...]] = attrs.field(factory=dict, init=False)

    @property
    def name(self) -> str:
        return " | ".join(option.name for option in self.options)

    @property
    def form(self) -> str:
        return " or ".join(sorted(option.form for option in self.options))

    @property
    def accepts(self) -> Mapping[type, int]:
        turns: dict[type, int] = {}
        for option in self.options:
            for kind, turn in option.accepts.items():
                turns[kind] = min(turn, turns.get(kind, turn))
        return turns

    def arrange(self) -> None:
        """Decide which option is tried when; called once when all shapes are built.

        Raises:
            DeclarationError: Two options cannot be told apart by any value.
        """
        forms: dict[str, Shape] = {}
        for option in self.options:
            twin = forms.setdefault(option.form, option)
            if twin is not option:
                reason = f"nothing in JSON tells {twin.name} and {option.name} apart"
                raise DeclarationError(reason)
        self._turns = {
            kind: tuple(
                sorted(
                    (one for one in self.options if kind in one.accepts), key=lambda one: one.accepts[kind]
                )
            )
            for kind in JSON_TYPES
        }

    def convert(self, value: object) -> object:
        """Convert by the first option that fits; of objects, by the one that leaves the fewest keys over."""
        options = self._turns.get(type(value), ())
        if len(options) == 1:
            return options[0].convert(value)
        if type(value) is dict:
            options = _closest_first(options, value)
        refusals: list[tuple[Shape, Misfit]] = []
        for option in options:
            try:
                return option.convert(value)
            except Misfit as misfit:
                refusals.append((option, misfit))
        raise self._refusal(value, refusals)

    def _refusal(self, value: object, refusals: list[tuple[Shape, Misfit]]) -> Misfit:
        if not refusals or not isinstance(value, dict | list):
            return Misfit.reading(self.name, value)
        return Misfit(
            (path, f"{message} (to be {option.name})")
            for option, misfit in refusals
            for path, message in misfit.problems
        )


def _closest_first(options: tuple[Shape, ...], value: dict[str, object]) -> tuple[Shape, ...]:
    """Sort objects with known members by the keys they leave over, then by the members that are absent.

    Objects that lack a required member are dropped if any other option is left: nothing is converted in vain.
    """
    known = [option for option in options if isinstance(option, ObjectShape)]
    if not known:
        return options
    others = tuple(option for option in options if not isinstance(option, ObjectShape))
    fitting = [option for option in known if option.members.required <= value.keys()]
    given = value.keys()
    fitting.sort(key=lambda one: (len(given - one.members.keys), len(one.members.keys - given)))
    return (*(fitting or ([] if others else known)), *others)
