"""What each method sends, and what it makes of the answer."""

import anyio
import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_exchange import API, ScriptedExchange, polled_task, refusal, reply

from anyworker.client import (
    ConductorClient,
    StartWorkflow,
    TaskDef,
    TaskResult,
    WorkflowDef,
    WorkflowTask,
)
from anyworker.conductor.calls import segment
from anyworker.configuration import Configuration
from anyworker.errors import (
    DeclarationError,
    MethodNotAllowedError,
    NotFoundError,
    SerializationError,
    UnexpectedAnswerError,
)

WORKFLOW = {"workflowId": "w", "status": "RUNNING", "tasks": None, "history": [], "input": {"a": None}}


def opened(exchange: ScriptedExchange, **options: object) -> ConductorClient:
    return ConductorClient(Configuration(server_api_url=API, environ={}, **options), exchange=exchange)


async def test_poll_asks_by_the_names_of_the_wire_and_leaves_out_an_absent_domain():
    exchange = ScriptedExchange(reply(200, [polled_task()]), reply(200, []), reply(204), reply(200, []))
    async with opened(exchange) as client:
        tasks = await client.poll("greet", count=3, timeout=1.5, worker_id="host pid/1&x")
        assert await client.poll("greet", count=1, timeout=0, worker_id="w", domain="blue") == []
        assert await client.poll("greet", count=1, timeout=0, worker_id="w", domain=None) == []
        assert await client.poll("greet", count=1, timeout=0, worker_id="w", domain="") == []
    assert [task.task_id for task in tasks] == ["868d601d-004e-4e3f-b272-1ec493be20f6"]
    assert tasks[0].input_data == {"name": "Ada", "missing": None}
    first, blue, plain, empty = exchange.sent
    assert first.target == ("/api/tasks/poll/batch/greet?workerid=host%20pid%2F1%26x&count=3&timeout=1500")
    assert first.query == [("workerid", "host pid/1&x"), ("count", "3"), ("timeout", "1500")]
    assert blue.query == [("workerid", "w"), ("domain", "blue"), ("count", "1"), ("timeout", "0")]
    assert plain.query == empty.query == [("workerid", "w"), ("count", "1"), ("timeout", "0")]
    assert first.method == "GET"
    assert first.body == b""
    assert "content-type" not in first.headers


async def test_the_answer_to_a_poll_is_awaited_well_beyond_the_servers_wait():
    exchange = ScriptedExchange(reply(200, []), reply(200, {}))
    async with opened(exchange, read_timeout=2.0, connect_timeout=1.0) as client:
        await client.poll("greet", count=1, timeout=5.0, worker_id="w")
        await client.queue_sizes(["a"])
        reads = [sent.timeouts.read for sent in exchange.sent]
    assert reads[0] >= 15.0
    assert reads[1] == 2.0
    assert exchange.sent[0].timeouts.connect == 1.0


@given(
    st.text(min_size=1, max_size=50).filter(
        lambda name: name not in {".", ".."} and not set(name) & set("/\\")
    )
)
def test_any_other_name_is_one_encoded_segment(name):
    path = httpx.URL("http://h").copy_with(raw_path=f"/a/{segment(name, 'task type')}/b".encode()).path
    assert path == f"/a/{name}/b"
    assert not set(segment(name, "task type")) & set("/?#&+ ;:@=,'\"[]{}|%") - {"%"}


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "/", "lone \ud800"])
async def test_a_name_that_no_url_holds_is_refused_before_sending(name):
    exchange = ScriptedExchange()
    async with opened(exchange) as client:
        with pytest.raises(DeclarationError):
            await client.poll(name, count=1, timeout=0, worker_id="w")
        with pytest.raises(DeclarationError):
            await client.get_task(name)
        with pytest.raises(DeclarationError):
            await client.terminate_workflow(name)
    assert exchange.sent == []


@pytest.mark.parametrize("name", ["a b", "ä", "50%", "a+b?c#d", "d:t", "batch", "a..b", ".", "..", "x" * 300])
async def test_odd_task_types_reach_the_server_as_one_segment(name):
    exchange = ScriptedExchange(reply(200, []))
    async with opened(exchange) as client:
        await client.poll(name, count=1, timeout=0, worker_id="w")
    segments = exchange.sent[0].path.split("/")
    assert len(segments) == 6
    assert httpx.URL("http://h").copy_with(raw_path=exchange.sent[0].path.encode()).path.endswith(f"/{name}")


