"""Marks by which a parameter says that it is filled by something else than a key of the input."""

import typing
from typing import Any


class WholeInput:
    """Marks a parameter that takes the whole input: ``everything: Annotated[dict[str, Any], WholeInput]``."""


class FromLifespan:
    """Marks a parameter that takes the resource of its name from the process's lifespan.

    ``pool: Annotated[Pool, FromLifespan]`` takes what the lifespan yielded under ``"pool"``. It is no part of
    the input, nor of its schema.
    """


def has_mark(annotation: Any, mark: type) -> bool:
    """Return whether an annotation is ``Annotated`` with a mark, given as its class or an instance."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return False
    return any(each is mark or isinstance(each, mark) for each in typing.get_args(annotation)[1:])
