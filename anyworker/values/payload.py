"""What a function returns, on its way to the server: an output object, then bytes that the server accepts."""

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any

import msgspec

from anyworker.conductor.models import TaskExecLog, TaskResult
from anyworker.errors import SerializationError
from anyworker.values.custom import custom_type, look_like_json
from anyworker.values.jsonable import DEPTH_LIMIT, DIGITS_LIMIT, KEY_LIMIT, fields_to_dict, to_jsonable

OUTPUT_LIMIT = 10 * 1024 * 1024
"""Bytes of output as JSON. The server answers 200 to more, and fails the task and its workflow."""


class _Sent(msgspec.Struct, rename="camel"):
    """A result as it is read back; the default is what is left out."""

    output_data: Any = {}


_encode = msgspec.json.Encoder().encode
_refuse_long_ints = msgspec.msgpack.Encoder().encode
"""msgpack has no ints beyond 64 bits."""
_decode = msgspec.json.Decoder().decode
_decode_sent = msgspec.json.Decoder(_Sent).decode
_CONTAINERS = frozenset({dict, list})
_PLAIN_TYPES = frozenset({str, int, bool, NoneType})
_GLANCE = 8
"""Members of an output that are looked at one by one rather than read back."""
_SHORT = 1000
"""Bytes of a result whose output is measured by encoding it once more: quicker than looking where it ends."""
_BEFORE_OUTPUT, _AFTER_OUTPUT = b'"outputData":', b',"workerId":"'
_JSON_TYPES = _CONTAINERS | {str, int, float, bool, NoneType}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def to_output(value: object) -> dict[str, Any]:
    """Return the output object for what a function returned.

    A dict is the output, also one that a registered type is encoded as; the fields of a dataclass, attrs
    instance, Struct, NamedTuple or pydantic model are its members; everything else, None too, is the member
    ``result``.

    Raises:
        SerializationError: A model that cannot dump itself, a field or member that cannot be read.
    """
    if type(value) is dict:
        return value
    if value is None or type(value) in _JSON_TYPES:
        return {"result": value}
    if hasattr(type(value), "model_dump") or custom_type(type(value)) is not None:
        dumped = to_jsonable(value)
        return dumped if isinstance(dumped, dict) else {"result": dumped}
    if isinstance(value, dict):
        return value
    try:
        members = dict(value) if isinstance(value, Mapping) else fields_to_dict(value)
    except Exception as error:
        raise SerializationError("$", f"the output cannot be read: {error!r}") from error
    return {"result": value} if members is None else members


def is_opened_by_its_class(value: object) -> bool:
    """Whether `to_output` asks the value for all its parts: a model, a registered type, a mapping."""
    kind = type(value)
    if kind is dict or kind in _JSON_TYPES:
        return False
    return hasattr(kind, "model_dump") or custom_type(kind) is not None or isinstance(value, Mapping)


def encode_result(result: TaskResult, *, output_limit: int | None = OUTPUT_LIMIT) -> bytes:
    """Return the JSON of a whole result, certain to be stored by the server as it is.

    Reason and log never stand in the way: what cannot be stored in them is written as an escape.

    Args:
        result: Output of any values that ``to_jsonable`` knows.
        output_limit: The most bytes of output, None for any number.

    Raises:
        SerializationError: A part of the output has no place in JSON or on the server, or it is too large.
    """
    output = result.output_data
    body = _encode_unaltered(result) if _has_plain_texts(result) else None
    if body is None:
        # The annotation says dict; users fill results in by hand all the same.
        output = {} if output is None else to_jsonable(to_output(output))  # type: ignore[redundant-expr,assignment]
        body = _encode(_storable(result, output))
    # As the server counts, four bytes may be twelve.
    if output_limit is not None and len(body) > output_limit // 3:
        _check_size(output, output_limit)
    return body


def output_size(result: TaskResult, body: bytes) -> int:
    """Return how many bytes of an encoded result are its output."""
    if len(body) < _SHORT and _is_plain(result.output_data):
        return len(_encode(result.output_data))
    if result.worker_id is not None and result.reason_for_incompletion is None:
        # No text holds its neighbours: quotes are escaped there. Of all members the last one is a result's.
        start, end = body.find(_BEFORE_OUTPUT), body.rfind(_AFTER_OUTPUT)
        if 0 < start < end and not result.callback_after_seconds:
            return end - start - len(_BEFORE_OUTPUT)
    return _sizes(result, body)[0]


def size_on_server(result: TaskResult, body: bytes) -> int:
    """Return how many bytes the output of an encoded result has when the server writes it, floats apart."""
    size, longer = _sizes(result, body)
    return size + longer


