"""Shapes of values without parts: JSON's own and what is written as text.

Conversions are widenings that lose nothing: an integral float is an int, an int that a float holds exactly is
a float, text in the one standard form of a type is that type. Text is never a number or a boolean, and a
boolean is no number.
"""

import base64
import re
import typing
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath
from types import NoneType
from typing import Any

import msgspec

from anyworker.errors import message_of
from anyworker.values import notations
from anyworker.values.custom import CustomType
from anyworker.values.dates import in_full, is_finer_than_microseconds
from anyworker.values.shapes import JSON_TYPES, Convert, Leaf, Misfit, Schema

_BASE64 = re.compile(notations.BASE64)
_DECIMAL = re.compile(notations.DECIMAL.replace("+(", "++(").replace("+)", "++)").replace("*)", "*+)"))
"""Possessive where Python can be told so: nothing is tried again in a text of a million digits."""
_INTEGER_KEY = re.compile(notations.INTEGER_KEY)
_LONGEST_TEXT = 1000
"""Characters of a date or duration; zeros may follow a fraction without end."""


def _exactly(name: str, kind: type) -> Convert:
    def convert(value: object) -> object:
        if type(value) is kind:
            return value
        raise Misfit.expecting(name, value)

    return convert


def _to_int(value: object) -> object:
    if type(value) is int:
        return value
    if type(value) is float:
        if value.is_integer():
            return int(value)
        raise Misfit.reading("int", value)
    raise Misfit.expecting("int", value)


def _to_float(value: object) -> object:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            wide = float(value)
        except OverflowError:
            wide = float("inf")
        if wide == value:
            return wide
        raise Misfit([("", "expected float, got int that a float cannot hold exactly")])
    raise Misfit.expecting("float", value)


def _to_decimal(value: object) -> object:
    if type(value) is int or (type(value) is str and _DECIMAL.fullmatch(value)):
        return Decimal(value)
    if type(value) is float and value.is_integer():  # JSON has one kind of number
        return Decimal(int(value))
    raise Misfit.reading("Decimal", value)


def _to_bytes(value: object) -> object:
    if type(value) is str and _BASE64.fullmatch(value):
        return base64.b64decode(value)
    raise Misfit.reading("bytes in base64", value)


def _written(kind: type) -> Convert:
    """Read text in the form that msgspec writes: RFC 3339, ISO 8601 durations, RFC 4122."""
    decode: Callable[[str, type], object] = msgspec.convert
    complete = in_full(kind)

    def convert(value: object) -> object:
        if type(value) is str and len(value) <= _LONGEST_TEXT:
            try:
                converted = decode(complete(value), kind)
            except msgspec.ValidationError:
                pass
            else:
                if not is_finer_than_microseconds(value):
                    return converted
        raise Misfit.reading(kind.__name__, value)

    return convert


def made_from(kind: type, base: Leaf) -> Leaf:
    """Return the shape of a class that is made from one plain value: a path, a subclass of str or int."""

    def convert(value: object) -> object:
        return construct(kind, kind.__name__, base.convert(value))

    accepts = {**base.accepts, str: 8} if str in base.accepts else base.accepts
    return Leaf(kind.__name__, base.form, accepts, convert, own_schema=base.own_schema)


def refused_by_class(name: str, error: Exception) -> Misfit:
    """Return what says that a class does not take a value that its parts are fit for."""
    # The validators of attrs put the attribute and more behind their message.
    told = error.args[0] if len(error.args) > 1 and isinstance(error.args[0], str) else message_of(error)
    return Misfit([("", f"not a valid {name}: {told or type(error).__name__}")])


def construct(build: Callable[[Any], object], name: str, value: object) -> object:
    """Make something of the user's from one value; whatever that raises says that the value is bad.

    Raises:
        Misfit: The constructor raised.
    """
    try:
        return build(value)
    except Exception as error:
        raise refused_by_class(name, error) from error