async def test_update_sends_the_result_as_json():
    exchange = ScriptedExchange(reply(200, "t"), reply(200, b""), reply(200, "t"))
    result = TaskResult(
        task_id="t", workflow_instance_id="w", status="COMPLETED", output_data={"a": None}, worker_id="me"
    )
    async with opened(exchange) as client:
        await client.update_task(result)
        await client.send_result(b'{"status":"COMPLETED"}', is_terminal=True)
    sent = exchange.sent[0]
    assert (sent.method, sent.target) == ("POST", "/api/tasks")
    assert sent.headers["content-type"] == "application/json"
    assert sent.json() == {
        "taskId": "t",
        "workflowInstanceId": "w",
        "status": "COMPLETED",
        "outputData": {"a": None},
        "workerId": "me",
    }
    assert exchange.sent[1].body == b'{"status":"COMPLETED"}'


async def test_extending_a_lease_names_the_task_and_changes_nothing_else():
    exchange = ScriptedExchange(reply(200, [polled_task()]), reply(200, "t"))
    async with opened(exchange) as client:
        [task] = await client.poll("greet", count=1, timeout=0, worker_id="w")
        await client.extend_lease(task)
    assert exchange.sent[1].json() == {
        "taskId": task.task_id,
        "workflowInstanceId": task.workflow_instance_id,
        "extendLease": True,
    }


async def test_update_v2_brings_the_next_task_or_none():
    exchange = ScriptedExchange(reply(200, polled_task()), reply(204))
    result = TaskResult(task_id="t", workflow_instance_id="w", status="COMPLETED")
    async with opened(exchange) as client:
        following = await client.update_task_v2(result)
        assert following is not None
        assert following.task_def_name == "greet"
        assert await client.update_task_v2(result) is None
    assert exchange.paths() == ["/api/tasks/update-v2"] * 2


async def test_a_server_without_update_v2_differs_from_an_unknown_task():
    exchange = ScriptedExchange(
        refusal(404, "No static resource api/tasks/update-v2."),
        refusal(405, "Request method 'POST' is not supported"),
        refusal(404, "No such task found by id: t"),
    )
    result = TaskResult(task_id="t", workflow_instance_id="w", status="COMPLETED")
    async with opened(exchange) as client:
        with pytest.raises(UnexpectedAnswerError) as missing:
            await client.update_task_v2(result)
        assert missing.value.status == 404
        with pytest.raises(MethodNotAllowedError):
            await client.update_task_v2(result)
        with pytest.raises(NotFoundError, match="No such task found by id: t"):
            await client.update_task_v2(result)


async def test_a_log_line_is_sent_as_it_is():
    exchange = ScriptedExchange(reply(200))
    async with opened(exchange) as client:
        await client.add_log("t", '"half" way ä \ud800')
        await client.add_log("t", "")
    [sent] = exchange.sent
    assert (sent.method, sent.target) == ("POST", "/api/tasks/t/log")
    assert sent.headers["content-type"].startswith("text/plain")
    assert sent.body == '"half" way ä ?'.encode()


async def test_task_reads():
    logs = [{"log": "half way", "taskId": "t", "createdTime": 1}]
    exchange = ScriptedExchange(
        reply(200, logs),
        reply(204),
        reply(200, {"a": 1, "b": 0}),
        reply(200, [{"queueName": "a", "workerId": None, "lastPollTime": 5}]),
        reply(200, {"totalHits": 1, "results": [polled_task()]}),
    )
    async with opened(exchange) as client:
        assert [line.log for line in await client.get_logs("t")] == ["half way"]
        assert await client.get_logs("t") == []
        assert await client.queue_sizes(["a", "b"]) == {"a": 1, "b": 0}
        assert await client.queue_sizes([]) == {}
        assert [entry.last_poll_time for entry in await client.poll_data("a")] == [5]
        page = await client.search_tasks("taskType=greet AND status=IN_PROGRESS", size=10)
    assert page.total_hits == 1
    assert page.results[0].worker_id == "w1"
    assert [(sent.path, sent.query) for sent in exchange.sent[2:]] == [
        ("/api/tasks/queue/sizes", [("taskType", "a"), ("taskType", "b")]),
        ("/api/tasks/queue/polldata", [("taskType", "a")]),
        (
            "/api/tasks/search-v2",
            [("start", "0"), ("size", "10"), ("query", "taskType=greet AND status=IN_PROGRESS")],
        ),
    ]


