"""The dev server in process, on both backends and mostly under virtual time."""

import math

import anyio
import anyio.lowlevel
import httpx
import pytest

from anyworker.devserver import DevServer
from anyworker.devserver.http.exchange import Request

pytestmark = pytest.mark.virtual_time

URL = "http://devserver/api"


def client(server: DevServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=server.transport(), base_url=URL, timeout=None)


async def define(http: httpx.AsyncClient, **fields: object) -> None:
    answer = await http.post("/metadata/taskdefs", json=[{"name": "t", **fields}])
    assert answer.status_code == 200
    definition = {"name": "w", "tasks": [{"name": "t", "taskReferenceName": "t"}]}
    assert (await http.put("/metadata/workflow", json=[definition])).status_code == 200


async def start(http: httpx.AsyncClient) -> str:
    answer = await http.post("/workflow", json={"name": "w"})
    assert answer.status_code == 200
    return answer.text


async def poll(http: httpx.AsyncClient, timeout: int, count: int = 1) -> list[dict[str, object]]:
    query = {"timeout": timeout, "count": count, "workerid": "me"}
    answer = await http.get("/tasks/poll/batch/t", params=query)
    assert answer.status_code == 200
    tasks: list[dict[str, object]] = answer.json()
    return tasks


async def statuses(http: httpx.AsyncClient, workflow_id: str) -> list[str]:
    workflow = (await http.get(f"/workflow/{workflow_id}")).json()
    return [task["status"] for task in workflow["tasks"]]


async def test_answers_carry_status_headers_and_body() -> None:
    async with client(DevServer()) as http:
        await define(http)
        answer = await http.post("/workflow", json={"name": "w"})
        assert (answer.headers["content-type"], answer.headers["content-length"]) == (
            "text/plain;charset=UTF-8",
            "36",
        )
        answer = await http.get("/tasks/nosuch")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
        answer = await http.request("HEAD", "/tasks/queue/size", params={"taskType": "t"})
        assert (answer.status_code, answer.content) == (200, b"")


async def test_waiting_poll_is_answered_when_a_task_appears() -> None:
    async with client(DevServer()) as http:
        await define(http)
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                before = anyio.current_time()
                (task,) = await poll(http, timeout=5000)
                assert (task["workerId"], anyio.current_time() - before) == ("me", pytest.approx(2))

            tasks.start_soon(wait)
            await anyio.sleep(2)
            await start(http)


async def test_empty_poll_waits_as_long_as_it_said() -> None:
    async with client(DevServer()) as http:
        before = anyio.current_time()
        assert await poll(http, timeout=5000) == []
        assert anyio.current_time() - before == pytest.approx(5)


async def test_polls_side_by_side_each_end_at_their_time() -> None:
    async with client(DevServer()) as http:
        ended: dict[int, float] = {}
        before = anyio.current_time()

        async def wait(timeout: int) -> None:
            await poll(http, timeout)
            ended[timeout] = anyio.current_time() - before

        async with anyio.create_task_group() as tasks:
            for timeout in (3000, 1000, 5000, 2000):
                tasks.start_soon(wait, timeout)
        assert ended == {timeout: pytest.approx(timeout / 1000) for timeout in (1000, 2000, 3000, 5000)}


async def test_timeouts_happen_on_time_while_somebody_waits() -> None:
    async with client(DevServer()) as http:
        await define(http, responseTimeoutSeconds=2, retryDelaySeconds=1)
        workflow_id = await start(http)
        await poll(http, timeout=0)
        before = anyio.current_time()
        (again,) = await poll(http, timeout=5000)
        assert anyio.current_time() - before == pytest.approx(3)
        assert again["retryCount"] == 1
        assert await statuses(http, workflow_id) == ["TIMED_OUT", "IN_PROGRESS"]


async def test_callback_set_while_a_poll_waits_wakes_it_in_time() -> None:
    async with client(DevServer()) as http:
        await define(http)
        await start(http)
        (task,) = await poll(http, timeout=0)
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                before = anyio.current_time()
                assert len(await poll(http, timeout=5000)) == 1
                assert anyio.current_time() - before == pytest.approx(3)

            tasks.start_soon(wait)
            await anyio.sleep(1)
            report = {
                "workflowInstanceId": task["workflowInstanceId"],
                "taskId": task["taskId"],
                "status": "IN_PROGRESS",
                "callbackAfterSeconds": 2,
            }
            await http.post("/tasks", json=report)


