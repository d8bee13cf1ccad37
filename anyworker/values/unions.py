"""Shapes of unions: which of several shapes a value is meant for."""

from collections.abc import Mapping, MutableMapping

import attrs

from anyworker.errors import DeclarationError
from anyworker.values.models import ModelShape
from anyworker.values.objects import Members, ObjectShape
from anyworker.values.shapes import JSON_TYPES, PROBLEM_LIMIT, Leaf, Misfit, Problem, Schema, Shape, Write

Tried = MutableMapping[tuple[int, int], object]
"""What became of a container in a union, by the ids of both, for as long as one input is converted."""
_UNTRIED = object()


@attrs.define(eq=False)
class UnionShape:
    """Any of several shapes: the most specific one that fits."""

    options: tuple[Shape, ...]
    _tried: Tried
    notes: tuple[Schema, ...] = ()
    """Words about each option."""
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
        if len(options) == 1 and not isinstance(options[0], Leaf):
            return options[0].convert(value)
        if not isinstance(value, dict | list):
            return self._first_fit(value, options)
        # Unions inside of unions meet the same value once for each option around them. Without this the work
        # would double with every level.
        place = (id(self), id(value))
        converted = self._tried.get(place, _UNTRIED)
        if converted is _UNTRIED:
            try:
                converted = self._first_fit(value, options)
            except Misfit as misfit:
                # Not the exception itself: its traceback has this very frame, and that would be a cycle.
                converted = _Refused(misfit.problems)
            self._tried[place] = converted
        if isinstance(converted, _Refused):
            raise Misfit(converted.problems)
        return converted

    def schema(self, write: Write) -> Schema:
        """Return the schema of what fits any option."""
        notes = self.notes or ({},) * len(self.options)
        return {"anyOf": [{**write(option), **own} for option, own in zip(self.options, notes, strict=True)]}

    def _first_fit(self, value: object, options: tuple[Shape, ...]) -> object:
        if isinstance(value, dict):
            options = _closest_first(options, value)
        refusals: list[tuple[Shape, list[Problem]]] = []
        for option in options:
            try:
                return option.convert(value)
            except Misfit as misfit:
                refusals.append((option, misfit.problems))
        if not refusals or not isinstance(value, dict | list):
            raise Misfit.reading(self.name, value)
        raise Misfit(_problems_of_all(refusals))


@attrs.frozen(eq=False)
class _Refused:
    problems: list[Problem]


def _problems_of_all(refusals: list[tuple[Shape, list[Problem]]]) -> list[Problem]:
    """List what every option has against the value once, the rest with the option."""
    shared = dict.fromkeys(refusals[0][1])
    for _, problems in refusals[1:]:
        others = set(problems)
        shared = {problem: None for problem in shared if problem in others}
    own = [
        (path, f"{message} (to be {option.name})")
        for option, problems in refusals
        for path, message in problems
        if (path, message) not in shared
    ]
    return [*shared, *own][:PROBLEM_LIMIT]


def _closest_first(options: tuple[Shape, ...], value: dict[str, object]) -> tuple[Shape, ...]:
    """Sort objects with known members by how far they are from what is given.

    Objects that lack a required member or have another's tag are dropped if any option is left: nothing is
    converted in vain, and problems are those of the option that was meant.
    """
    known = [(option, members) for option in options if (members := _members_of(option)) is not None]
    if not known:
        return options
    given = value.keys()
    others = tuple(option for option in options if _members_of(option) is None)
    meant = [(option, members) for option, members in known if members.are_meant(value)]
    fitting = [(option, members) for option, members in meant if members.required <= given]
    if len(fitting) > 1:
        fitting.sort(key=lambda one: one[1].distance(value))
    first = fitting or ([] if others else meant or known)
    return (*(option for option, _ in first), *others)


def _members_of(option: Shape) -> Members | None:
    return option.members if isinstance(option, ObjectShape | ModelShape) else None