async def test_workflows_are_started_read_decided_and_terminated():
    exchange = ScriptedExchange(
        reply(200, "id-1"), reply(200, '"id-2"'), reply(200, WORKFLOW), reply(200), reply(200), reply(200)
    )
    async with opened(exchange) as client:
        assert await client.start_workflow("order", {"id": 7, "x": None}, version=2) == "id-1"
        assert await client.start_workflow(StartWorkflow(name="order", priority=5)) == "id-2"
        workflow = await client.get_workflow("w", include_tasks=False)
        await client.decide("w")
        await client.terminate_workflow("w", "no longer wanted")
        await client.terminate_workflow("w")
    assert workflow.status == "RUNNING"
    assert workflow.tasks == []
    assert workflow.input == {"a": None}
    assert exchange.sent[0].json() == {"name": "order", "version": 2, "input": {"id": 7, "x": None}}
    assert exchange.sent[1].json() == {"name": "order", "priority": 5}
    assert [f"{sent.method} {sent.target}" for sent in exchange.sent] == [
        "POST /api/workflow",
        "POST /api/workflow",
        "GET /api/workflow/w?includeTasks=false",
        "PUT /api/workflow/decide/w",
        "DELETE /api/workflow/w?reason=no%20longer%20wanted",
        "DELETE /api/workflow/w",
    ]


async def test_definitions_are_registered_and_read():
    step = WorkflowTask(name="greet", task_reference_name="greet_ref")
    workflow_def = {"name": "hello", "version": 3, "tasks": [{"name": "a", "taskReferenceName": "r"}]}
    exchange = ScriptedExchange(
        *[reply(200)] * 4, reply(200, {"name": "greet", "description": None}), reply(200, workflow_def)
    )
    async with opened(exchange) as client:
        await client.register_task_defs([TaskDef(name="greet", retry_count=1), {"name": "raw"}])
        await client.register_task_defs([])
        await client.update_task_def(TaskDef(name="greet"))
        await client.register_workflow_def(WorkflowDef(name="hello", tasks=[step]), overwrite=True)
        await client.register_workflow_def({"name": "hello", "tasks": []})
        assert (await client.get_task_def("greet")).retry_count is msgspec.UNSET
        assert (await client.get_workflow_def("hello", 3)).tasks[0].task_reference_name == "r"
    assert exchange.sent[0].json() == [{"name": "greet", "retryCount": 1}, {"name": "raw"}]
    assert exchange.sent[2].json() == {
        "name": "hello",
        "tasks": [{"name": "greet", "taskReferenceName": "greet_ref"}],
    }
    assert [f"{sent.method} {sent.target}" for sent in exchange.sent] == [
        "POST /api/metadata/taskdefs",
        "PUT /api/metadata/taskdefs",
        "POST /api/metadata/workflow?overwrite=true",
        "POST /api/metadata/workflow?overwrite=false",
        "GET /api/metadata/taskdefs/greet",
        "GET /api/metadata/workflow/hello?version=3",
    ]


@pytest.mark.parametrize(
    ("value", "path"),
    [({"a": [1, float("nan")]}, r"\$.input.a\[1\]"), ({"a": object()}, r"\$"), ({"a": "\ud800"}, r"\$")],
)
async def test_what_json_cannot_hold_is_refused_before_sending(value, path):
    exchange = ScriptedExchange()
    async with opened(exchange) as client:
        with pytest.raises(SerializationError, match=path):
            await client.start_workflow("w", value)
    assert exchange.sent == []


async def test_headers_of_the_configuration_are_sent_with_every_request():
    exchange = ScriptedExchange(reply(200, []), reply(200))
    async with opened(exchange, headers={"X-Tenant": "blue", "User-Agent": "mine"}) as client:
        await client.poll("greet", count=1, timeout=0, worker_id="w")
        await client.decide("w")
    for sent in exchange.sent:
        assert sent.headers["x-tenant"] == "blue"
        assert sent.headers["user-agent"] == "mine"


async def test_an_exchange_that_was_given_is_left_open():
    exchange = ScriptedExchange(reply(200))
    with anyio.fail_after(5):
        async with opened(exchange) as client:
            await client.decide("w")
    assert not exchange.is_closed


async def test_a_base_url_without_a_path_is_used_as_it_is():
    exchange = ScriptedExchange(reply(200))
    configuration = Configuration(server_api_url="https://gateway.test/", environ={})
    async with ConductorClient(configuration, exchange=exchange) as client:
        await client.decide("w")
    assert exchange.sent[0].target == "/workflow/decide/w"
