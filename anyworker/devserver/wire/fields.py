"""Fields of a JSON body as the server takes them: what is coerced, and what it says to the rest."""

from collections.abc import Sequence
from typing import Any

import attrs

from anyworker.devserver.wire.errors import RequestRefused
from anyworker.devserver.wire.java import as_text, trimmed
from anyworker.devserver.wire.jsontext import parse_error

ANY = "java.lang.Object"
METADATA = "com.netflix.conductor.common.metadata"
_PRIMITIVE = {"java.lang.Integer": "int", "java.lang.Long": "long"}
_BITS = {"int": 31, "long": 63}
_NOTHING = frozenset({"", "null"})
"""Texts that stand for no number and no boolean."""
_ELEMENT = "element of `{}`"
_LONGEST_NUMBER = 19
"""Digits of a text that may be a number."""


def _map_of(kind: str) -> str:
    return f"java.util.LinkedHashMap<java.lang.String,{kind}>"


def _list_of(cls: str) -> str:
    return f"java.util.ArrayList<{cls}>"


def _not_valid(kind: str, value: object) -> RequestRefused:
    return parse_error(
        f'Cannot deserialize value of type `{kind}` from String "{value}": not a valid `{kind}` value'
    )


def _out_of_range(kind: str, number: float) -> RequestRefused:
    limit = 2 ** _BITS[kind]
    return parse_error(f"Numeric value ({number}) out of range of {kind} ({-limit} - {limit - 1})")


def _overflow(kind: str, text: str) -> RequestRefused:
    limit = 2 ** _BITS[_PRIMITIVE.get(kind, kind)]
    shown = f"`{kind}`" if kind in _PRIMITIVE else kind
    return parse_error(
        f'Cannot deserialize value of type `{kind}` from String "{text}": '
        f"Overflow: numeric value ({text}) out of range of {shown} ({-limit} -{limit - 1})"
    )


def _no_index(cls: str, number: int, count: int) -> RequestRefused:
    return parse_error(
        f"Cannot deserialize value of type `{cls}` from number {number}: "
        f"index value outside legal index range [0..{count - 1}]"
    )


def _no_flag(kind: str, value: str) -> RequestRefused:
    told = '"true" or "false"'
    if kind == "boolean":
        told = '"true"/"True"/"TRUE" or "false"/"False"/"FALSE"'
    return parse_error(
        f'Cannot deserialize value of type `{kind}` from String "{value}": only {told} recognized'
    )


def _mismatch(expected: str, value: object) -> RequestRefused:
    return parse_error(f"Cannot deserialize value of type `{expected}` from {_kind(value)}")


def _kind(value: object) -> str:
    match value:
        case bool():
            return f"Boolean value (token `JsonToken.VALUE_{str(value).upper()}`)"
        case int():
            return "Integer value (token `JsonToken.VALUE_NUMBER_INT`)"
        case float():
            return "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"
        case str():
            return "String value (token `JsonToken.VALUE_STRING`)"
        case list():
            return "Array value (token `JsonToken.START_ARRAY`)"
        case _:
            return "Object value (token `JsonToken.START_OBJECT`)"


def _no_constructor(cls: str, value: object, place: str = "`{}` value") -> RequestRefused:
    """Refuse a scalar where an object of a class belongs."""
    match value:
        case bool():
            form, given = "boolean/Boolean", f"boolean value ({str(value).lower()})"
        case int():
            form, given = _integer_form(value), f"Number value ({value})"
        case float():
            form, given = "double/Double", f"Number value ({as_text(value)})"
        case str() if not trimmed(value):
            return parse_error(
                f'Cannot coerce empty String ("") to {place.format(cls)} '
                "(but could if coercion was enabled using `CoercionConfig`)"
            )
        case _:
            form, given = "String", f"String value ('{trimmed(str(value))}')"
    return parse_error(
        f"Cannot construct instance of `{cls}` (although at least one Creator exists): "
        f"no {form}-argument constructor/factory method to deserialize from {given}"
    )


def _integer_form(number: int) -> str:
    if -(2**31) <= number < 2**31:
        return "int/Int"
    return "long/Long" if -(2**63) <= number < 2**63 else "BigInteger"