def made_by(kind: type, custom: CustomType) -> Leaf:
    """Return the shape of a class with a conversion of the user's."""

    def convert(value: object) -> object:
        return construct(custom.decode, kind.__name__, value)

    return Leaf(kind.__name__, kind.__name__, dict.fromkeys(JSON_TYPES, 6), convert, own_schema=custom.schema)


def refusing(reason: str) -> Leaf:
    """Return the shape that no value fits."""

    def convert(_: object) -> object:
        raise Misfit([("", reason)])

    return Leaf("nothing", "nothing", {}, convert, own_schema={"not": {}})


def _whatever(value: object) -> object:
    return value


def _text(**keywords: object) -> Schema:
    return {"type": "string", **keywords}


ANY = Leaf("Any", "any", dict.fromkeys(JSON_TYPES, 10), _whatever)
STR = Leaf("str", "str", {str: 9}, _exactly("str", str), str, own_schema=_text())
INT = Leaf("int", "int", {int: 2, float: 5}, _to_int, int, own_schema={"type": "integer"})
FLOAT = Leaf("float", "float", {float: 2, int: 5}, _to_float, float, own_schema={"type": "number"})
BYTES = Leaf(
    "bytes",
    "str",
    {str: 7},
    _to_bytes,
    own_schema=_text(contentEncoding="base64", pattern=notations.exactly(notations.BASE64)),
)
DECIMAL = Leaf(
    "Decimal",
    "decimal",
    {str: 4, int: 6, float: 6},
    _to_decimal,
    own_schema={"anyOf": [_text(pattern=notations.exactly(notations.DECIMAL)), {"type": "integer"}]},
)
_PATHS = (Path, PurePath, PosixPath, PurePosixPath, PureWindowsPath)


def _json_type(kind: type, form: str, turn: int, **keywords: object) -> Leaf:
    name = "null" if kind is NoneType else kind.__name__
    return Leaf(name, form, {kind: turn}, _exactly(name, kind), kind, own_schema=keywords)


LEAVES: dict[Any, Leaf] = {
    Any: ANY,
    object: ANY,
    str: STR,
    int: INT,
    float: FLOAT,
    bool: _json_type(bool, "bool", 2, type="boolean"),
    None: (NULL := _json_type(NoneType, "null", 0, type="null")),
    NoneType: NULL,
    list: _json_type(list, "array of any", 4, type="array"),
    dict: _json_type(dict, "object of any", 6, type="object", additionalProperties=True),
    typing.LiteralString: STR,
    bytes: BYTES,
    bytearray: made_from(bytearray, BYTES),
    Decimal: DECIMAL,
    **{
        kind: Leaf(kind.__name__, kind.__name__, {str: 3}, _written(kind), own_schema=_text(**keywords))
        for kind, keywords in notations.WRITTEN.items()
    },
    **{path: made_from(path, STR) for path in _PATHS},
}


def _lax(exact: Leaf, read: Callable[[str], object], pattern: str) -> Leaf:
    """Return the shape that also takes text, unless something in a union has more of a claim to it."""

    def convert(value: object) -> object:
        if type(value) is str and re.fullmatch(pattern, value):
            return read(value)
        return exact.convert(value)

    return Leaf(
        exact.name,
        f"lax {exact.form}",
        {**exact.accepts, str: 11},
        convert,
        own_schema={"anyOf": [exact.own_schema, _text(pattern=notations.exactly(pattern))]},
    )


LAX_LEAVES: dict[Any, Leaf] = {
    **LEAVES,
    int: _lax(INT, int, notations.INTEGER),
    float: _lax(FLOAT, float, notations.NUMBER),
    bool: _lax(LEAVES[bool], lambda text: text.lower() == "true", notations.BOOLEAN),
}
"""The same where text may stand for a number or a boolean."""


def _integer_key(value: object) -> object:
    if type(value) is str and _INTEGER_KEY.fullmatch(value):
        return int(value)
    raise Misfit.reading("int", value)


INT_KEY = Leaf(
    "int", "int", {str: 3}, _integer_key, own_schema=_text(pattern=notations.exactly(notations.INTEGER_KEY))
)
"""An int as the key of a JSON object, where it is text."""
