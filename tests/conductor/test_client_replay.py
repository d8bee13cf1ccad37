"""What may be sent again after an unknown outcome: one test for each row of the table."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from scripted_exchange import API, ScriptedExchange, polled_task, reply

from anyworker.client import ConductorClient, Task, TaskDef, TaskResult, WorkflowDef
from anyworker.conductor import replay
from anyworker.configuration import Configuration
from anyworker.errors import TransportError

Call = Callable[[ConductorClient], Awaitable[object]]

TASK = Task(task_id="t", workflow_instance_id="w")
DONE = TaskResult(task_id="t", workflow_instance_id="w", status="COMPLETED")
HANDED_BACK = TaskResult(task_id="t", workflow_instance_id="w", status="IN_PROGRESS")

MAY: dict[str, tuple[Call, object]] = {
    "get_task": (lambda client: client.get_task("t"), polled_task()),
    "get_logs": (lambda client: client.get_logs("t"), []),
    "search_tasks": (lambda client: client.search_tasks("q"), {}),
    "search_task_ids": (lambda client: client.search_task_ids("q"), {}),
    "queue_sizes": (lambda client: client.queue_sizes(["a"]), {}),
    "poll_data": (lambda client: client.poll_data("a"), []),
    "get_workflow": (lambda client: client.get_workflow("w"), {"workflowId": "w"}),
    "get_task_def": (lambda client: client.get_task_def("a"), {"name": "a"}),
    "get_workflow_def": (lambda client: client.get_workflow_def("a"), {"name": "a", "tasks": []}),
    "terminal update": (lambda client: client.update_task(DONE), "t"),
    "encoded terminal update": (lambda client: client.send_result(b"{}", is_terminal=True), "t"),
    "lease extension": (lambda client: client.extend_lease(TASK), "t"),
    "lease extension by update": (
        lambda client: client.update_task(TaskResult(task_id="t", extend_lease=True)),
        "t",
    ),
    "PUT of a definition": (lambda client: client.update_task_def(TaskDef(name="a")), ""),
    "PUT of a decision": (lambda client: client.decide("w"), ""),
    "DELETE": (lambda client: client.terminate_workflow("w"), ""),
}
NEVER: dict[str, Call] = {
    "poll": lambda client: client.poll("a", count=1, timeout=0, worker_id="w"),
    "update-v2": lambda client: client.update_task_v2(DONE),
    "hand-back": lambda client: client.update_task(HANDED_BACK),
    "encoded hand-back": lambda client: client.send_result(b"{}"),
    "log line": lambda client: client.add_log("t", "text"),
    "workflow start": lambda client: client.start_workflow("w"),
    "POST of task definitions": lambda client: client.register_task_defs([TaskDef(name="a")]),
    "POST of a workflow definition": lambda client: client.register_workflow_def(
        WorkflowDef(name="a", tasks=[]), overwrite=True
    ),
}
DISCONNECTS = [httpx.RemoteProtocolError("closed"), httpx.ReadError("reset"), httpx.WriteError("broken")]
NOT_REPEATED = [
    httpx.ReadTimeout("late"),
    httpx.WriteTimeout("late"),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("late"),
    httpx.PoolTimeout("full"),
    httpx.LocalProtocolError("ours"),
]
TERMINAL = ["COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED"]


def opened(exchange: ScriptedExchange) -> ConductorClient:
    return ConductorClient(Configuration(server_api_url=API, environ={}), exchange=exchange)


@pytest.mark.parametrize("failure", DISCONNECTS, ids=repr)
@pytest.mark.parametrize("name", MAY)
async def test_what_does_no_harm_twice_is_repeated_once_after_a_disconnect(name, failure):
    call, answer = MAY[name]
    exchange = ScriptedExchange(failure, reply(200, answer))
    async with opened(exchange) as client:
        await call(client)
    first, second = exchange.sent
    assert first == second


@pytest.mark.parametrize("name", MAY)
async def test_a_repeat_is_not_repeated(name):
    exchange = ScriptedExchange(httpx.ReadError("reset"), httpx.ReadError("reset"), reply(200))
    async with opened(exchange) as client:
        with pytest.raises(TransportError) as caught:
            await MAY[name][0](client)
    assert len(exchange.sent) == 2
    assert caught.value.may_have_arrived


@pytest.mark.parametrize("failure", [*DISCONNECTS, *NOT_REPEATED], ids=repr)
@pytest.mark.parametrize("name", NEVER)
async def test_what_could_do_harm_twice_is_sent_once(name, failure):
    exchange = ScriptedExchange(failure, reply(200))
    async with opened(exchange) as client:
        with pytest.raises(TransportError):
            await NEVER[name](client)
    assert len(exchange.sent) == 1


@pytest.mark.parametrize("failure", NOT_REPEATED, ids=repr)
@pytest.mark.parametrize("name", MAY)
async def test_a_timeout_or_a_request_that_was_not_sent_is_left_to_the_caller(name, failure):
    exchange = ScriptedExchange(failure, reply(200))
    async with opened(exchange) as client:
        with pytest.raises(TransportError):
            await MAY[name][0](client)
    assert len(exchange.sent) == 1


@pytest.mark.parametrize("status", TERMINAL)
async def test_every_terminal_status_may_be_sent_again(status):
    exchange = ScriptedExchange(httpx.ReadError("reset"), reply(200, "t"))
    async with opened(exchange) as client:
        await client.update_task(TaskResult(task_id="t", status=status))
    assert len(exchange.sent) == 2


@pytest.mark.parametrize("name", [*MAY, *NEVER])
async def test_a_status_is_an_answer_and_nothing_is_repeated(name):
    call = MAY[name][0] if name in MAY else NEVER[name]
    exchange = ScriptedExchange(reply(503), reply(200))
    async with opened(exchange) as client:
        with pytest.raises(Exception, match="503"):
            await call(client)
    assert len(exchange.sent) == 1


def test_the_table_has_no_other_rows():
    rows = {name: row for name, row in vars(replay).items() if isinstance(row, replay.Operation)}
    assert {name for name, row in rows.items() if row.may_repeat} == {
        "READ",
        "FINISH",
        "EXTEND_LEASE",
        "REPLACE",
        "REMOVE",
        "FETCH_TOKEN",
    }
    assert {name for name, row in rows.items() if not row.may_repeat} == {
        "POLL",
        "FINISH_AND_POLL",
        "HAND_BACK",
        "ADD_LOG",
        "START",
        "CREATE",
    }
