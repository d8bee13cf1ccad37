"""Shapes of classes that say by themselves which JSON values they are made from."""

from enum import Enum
from typing import Any

from anyworker.errors import DeclarationError, SerializationError
from anyworker.values.choices import enum_choice
from anyworker.values.custom import custom_type
from anyworker.values.jsonable import to_jsonable
from anyworker.values.models import model_shape
from anyworker.values.scalars import BYTES, INT, LEAVES, STR, made_by, made_from
from anyworker.values.shapes import Leaf, Shape


def shape_of_class(kind: type, *, is_strict: bool, is_output: bool) -> Shape | None:
    """Return the shape of a class whose members are of no interest; None if it is made from members.

    Args:
        kind: The class.
        is_strict: Whether objects with known members refuse unknown keys.
        is_output: Whether the shape is that of values as they are written, instead of as they are read.

    Raises:
        DeclarationError: An Enum none of whose values JSON has.
    """
    if (custom := custom_type(kind)) is not None:
        return made_by(kind, custom)
    if issubclass(kind, Enum):
        return _enum(kind)
    if callable(getattr(kind, "model_validate", None)):
        return model_shape(kind, is_strict=is_strict, is_output=is_output)
    if kind in LEAVES:
        return LEAVES[kind]
    for base, leaf in ((str, STR), (int, INT), (bytes, BYTES)):
        if issubclass(kind, base):
            return made_from(kind, leaf)
    return None


def unknown(annotation: Any) -> DeclarationError:
    """Return the error of an annotation that no JSON value becomes."""
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return DeclarationError(f"no JSON value can become {name}")


def _enum(kind: type[Enum]) -> Leaf:
    choices: list[tuple[object, Enum]] = []
    for member in kind:
        try:
            choices.append((to_jsonable(member.value), member))
        except SerializationError:
            continue
    if not choices:
        raise unknown(kind)
    return enum_choice(kind, choices)
