"""Constraints by ``Annotated[..., msgspec.Meta(...)]``: bounds, lengths, patterns, time zones."""

from collections.abc import Mapping
from typing import Annotated, Any

import attrs
import msgspec

from anyworker.values.scalars import LEAVES
from anyworker.values.shapes import Misfit, Shape


def constrained(base: Shape, metadata: tuple[Any, ...]) -> Shape:
    """Return the shape that also obeys the constraints among the metadata; the rest of them is ignored."""
    constraints = tuple(meta for meta in metadata if isinstance(meta, msgspec.Meta))
    return _ConstrainedShape(base, constraints) if constraints else base


@attrs.frozen(eq=False)
class _ConstrainedShape:
    base: Shape
    constraints: tuple[msgspec.Meta, ...]

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def form(self) -> str:
        return f"{self.base.form} {self.constraints}"

    @property
    def accepts(self) -> Mapping[type, int]:
        return self.base.accepts

    def convert(self, value: object) -> object:
        """Convert, then let msgspec check: what became of a scalar, an array or object as it came."""
        converted = self.base.convert(value)
        subject = converted if type(converted) in LEAVES else value
        for meta in self.constraints:
            try:
                msgspec.convert(subject, Annotated[type(subject), meta])
            except msgspec.ValidationError as error:
                reason = str(error).replace("`", "").replace("Expected", "expected")
                raise Misfit([("", f"{reason}, got {value!r:.60}")]) from None
            except TypeError:  # a bound says nothing about text, a length nothing about numbers
                continue
        return converted