def record(value: object, cls: str) -> dict[str, Any]:
    """Take an object of a class of the server's, named by its full name."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        raise _mismatch(cls, value)
    raise _no_constructor(cls, value)


def records(value: object, cls: str) -> list[Any]:
    """Take a list of objects of a class; the items are not looked at."""
    if not isinstance(value, list):
        raise _mismatch(_list_of(cls), value)
    return value


def mapping(value: object, kind: str = ANY) -> dict[str, Any] | None:
    """Take an object with any keys and values, or null; its values are not looked at."""
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, str):
        raise _no_constructor("java.util.LinkedHashMap", value, _ELEMENT)
    raise _mismatch(_map_of(kind), value)


def texts(value: object) -> list[str | None] | None:
    """Take a list of texts, which may be null, or null."""
    if value is None:
        return None
    if isinstance(value, str):
        raise _no_constructor("java.util.ArrayList", value, _ELEMENT)
    if not isinstance(value, list):
        raise _mismatch(_list_of("java.lang.String"), value)
    return [text(item) for item in value]


def text(value: object) -> str | None:
    """Take a text, or a scalar as its text, or null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise _mismatch("java.lang.String", value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def whole(value: object, kind: str = "int") -> int | None:
    """Take a whole number, also as text; a fraction is cut off; null, also as text, stays null.

    Args:
        value: What JSON gave.
        kind: The Java type: ``int``, ``long``, ``java.lang.Integer`` or ``java.lang.Long``.
    """
    match value:
        case None:
            return None
        case str():
            return _whole_of_text(trimmed(value), kind)
        case int() | float() if not isinstance(value, bool):
            primitive = _PRIMITIVE.get(kind, kind)
            limit = 2 ** _BITS[primitive]
            if not -limit <= value < limit:
                raise _out_of_range(primitive, value)
            return int(value)
    raise _mismatch(kind, value)


def _whole_of_text(text: str, kind: str) -> int | None:
    if text in _NOTHING:
        return None
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER):
        raise _not_valid(kind, text)
    number, limit = int(text), 2 ** _BITS[_PRIMITIVE.get(kind, kind)]
    if not -limit <= number < limit:
        raise _overflow(kind, text)
    return number


def flag(value: object, kind: str = "boolean") -> bool | None:
    """Take a boolean, also as text or whole number; null, also as text, stays null.

    Args:
        value: What JSON gave.
        kind: The Java type: ``boolean`` or ``java.lang.Boolean``.
    """
    match value:
        case None | bool():
            return value
        case int():
            return value != 0
        case str():
            return _flag_of_text(trimmed(value), kind)
    raise _mismatch(kind, value)


def _flag_of_text(text: str, kind: str) -> bool | None:
    match text:
        case "" | "null":
            return None
        case "true" | "True" | "TRUE":
            return True
        case "false" | "False" | "FALSE":
            return False
    raise _no_flag(kind, text)


@attrs.frozen
class Choice:
    """An enum of the server's."""

    cls: str
    names: Sequence[str]
    """In declaration order: a number in JSON is an index into it."""
    shown: Sequence[str] = ()
    """In the order of the error message, where that differs."""

    def take(self, value: object) -> str | None:
        """Take a name of the enum, or the index of one, or null."""
        match value:
            case None:
                return None
            case str():
                return self._take_text(trimmed(value))
            case int() if not isinstance(value, bool):
                return self._take_index(value)
        raise _mismatch(self.cls, value)

    def _take_text(self, text: str) -> str:
        if text in self.names:
            return text
        if not text:
            raise _no_constructor(self.cls, text)
        if text.isascii() and text.isdigit() and int(text) < len(self.names):
            return self.names[int(text)]
        raise self._unknown(text)

    def _take_index(self, number: int) -> str:
        whole(number)
        if not 0 <= number < len(self.names):
            raise _no_index(self.cls, number, len(self.names))
        return self.names[number]

    def _unknown(self, value: str) -> RequestRefused:
        return parse_error(
            f'Cannot deserialize value of type `{self.cls}` from String "{value}": not one of the '
            f"values accepted for Enum class: [{', '.join(self.shown or self.names)}]"
        )


RESULT_STATUS = Choice(
    f"{METADATA}.tasks.TaskResult$Status",
    ("IN_PROGRESS", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "COMPLETED", "CANCELED"),
    ("CANCELED", "COMPLETED", "FAILED_WITH_TERMINAL_ERROR", "FAILED", "IN_PROGRESS"),
)
RETRY_LOGIC = Choice(
    f"{METADATA}.tasks.TaskDef$RetryLogic", ("FIXED", "EXPONENTIAL_BACKOFF", "LINEAR_BACKOFF")
)
TASK_TIMEOUT_POLICY = Choice(
    f"{METADATA}.tasks.TaskDef$TimeoutPolicy", ("RETRY", "TIME_OUT_WF", "ALERT_ONLY")
)
WORKFLOW_TIMEOUT_POLICY = Choice(
    f"{METADATA}.workflow.WorkflowDef$TimeoutPolicy", ("TIME_OUT_WF", "ALERT_ONLY")
)
SCHEMA_TYPE = Choice(f"{METADATA}.SchemaDef$Type", ("JSON", "AVRO", "PROTOBUF"))
IDEMPOTENCY = Choice(
    f"{METADATA}.workflow.IdempotencyStrategy",
    ("FAIL", "RETURN_EXISTING", "FAIL_ON_RUNNING"),
    ("FAIL_ON_RUNNING", "RETURN_EXISTING", "FAIL"),
)
