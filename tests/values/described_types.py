"""Types and their schemas, as tests write them."""

import dataclasses
from collections.abc import Callable
from enum import Enum, Flag
from typing import Any, NamedTuple, NotRequired, TypedDict

import attrs
import jsonschema
import msgspec

from anyworker.context import TaskInProgress
from anyworker.values.resolve import resolve_call
from anyworker.values.returns import resolve_return
from anyworker.values.schema import DRAFT, input_schema, output_schema

STRING, INTEGER, NUMBER, NULL = ({"type": kind} for kind in ("string", "integer", "number", "null"))


@dataclasses.dataclass
class OrderInfo:
    order_id: str
    amount: float
    customer_id: int


@dataclasses.dataclass
class Node:
    """A tree.

    Attributes:
        value: What it
            holds.
    """

    value: int
    below: "list[Node]"


@attrs.frozen
class Account:
    owner: str
    limit: int = 0


class Struct(msgspec.Struct, tag="struct", rename="camel"):
    first_name: str


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Color(Enum):
    RED = "red"
    BLUE = 2


class Access(Flag):
    READ = 1
    WRITE = 4


@dataclasses.dataclass
class Kept:
    a: int
    b: int = dataclasses.field(init=False, default=0)
    factor: dataclasses.InitVar[int] = 1


def written(function: Callable[..., object], **settings: bool) -> dict[str, Any]:
    schema = input_schema(resolve_call(function, **settings))
    jsonschema.Draft7Validator.check_schema(schema)
    return schema


def of_parameter(annotation: Any) -> Any:
    def function(x: object) -> None: ...

    function.__annotations__["x"] = annotation
    return written(function)["properties"]["x"]


def of_return(annotation: Any, **settings: bool) -> dict[str, Any]:
    def function() -> object: ...

    function.__annotations__["return"] = annotation
    schema = output_schema(resolve_return(function, ignored=(TaskInProgress,), **settings))
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema.pop("$schema") == DRAFT
    return schema


def an_object(required: list[str], *, is_open: bool = True, **properties: Any) -> dict[str, Any]:
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": is_open}


ORDER = an_object(["order_id", "amount", "customer_id"], order_id=STRING, amount=NUMBER, customer_id=INTEGER)
