"""Values through a real server: what a worker returns is what another gets, and what cannot be is refused."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import anyio
import pytest

import anyworker
from anyworker import Configuration, TaskDef, Worker
from anyworker.client import ConductorClient
from anyworker.conductor.models import Workflow, WorkflowDef, WorkflowTask

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)


class Color(Enum):
    RED = "red"


@dataclass
class Parcel:
    """One of every kind that a server might change on its way."""

    number: int
    small: int
    weight: float
    whole: float
    price: Decimal
    at: datetime
    takes: timedelta
    id: uuid.UUID
    label: bytes
    text: str
    colors: list[Color]
    by_number: dict[int, "str | None"]
    tags: frozenset[str]
    inner: "Parcel | None" = None


def parcel(inner: Parcel | None = None) -> Parcel:
    return Parcel(
        number=2**70 + 1,
        small=-(2**53) - 1,
        weight=0.1 + 0.2,
        whole=1e22,
        price=Decimal("1.50"),
        at=datetime(2024, 2, 29, 12, 30, 0, 5, tzinfo=UTC),
        takes=timedelta(days=1, microseconds=1),
        id=uuid.UUID(int=7),
        label=b"\x00\xff",
        text="\\u0000 é \U0001f600 \x01 null",
        colors=[Color.RED],
        by_number={-1: None, 10**20: ""},
        tags=frozenset({"a"}),  # one, as the order of more is no part of a set, but of its repr
        inner=inner,
    )


async def play(url: str, *functions: Callable[..., Any]) -> Workflow:
    """Run functions one after the other, each with the output of the one before as ``given``."""
    name = f"values-{uuid.uuid4().hex}"
    workers = [Worker(f"{name}-{place}", function) for place, function in enumerate(functions)]
    tasks = [
        WorkflowTask(
            name=worker.task_definition_name,
            task_reference_name=f"step{place}",
            input_parameters={"given": f"${{step{place - 1}.output}}"} if place else {},
        )
        for place, worker in enumerate(workers)
    ]
    configuration = Configuration(server_api_url=url)
    with anyio.fail_after(60):
        async with (
            anyworker.serving(*workers, configuration=configuration),
            ConductorClient(configuration) as client,
        ):
            definitions = [TaskDef(name=worker.task_definition_name, retry_count=0) for worker in workers]
            await client.register_task_defs(definitions)
            await client.register_workflow_def(WorkflowDef(name=name, tasks=tasks), overwrite=True)
            return await client.wait_for_workflow(await client.start_workflow(name, {}))


async def test_what_one_worker_returns_is_what_the_next_one_gets(conductor_url: str) -> None:
    received: list[Parcel] = []

    def send() -> Parcel:
        return parcel(inner=parcel())

    async def receive(given: Parcel) -> str:
        received.append(given)
        return "thanks"

    workflow = await play(conductor_url, send, receive)
    assert workflow.status == "COMPLETED", workflow.reason_for_incompletion
    assert received == [parcel(inner=parcel())]
    assert repr(received[0]) == repr(parcel(inner=parcel()))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": ["x\x00"]}, "the output cannot be sent: $.a[0]: the character U+0000"),
        ({"a": float("nan")}, "the output cannot be sent: $.a: nan is no JSON number"),
        ("x" * 10_485_749, "the output cannot be sent: $: the output has 10.5 MB (10485762 bytes)"),
    ],
    ids=["U+0000", "NaN", "size"],
)
async def test_what_the_server_cannot_hold_fails_its_workflow_with_the_reason(
    conductor_url: str, value: object, reason: str
) -> None:
    workflow = await play(conductor_url, lambda: value)
    assert workflow.status == "FAILED"
    [task] = workflow.tasks
    assert task.status == "FAILED"
    assert (task.reason_for_incompletion or "").startswith(reason)


async def test_the_largest_output_that_is_allowed_is_taken(conductor_url: str) -> None:
    workflow = await play(conductor_url, lambda: "x" * 10_485_747)
    assert workflow.status == "COMPLETED", workflow.reason_for_incompletion
