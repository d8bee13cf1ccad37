"""The same bytes for `def` and `async def`, on asyncio and on trio: every kind of input and of output."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import input_cases
import output_cases
import pytest
from input_cases import Json  # noqa: F401 - one of the annotations names it

from anyworker import Task, Worker
from anyworker.errors import ConversionError
from anyworker.options import resolve_all
from anyworker.policy.outcome import Draft, Sent, to_result
from anyworker.runner.assembly import executor_of
from anyworker.runner.in_hand import Execution
from anyworker.runner.threads import thread_runner

MODES = [(backend, is_async) for backend in ("asyncio", "trio") for is_async in (False, True)]


def in_mode(function: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    """Return a function of the same parameters that does the same, plain or asynchronous."""

    def plain(x: object) -> object:
        return function(x)

    async def asynchronous(x: object) -> object:
        return function(x)

    made = asynchronous if is_async else plain
    made.__annotations__ = function.__annotations__
    return made


async def sent(function: Callable[..., Any], given: dict[str, Any]) -> bytes:
    """Return the update that a task ends with."""
    worker = Worker("work", function)
    executor = executor_of(resolve_all([worker], {}).workers[0], thread_runner())
    task = Task(task_id="t", workflow_instance_id="w", input_data=given)
    execution = Execution(Draft.of(task, "me"), 1)
    with anyio.CancelScope() as scope:
        outcome = await executor.execute(execution, scope)
    assert isinstance(outcome, Sent)
    result = to_result(outcome, execution.draft, now_ms=lambda: 0)
    return (await executor.packer.pack(result, 1, execution.draft)).body


def updates(function: Callable[..., Any], given: dict[str, Any]) -> Iterator[bytes]:
    for backend, is_async in MODES:
        yield anyio.run(sent, in_mode(function, is_async=is_async), given, backend=backend)


def update(status: str, *, output: dict[str, Any] | None = None, reason: str | None = None) -> bytes:
    """Return the bytes of a result, spelled out here by the standard library."""
    said: dict[str, Any] = {"workflowInstanceId": "w", "taskId": "t", "status": status}
    said |= {"outputData": output} if output else {}
    said |= {"reasonForIncompletion": reason} if reason else {}
    said |= {"workerId": "me"}
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
    return text.replace("e+", "e").encode()  # both are how JSON may write an exponent


@pytest.mark.parametrize(("annotation", "given", "expected"), input_cases.ACCEPTED)
def test_input_is_the_same_value_in_every_mode(annotation: Any, given: object, expected: object) -> None:
    received: list[object] = []

    def work(x: object) -> str:
        received.append(x)
        return type(x).__name__

    work.__annotations__ = {"x": annotation, "return": str}
    output = {"result": type(expected).__name__}
    assert list(updates(work, {"x": given})) == [update("COMPLETED", output=output)] * 4
    assert received == [expected] * 4


@pytest.mark.parametrize(("annotation", "given", "problems"), input_cases.REFUSED)
def test_input_is_refused_for_good_with_the_same_reason_in_every_mode(
    annotation: Any, given: object, problems: list[str]
) -> None:
    def work(x: object) -> None:
        raise AssertionError(x)

    work.__annotations__ = {"x": annotation}
    expected = update("FAILED_WITH_TERMINAL_ERROR", reason=str(ConversionError(problems)))
    assert list(updates(work, {"x": given})) == [expected] * 4


@pytest.mark.parametrize(
    ("value", "output"),
    [
        *(({"x": [value]}, {"x": [written]}) for value, written in output_cases.NESTED),
        *output_cases.TOP_LEVEL,
    ],
)
def test_output_is_the_same_bytes_in_every_mode(value: object, output: dict[str, Any]) -> None:
    def work(x: object) -> object:
        return value

    bodies = list(updates(work, {"x": None}))
    assert bodies == bodies[:1] * 4
    assert bodies[0] == update("COMPLETED", output=output)


@pytest.mark.parametrize(("value", "message"), output_cases.REFUSED)
def test_output_is_refused_with_the_same_reason_in_every_mode(value: object, message: str) -> None:
    def work(x: object) -> object:
        return value

    failures = [json.loads(body) for body in updates(work, {"x": None})]
    assert failures == [failures[0]] * 4
    assert failures[0]["status"] == "FAILED"
    assert failures[0]["reasonForIncompletion"] == f"the output cannot be sent: {message}"
    assert "outputData" not in failures[0]
