"""Shapes of choices among constants: Literal and Enum."""

from collections.abc import Iterable
from enum import Enum, Flag, FlagBoundary
from itertools import product
from types import NoneType

import attrs

from anyworker.values.scalars import INT, construct
from anyworker.values.shapes import JSON_TYPES, NAMED, Convert, Leaf, Misfit, Schema


def choice(name: str, choices: Iterable[tuple[object, object]], fallback: Convert | None = None) -> Leaf:
    """Return the shape of a choice among constants.

    Args:
        name: How messages call it.
        choices: Each JSON value with the constant it stands for.
        fallback: What may still know a value that is none of these.
    """
    choices = list(choices)
    known = {(type(wire), wire): constant for wire, constant in choices if type(wire) in _SCALARS}
    composite = [(wire, constant) for wire, constant in choices if type(wire) not in _SCALARS]

    def convert(value: object) -> object:
        if type(value) in _SCALARS:
            for kind in _SAME_IN_JSON.get(type(value), (type(value),)):
                if (kind, value) in known:
                    return known[kind, value]
        else:
            for wire, constant in composite:
                if wire == value:
                    return constant
        if fallback is not None:
            return fallback(value)
        raise Misfit.reading(name, value)

    accepts = dict.fromkeys((type(wire) for wire, _ in choices), NAMED)
    if int in accepts or float in accepts:
        accepts = {int: 4, float: 4, **accepts}
    if fallback is not None:
        accepts = {kind: accepts.get(kind, 4) for kind in JSON_TYPES}
    own_schema = {"enum": [wire for wire, _ in choices]} if fallback is None else {}
    form = f"one of {sorted(map(repr, known))}"
    return Leaf(name, form, accepts, convert, is_constant=True, own_schema=own_schema)


_SCALARS = frozenset({NoneType, bool, int, float, str})
_SAME_IN_JSON: dict[type, tuple[type, ...]] = {int: (int, float), float: (float, int)}
"""JSON has one kind of number."""


def enum_choice(kind: type[Enum], choices: list[tuple[object, Enum]]) -> Leaf:
    """Return the shape of an Enum by value; its ``_missing_`` is asked, a Flag may be a combination."""

    def ask_class(value: object) -> object:
        # 1, 1.0 and True are equal to Python, so the class must not see what merely equals a value.
        if type(value) not in _SCALARS or any(value == wire for wire, _ in choices):
            raise Misfit.reading(name, value)
        return construct(kind, kind.__name__, value)

    values = ", ".join(repr(wire) for wire, _ in choices[:10]) + (", ..." if len(choices) > 10 else "")
    name = f"{kind.__name__} (one of {values})"
    if issubclass(kind, Flag):
        return _flags(kind)
    has_say = "_missing_" in {
        attribute for base in kind.__mro__[:-1] if base is not Enum for attribute in vars(base)
    }
    leaf = choice(name, choices, ask_class if has_say else None)
    if NoneType in leaf.accepts:  # where null stands for a member, an absent key does not
        leaf = attrs.evolve(leaf, accepts={**leaf.accepts, NoneType: NAMED + 1})
    return leaf


def _flags(kind: type[Flag]) -> Leaf:
    """Return the shape of combinations of flags, which are taken only if all of it has a meaning."""

    def convert(value: object) -> object:
        number = INT.convert(value)
        flags = construct(kind, kind.__name__, number)
        if getattr(flags, "value", None) == number:
            return flags
        raise Misfit.reading(kind.__name__, value)

    bits = [flag.value for flag in kind]
    own_schema: Schema = {"type": "integer", "minimum": 0}
    if getattr(kind, "_boundary_", None) is not FlagBoundary.KEEP:
        own_schema["maximum"] = sum(bits)
        if sum(bits) & (sum(bits) + 1) and len(bits) <= _FEW:
            own_schema = {"enum": sorted(map(sum, product(*((0, bit) for bit in bits))))}
    return Leaf(kind.__name__, INT.form, INT.accepts, convert, own_schema=own_schema)


_FEW = 8
"""Flags whose combinations a schema lists, where they do not fill a range."""
