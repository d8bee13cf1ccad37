"""Bodies as models: unknown fields ignored, nulls as absent fields, payloads untouched.

The fast path is one typed pass of msgspec. Only a body that it refuses is looked at field by field.
"""

import json
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from anyworker.conductor.answers import Request, not_json_error
from anyworker.conductor.exchange import Answer
from anyworker.conductor.models import Task

T = TypeVar("T")

DECODING_FAILURES = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a body that it refuses."""

logger = logging.getLogger(__name__)


class ModelDecoder(Generic[T]):
    """Decode bodies of one type."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def decode(self, answer: Answer, request: Request) -> T:
        """Return the body as a model.

        Raises:
            UnexpectedAnswerError: The body is not JSON, or not of this shape even without its nulls.
        """
        try:
            return self._decode(answer.body)
        except DECODING_FAILURES:
            pass
        raw = decode_any(answer, request)
        try:
            return convert(raw, self._kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise not_json_error(answer, request, str(error)) from None


TASKS = msgspec.json.Decoder(list[Task]).decode
"""The fast path of a poll."""
TASK = msgspec.json.Decoder(Task).decode
"""The fast path of update-v2."""


def salvaged_tasks(answer: Answer, request: Request) -> list[Task]:
    """Return what can be read of a poll's answer that the fast path refused.

    Its tasks are in progress now, so one bad value must not cost them all. A task definition that cannot be
    read is left out, a task that cannot be read is logged.

    Raises:
        UnexpectedAnswerError: The body is not JSON or no list, or none of the tasks can be read.
    """
    raw = decode_any(answer, request)
    if not isinstance(raw, list):
        raise not_json_error(answer, request, f"Expected `array`, got `{type(raw).__name__}`")
    tasks, problems = [], []
    for index, item in enumerate(raw):
        try:
            tasks.append(_patient_task(item))
        except (msgspec.ValidationError, RecursionError) as error:
            text = str(error) if "`$" in str(error) else f"{error} - at `$`"
            problems.append(text.replace("`$", f"`$[{index}]"))
    if problems and not tasks:
        raise not_json_error(answer, request, problems[0])
    for trouble in problems:
        logger.error("%s %s brought a task that cannot be read: %s", request.method, request.path, trouble)
    return tasks


def salvaged_task(answer: Answer, request: Request) -> Task:
    """Return the task of an answer that the fast path refused; it is in progress now.

    Raises:
        UnexpectedAnswerError: The body is not JSON, or no task.
    """
    raw = decode_any(answer, request)
    try:
        return _patient_task(raw)
    except (msgspec.ValidationError, RecursionError) as error:
        raise not_json_error(answer, request, str(error)) from None


def _patient_task(raw: object) -> Task:
    try:
        return convert(raw, Task)
    except msgspec.ValidationError:
        if not isinstance(raw, dict) or "taskDefinition" not in raw:
            raise
    # It only informs; a word in it that we do not know must not cost the task.
    return convert({**raw, "taskDefinition": None}, Task)


def decode_any(answer: Answer, request: Request) -> Any:
    """Return a body as plain values.

    Raises:
        UnexpectedAnswerError: The body is not JSON.
    """
    try:
        # More patient than msgspec: a lone surrogate in one task's input must not cost the whole poll.
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise not_json_error(answer, request, f"not JSON: {error}") from None


def convert(raw: object, kind: type[T]) -> T:
    """Return plain values as a model, nulls counting as absent fields.

    Raises:
        msgspec.ValidationError: They have another shape.
    """
    return msgspec.convert(_without_nulls(raw, _type_of(cast("Any", kind))), kind, strict=False)


@cache
def _type_of(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _without_nulls(raw: object, kind: inspect.Type) -> object:
    match kind, raw:
        case inspect.StructType(), Mapping():
            return _struct_without_nulls(raw, kind)
        case inspect.ListType(), list():
            return [_without_nulls(item, kind.item_type) for item in raw if item is not None]
        case inspect.DictType(value_type=value_type), Mapping() if not isinstance(
            value_type, inspect.AnyType
        ):
            return {key: _without_nulls(item, value_type) for key, item in raw.items() if item is not None}
        case inspect.UnionType(), _ if (struct := _struct_in(kind)) is not None:
            return _without_nulls(raw, struct)
        case _:
            return raw


def _struct_without_nulls(raw: Mapping[Any, object], kind: inspect.StructType) -> dict[str, object]:
    return {
        field.encode_name: _without_nulls(value, field.type)
        for field in kind.fields
        if (value := raw.get(field.encode_name)) is not None
    }


def _struct_in(kind: inspect.UnionType) -> inspect.StructType | None:
    return next((member for member in kind.types if isinstance(member, inspect.StructType)), None)
