"""Task definitions and schemas come to the server while the workers poll already."""

import math
from typing import Any

import anyio
import httpx
import pytest
from registering import Hearing, charge, charging, definition, on_server, operator_sets, registered
from stage import Hook, stage

from anyworker import Task, TaskDef, Worker
from anyworker.devserver import DevServer
from anyworker.errors import NotFoundError
from anyworker.events import TaskDefRegistered, TaskDefRegistrationFailure

pytestmark = pytest.mark.virtual_time


async def test_new_definition_has_what_the_code_says_and_the_servers_defaults() -> None:
    server = DevServer()
    event = await registered(server, charging(TaskDef(name="any", retry_count=7)))
    assert isinstance(event, TaskDefRegistered)
    assert (event.task_type, event.outcome, event.has_schema_registry) == ("charge", "created", False)
    found = await definition(server)
    assert (found["retryCount"], found["retryDelaySeconds"]) == (7, 60)
    assert found["inputSchema"]["name"] == "charge_input"
    assert found["inputSchema"]["data"]["required"] == ["order"]
    assert found["outputSchema"]["name"] == "charge_output"


async def test_overwriting_keeps_what_the_operator_set_and_the_code_does_not() -> None:
    server = DevServer()
    await operator_sets(server, retry_count=9, timeout_seconds=90, response_timeout_seconds=45)
    event = await registered(server, charging(TaskDef(name="charge", retry_count=3)))
    assert isinstance(event, TaskDefRegistered)
    assert event.outcome == "updated"
    assert set(event.changed_fields) == {"retryCount", "inputSchema", "outputSchema"}
    found = await definition(server)
    # Three is the server's default, and said all the same.
    assert (found["retryCount"], found["timeoutSeconds"], found["responseTimeoutSeconds"]) == (3, 90, 45)


async def test_second_start_changes_nothing() -> None:
    server = DevServer()
    await registered(server, charging(TaskDef(name="charge", retry_count=3)))
    before = await definition(server)
    event = await registered(server, charging(TaskDef(name="charge", retry_count=3)))
    assert isinstance(event, TaskDefRegistered)
    assert event.outcome == "unchanged"
    assert await definition(server) == before


async def test_without_overwriting_the_servers_definition_is_kept() -> None:
    server = DevServer()
    await operator_sets(server, retry_count=9)
    before = await definition(server)
    worker = charging(TaskDef(name="charge", retry_count=3), overwrite_task_def=False)
    event = await registered(server, worker)
    assert isinstance(event, TaskDefRegistered)
    assert event.outcome == "kept"
    assert await definition(server) == before


@pytest.mark.parametrize("overwrite", [True, False])
async def test_what_was_created_is_told_once(overwrite: bool) -> None:
    hearing = Hearing()
    with anyio.fail_after(300):
        async with stage(charging(overwrite_task_def=overwrite), event_listeners=[hearing], inline=True):
            await anyio.sleep(60)
    assert [event.outcome for event in hearing.events if isinstance(event, TaskDefRegistered)] == ["created"]


async def test_schemas_go_to_the_registry_of_a_server_that_has_one() -> None:
    server = DevServer(flavor="orkes")
    event = await registered(server, charging(strict_schema=True))
    assert isinstance(event, TaskDefRegistered)
    assert event.has_schema_registry
    found = await definition(server)
    assert {"name": "charge_input", "version": 1, "type": "JSON"}.items() <= found["inputSchema"].items()
    assert "data" not in found["inputSchema"]
    schema = await on_server(server, lambda it: it.client.get_schema("charge_input", 1))
    assert schema.data["additionalProperties"] is False
    assert set(schema.data["properties"]) == {"order", "amount"}


async def test_schemas_of_the_registry_are_kept_without_overwriting() -> None:
    server = DevServer(flavor="orkes")
    await registered(server, charging())
    await registered(server, charging(function=lambda other: other, overwrite_task_def=False))
    schema = await on_server(server, lambda it: it.client.get_schema("charge_input", 1))
    assert set(schema.data["properties"]) == {"order", "amount"}


async def test_class_based_worker_is_registered_too() -> None:
    class Charge:
        task_definition_name = "charge"
        register_task_def = True

        def execute(self, task: Task) -> dict[str, Any]:
            return {}

    server = DevServer()
    event = await registered(server, Worker.of(Charge()))
    assert isinstance(event, TaskDefRegistered)
    assert (await definition(server))["inputSchema"]["data"]["properties"] == {}


