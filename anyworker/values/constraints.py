"""What ``Annotated`` adds to a shape: msgspec's bounds, lengths, patterns and time zones; descriptions."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Annotated, Any

import attrs
import msgspec

from anyworker.values.jsonable import to_jsonable
from anyworker.values.notations import WITH_OFFSET, WITHOUT_OFFSET, WRITTEN, base64_of, exactly
from anyworker.values.scalars import LEAVES
from anyworker.values.shapes import Convert, Leaf, Misfit, Schema, Shape, Write

_NUMBER = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"} | {
    "multiple_of": "multipleOf"
}
_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}
_CONSTRAINTS = (*_NUMBER, "pattern", "min_length", "max_length", "tz")
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "gt": Decimal.__gt__,
    "ge": Decimal.__ge__,
    "lt": Decimal.__lt__,
    "le": Decimal.__le__,
}


def annotated(base: Shape, metadata: tuple[Any, ...]) -> Shape:
    """Return the shape that also obeys the constraints among the metadata and has its description.

    Args:
        base: What the metadata are about.
        metadata: ``msgspec.Meta`` constrains and describes; a text, or an object whose ``documentation`` or
            ``description`` is one (as ``typing_extensions.Doc`` has it), describes; the rest is ignored.
    """
    metas = tuple(meta for meta in metadata if isinstance(meta, msgspec.Meta))
    constraints = tuple(
        meta for meta in metas if any(getattr(meta, name) is not None for name in _CONSTRAINTS)
    )
    notes = {key: value for note in metadata for key, value in _notes(note).items()}
    shape: Shape = _ConstrainedShape(base, constraints) if constraints else base
    if not notes:
        return shape
    if isinstance(shape, Leaf):
        return attrs.evolve(shape, own_schema={**shape.own_schema, **notes})
    return Described(shape, notes)


def _notes(note: object) -> Schema:
    """Return the keywords that say something without refusing anything."""
    if isinstance(note, str):
        return {"description": note}
    if not isinstance(note, msgspec.Meta):
        texts = (getattr(note, name, None) for name in ("documentation", "description"))
        return {"description": text} if (text := next(filter(_is_text, texts), None)) else {}
    told = {"title": note.title, "description": note.description, "examples": note.examples}
    kept = {key: value for key, value in told.items() if value is not None} | (note.extra_json_schema or {})
    return {key: to_jsonable(value, f"$.{key}") for key, value in kept.items()}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


@attrs.frozen(eq=False)
class Described:
    """A shape with words about it."""

    base: Shape
    notes: Schema
    convert: Convert = attrs.field(init=False, default=attrs.Factory(lambda self: self.base.convert, True))

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def form(self) -> str:
        return self.base.form

    @property
    def accepts(self) -> Mapping[type, int]:
        return self.base.accepts

    def schema(self, write: Write) -> Schema:
        """Return the schema with the words."""
        return {**write(self.base), **self.notes}


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
        is_checked_itself = type(converted) in LEAVES and not isinstance(converted, PurePath)
        subject = converted if is_checked_itself else value
        for meta in self.constraints:
            if isinstance(converted, Decimal):
                _check_decimal(converted, meta)
                continue
            try:
                msgspec.convert(subject, Annotated[type(subject), meta])
            except msgspec.ValidationError as error:
                reason = str(error).replace("`", "").replace("Expected", "expected")
                raise Misfit([("", f"{reason}, got {value!r:.60}")]) from None
            except TypeError:  # a bound says nothing about text, a length nothing about numbers
                continue
        return converted

    def schema(self, write: Write) -> Schema:
        """Return the schema with what its keywords can say of the constraints."""
        written = write(self.base)
        for meta in self.constraints:
            written = _narrowed(written, meta)
        return written


def _check_decimal(value: Decimal, meta: msgspec.Meta) -> None:
    for name, holds in _COMPARISONS.items():
        bound = getattr(meta, name)
        if bound is not None and not holds(value, Decimal(str(bound))):
            raise Misfit([("", f"expected Decimal {_SIGNS[name]} {bound}, got {value}")])
    if meta.multiple_of is not None and not _is_multiple(value, Decimal(str(meta.multiple_of))):
        raise Misfit([("", f"expected Decimal that's a multiple of {meta.multiple_of}, got {value}")])


def _is_multiple(value: Decimal, factor: Decimal) -> bool:
    try:
        return not value % factor
    except ArithmeticError:  # more digits than the context's precision
        return False


_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _narrowed(schema: Schema, meta: msgspec.Meta) -> Schema:
    """Return a schema with the constraints that mean something for its type, each option's for a union."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_narrowed(option, meta) for option in schema["anyOf"]]}
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        bounds = {word: getattr(meta, name) for name, word in _NUMBER.items()}
        return {**schema, **{word: bound for word, bound in bounds.items() if bound is not None}}
    if "contentEncoding" in schema:
        pattern = base64_of(meta.min_length or 0, meta.max_length)
        return {**schema, "pattern": exactly(pattern)}
    if "pattern" in schema:
        return {**schema, **_offset(schema["pattern"], meta)}
    added: Schema = {}
    if kind in _LENGTHS:
        for name, word in (("min_length", "min"), ("max_length", "max")):
            if (length := getattr(meta, name)) is not None:
                added[word + _LENGTHS[kind]] = length
    if kind == "string" and meta.pattern is not None:
        added["pattern"] = meta.pattern
    return {**schema, **added}


def _offset(pattern: str, meta: msgspec.Meta) -> Schema:
    """Return the pattern of a date and time that has an offset or has none."""
    kind = next((kind for kind, words in WRITTEN.items() if words["pattern"] == pattern), None)
    if meta.tz is None or kind not in WITH_OFFSET:
        return {}
    return {"pattern": (WITH_OFFSET if meta.tz else WITHOUT_OFFSET)[kind]}