async def test_abandoned_poll_takes_a_task_all_the_same() -> None:
    async with client(DevServer()) as http:
        await define(http)
        with anyio.move_on_after(0.5) as gone:
            await poll(http, timeout=5000)
        assert gone.cancelled_caught
        await anyio.sleep(0.7)
        workflow_id = await start(http)
        assert await statuses(http, workflow_id) == ["IN_PROGRESS"]
        assert await poll(http, timeout=0) == []


async def test_abandoned_poll_for_several_keeps_them_hidden_until_its_end() -> None:
    async with client(DevServer()) as http:
        await define(http)
        with anyio.move_on_after(0.5):
            await poll(http, timeout=5000, count=5)
        workflow_id = await start(http)
        await anyio.sleep(4.4)
        assert (await statuses(http, workflow_id), await poll(http, timeout=0)) == (["SCHEDULED"], [])
        await anyio.sleep(0.1)
        assert await statuses(http, workflow_id) == ["IN_PROGRESS"]


async def test_others_go_on_when_the_poll_that_keeps_the_time_is_cancelled() -> None:
    async with client(DevServer()) as http, anyio.create_task_group() as tasks:
        keeper = anyio.CancelScope()

        async def keep() -> None:
            with keeper:
                await poll(http, timeout=5000)

        async def wait() -> None:
            before = anyio.current_time()
            await poll(http, timeout=3000)
            assert anyio.current_time() - before == pytest.approx(3)

        tasks.start_soon(keep)
        await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.1)
        tasks.start_soon(wait)
        await anyio.sleep(1)
        keeper.cancel()


async def test_cancelled_before_it_began_a_request_has_no_effect() -> None:
    async with client(DevServer()) as http:
        await define(http)
        workflow_id = await start(http)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await poll(http, timeout=0)
        assert await statuses(http, workflow_id) == ["SCHEDULED"]


async def test_style_first_answers_at_the_first_task() -> None:
    async with client(DevServer(waiting="first")) as http:
        await define(http)
        await start(http)
        before = anyio.current_time()
        assert len(await poll(http, timeout=5000, count=5)) == 1
        assert anyio.current_time() == before


async def test_times_follow_the_epoch_and_the_loop() -> None:
    async with client(DevServer(epoch=1_000_000.0)) as http:
        await define(http)
        await anyio.sleep(1.5)
        workflow = (await http.get(f"/workflow/{await start(http)}")).json()
        assert workflow["createTime"] == 1_000_001_500


def test_one_server_may_be_used_from_one_loop_after_another() -> None:
    server = DevServer()

    async def create() -> str:
        async with client(server) as http:
            await define(http)
            return await start(http)

    async def read(workflow_id: str) -> int:
        async with client(server) as http:
            first: int = (await http.get(f"/workflow/{workflow_id}")).json()["createTime"]
            second: int = (await http.get(f"/workflow/{await start(http)}")).json()["createTime"]
            return second - first

    workflow_id = anyio.run(create, backend="trio")
    assert 0 <= anyio.run(read, workflow_id, backend="asyncio") < 60_000


def test_a_request_can_be_answered_at_once_without_an_event_loop() -> None:
    server = DevServer(epoch=1_800_000_000)
    answer = server.answer(Request("GET", "/api/tasks/queue/sizes", "taskType=t"))
    assert (answer.status, answer.body) == (200, b'{"t":0}')
    assert server.seconds_to_next() == math.inf


def test_a_poll_that_waits_is_not_answered_at_once() -> None:
    server = DevServer(epoch=1_800_000_000)
    with pytest.raises(ValueError, match="GET /api/tasks/poll/batch/t is to be waited for"):
        server.answer(Request("GET", "/api/tasks/poll/batch/t"))
    assert server.seconds_to_next() == pytest.approx(0.1)
    looked = server.answer(Request("GET", "/api/tasks/poll/batch/t", "timeout=0"))
    assert looked.body == b"[]"