def _sizes(result: TaskResult, body: bytes) -> tuple[int, int]:
    envelope = _encode(_storable(result, {}))
    if len(body) == len(envelope):  # an empty output is left out
        return 2, 0
    return len(body) - len(envelope) - len('"outputData":,'), _lengthening(body) - _lengthening(envelope)


def _encode_unaltered(result: TaskResult) -> bytes | None:
    """Encode at C speed; return None unless that says it all and the server can hold it.

    What reads back equal was JSON before: NaN does not (it becomes null), nor do keys that are no text, keys
    that collide, ints of too many digits, sets, and objects that need a form of their own.
    """
    try:
        body = _encode(result)
        if b"\\u0000" in body:
            return None
        output = result.output_data
        if not _is_plain(output):
            if look_like_json():
                return None
            output = _decode_sent(body).output_data
            if output != result.output_data or type(output) is not dict:
                return None
        if len(body) > DIGITS_LIMIT:
            _refuse_long_ints(output)
    except Exception:  # noqa: BLE001 - a user's __eq__ may raise anything; the slow way knows what is wrong
        return None
    if len(body) < 2 * DEPTH_LIMIT or _is_within_limits(output, body):
        return body
    return None


def _is_plain(output: object) -> bool:
    """Tell at a glance whether an output is a short dict of values that JSON has as they are."""
    if type(output) is not dict or len(output) > _GLANCE:
        return False
    for key, value in output.items():  # noqa: SIM110 - a generator would take twice as long
        if type(key) is not str or type(value) not in _PLAIN_TYPES:
            return False
    return True


def _is_within_limits(output: object, body: bytes) -> bool:
    """Look level by level whether the nesting is too deep or a key too long."""
    if len(body) <= KEY_LIMIT and body.count(b"{") + body.count(b"[") <= DEPTH_LIMIT:
        return True
    level: list[Any] = [output]
    for _ in range(DEPTH_LIMIT):
        objects = [container for container in level if type(container) is dict]
        if max((len(key) for container in objects for key in container), default=0) > KEY_LIMIT:
            return False
        below = [value for container in objects for value in container.values() if type(value) in _CONTAINERS]
        below += [
            value
            for container in level
            if type(container) is list
            for value in container
            if type(value) in _CONTAINERS
        ]
        if not below:
            return True
        level = below
    return False


def _has_plain_texts(result: TaskResult) -> bool:
    reason = result.reason_for_incompletion
    if reason is not None and type(reason) is not str:
        return False
    lines = result.logs
    return not lines or all(type(line) is TaskExecLog and type(line.log) is str for line in lines)


def _storable(result: TaskResult, output: dict[str, Any]) -> TaskResult:
    reason = result.reason_for_incompletion
    return msgspec.structs.replace(
        result,
        output_data=output,
        reason_for_incompletion=None if reason is None else storable_text(reason),
        logs=[_storable_line(line) for line in result.logs],
    )


def _storable_line(line: object) -> TaskExecLog:
    if isinstance(line, TaskExecLog):
        return msgspec.structs.replace(line, log=storable_text(line.log))
    return TaskExecLog(log=storable_text(line))


def storable_text(text: object) -> str:
    """Return a text with escapes in the place of what the server cannot store."""
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def _check_size(output: dict[str, Any], limit: int) -> None:
    """Refuse an output that has more bytes than the limit when the server writes it, in its own way.

    A character beyond the BMP has four bytes here and twelve there. A float may be up to three longer there
    (``1e-7`` is ``1.0E-7``, ``12345678.5`` is ``1.23456785E7``).
    """
    encoded = _encode(output)
    size = len(encoded) + _lengthening(encoded)
    if size <= limit < 2 * size:
        size += 3 * _count_long_floats(output)
    if size > limit:
        reason = (
            f"the output has {size / 1e6:.1f} MB ({size} bytes), above output_limit_kb={limit / 1024:g}: "
            "store it elsewhere and return where it is"
        )
        raise SerializationError("$", reason)


def _lengthening(body: bytes) -> int:
    """Return how many bytes more the server's form has: characters beyond the BMP are two escapes there."""
    return 8 * sum(body.count(lead) for lead in (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4"))


def _count_long_floats(output: dict[str, Any]) -> int:
    """Return how many floats the server writes with an exponent."""
    count = 0
    waiting: list[Any] = [output]
    while waiting:
        container = waiting.pop()
        values = container.values() if type(container) is dict else container
        count += sum(1 for value in values if type(value) is float and value and not 1e-3 <= abs(value) < 1e7)
        waiting += [value for value in values if type(value) in _CONTAINERS]
    return count