async def test_contradiction_is_not_sent_and_names_both_values(caplog: pytest.LogCaptureFixture) -> None:
    server = DevServer()
    event = await registered(server, charging(TaskDef(name="charge", timeout_seconds=30)))
    assert isinstance(event, TaskDefRegistrationFailure)
    assert "responseTimeoutSeconds=3600" in str(event.cause)
    assert "timeoutSeconds=30" in caplog.text
    with pytest.raises(NotFoundError):
        await definition(server)


async def test_definition_that_is_no_json_fails_alone() -> None:
    event = await registered(DevServer(), charging(TaskDef(name="charge", input_template={"a": math.nan})))
    assert isinstance(event, TaskDefRegistrationFailure)
    assert "NaN" in str(event.cause)


async def test_worker_polls_while_the_registration_fails() -> None:
    hearing = Hearing()

    async def refuse(request: httpx.Request) -> httpx.Response | None:
        if "/metadata/" in request.url.path:
            return httpx.Response(400, json={"status": 400, "message": "not today"})
        return None

    with anyio.fail_after(300):
        async with stage(charging(), hook=refuse, event_listeners=[hearing], inline=True) as it:
            await hearing.heard.wait()
            await it.define("charge", name="flow")
            assert (await it.play({"order": "o"})).status in {"COMPLETED", "FAILED"}
    assert isinstance(hearing.events[0], TaskDefRegistrationFailure)
    assert "not today" in str(hearing.events[0].cause)


def closed_for(seconds: float, answer: httpx.Response | None) -> Hook:
    """Refuse what has to do with definitions for a while; None as the answer drops the connection."""
    opens_at = anyio.current_time() + seconds

    async def refuse(request: httpx.Request) -> httpx.Response | None:
        if anyio.current_time() >= opens_at or "/metadata/" not in request.url.path:
            return None
        if answer is None:
            message = "closed"
            raise httpx.ConnectError(message)
        return answer

    return refuse


def refusal(status: int) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "message": "not now"})


@pytest.mark.parametrize("answer", [None, refusal(500), refusal(429)], ids=["down", "500", "429"])
async def test_registration_waits_for_a_server_that_comes_later(answer: httpx.Response | None) -> None:
    server = DevServer()
    event = await registered(server, charging(), hook=closed_for(20, answer))
    assert isinstance(event, TaskDefRegistered)
    assert (await definition(server))["name"] == "charge"


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [(1000, None), (1000, refusal(500)), (30, refusal(401))],
    ids=["down", "500", "401"],
)
async def test_a_failure_that_was_told_may_be_mended_later(
    seconds: float, answer: httpx.Response | None
) -> None:
    server, hearing = DevServer(), Hearing()
    hook = closed_for(seconds, answer)
    with anyio.fail_after(3000):
        async with stage(charging(), server=server, hook=hook, event_listeners=[hearing], inline=True):
            await hearing.heard.wait()
            hearing.heard = anyio.Event()
            await hearing.heard.wait()
    assert [type(event) for event in hearing.events] == [TaskDefRegistrationFailure, TaskDefRegistered]
    assert (await definition(server))["name"] == "charge"


async def test_a_definition_that_is_refused_does_not_hold_up_the_others() -> None:
    server, hearing = DevServer(), Hearing()

    async def slow(request: httpx.Request) -> httpx.Response | None:
        return refusal(500) if request.url.path.endswith("/charge") else None

    other = Worker("other", charge, register_task_def=True)
    with anyio.fail_after(5):
        async with stage(charging(), other, server=server, hook=slow, event_listeners=[hearing], inline=True):
            await hearing.heard.wait()
    assert [event.task_type for event in hearing.events] == ["other"]


async def test_second_start_changes_nothing_in_a_registry_either() -> None:
    server = DevServer(flavor="orkes")
    await registered(server, charging())
    event = await registered(server, charging())
    assert isinstance(event, TaskDefRegistered)
    assert event.outcome == "unchanged"
    event = await registered(server, charging(strict_schema=True))
    assert isinstance(event, TaskDefRegistered)
    assert (event.outcome, event.changed_fields) == ("updated", ("inputSchema",))


async def test_a_schema_that_the_template_says_is_not_replaced() -> None:
    server, own = DevServer(), {"name": "mine", "version": 2, "type": "JSON"}
    await registered(server, charging(TaskDef(name="charge", input_schema=own)))
    found = await definition(server)
    assert found["inputSchema"]["name"] == "mine"
    assert found["outputSchema"]["name"] == "charge_output"
