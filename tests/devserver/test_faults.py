"""Faults on demand, in process and under virtual time."""

from typing import Any

import anyio
import httpx
import pytest

from anyworker.devserver import DevServer
from anyworker.errors import ConfigurationError

pytestmark = pytest.mark.virtual_time

POLL = "/tasks/poll/batch/t?timeout=0&workerid=me"
BATCH = "GET /tasks/poll/batch/{type}"


def client(server: DevServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=server.transport(), base_url="http://devserver/api", timeout=None)


async def prepare(http: httpx.AsyncClient, started: int = 1) -> list[str]:
    tasks = [{"name": "t", "taskReferenceName": "t"}]
    (await http.put("/metadata/workflow", json=[{"name": "w", "tasks": tasks}])).raise_for_status()
    return [(await http.post("/workflow", json={"name": "w"})).text for _ in range(started)]


def completed(task: dict[str, Any]) -> dict[str, Any]:
    return {key: task[key] for key in ("taskId", "workflowInstanceId")} | {"status": "COMPLETED"}


async def status_of(http: httpx.AsyncClient, workflow_id: str) -> str:
    status: str = (await http.get(f"/workflow/{workflow_id}")).json()["status"]
    return status


async def take(http: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = (await http.get(POLL + query)).json()
    return tasks


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("close", httpx.RemoteProtocolError),
        ("reset", httpx.ReadError),
        ("refuse", httpx.ConnectError),
    ],
)
async def test_dropped_request_has_no_effect(how: Any, error: type[Exception]) -> None:
    server = DevServer()
    async with client(server) as http:
        (workflow_id,) = await prepare(http)
        (task,) = await take(http)
        fault = server.faults.drop("POST /tasks", how=how, times=1)
        with pytest.raises(error):
            await http.post("/tasks", json=completed(task))
        assert await status_of(http, workflow_id) == "RUNNING"
        assert (await http.post("/tasks", json=completed(task))).status_code == 200
        assert await status_of(http, workflow_id) == "COMPLETED"
        assert (fault.hits, fault.seen) == (1, 1)


async def test_dropped_answer_comes_after_the_effect() -> None:
    server = DevServer()
    async with client(server) as http:
        (workflow_id,) = await prepare(http)
        (task,) = await take(http)
        server.faults.drop("POST /tasks", after_effect=True, times=1)
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post("/tasks", json=completed(task))
        assert await status_of(http, workflow_id) == "COMPLETED"


async def test_answer_of_a_burst_names_when_to_come_again_and_then_ends() -> None:
    server = DevServer()
    async with client(server) as http:
        server.faults.answer(503, retry_after=2, times=2)
        server.faults.answer(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", times=1)
        server.faults.answer(401, times=1)
        server.faults.answer(500, body={"message": "no"}, times=1)
        answers = [await http.get("/health") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [503, 503, 429, 401, 500, 200]
        assert [answer.headers.get("retry-after") for answer in answers[:3]] == [
            "2",
            "2",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ]
        assert answers[0].json()["status"] == 503
        assert answers[3].json()["error"] == "EXPIRED_TOKEN"
        assert answers[4].json() == {"message": "no"}
        assert server.faults.counts == {"answer": 5}


async def test_garbled_answer_is_a_page() -> None:
    server = DevServer()
    async with client(server) as http:
        (workflow_id,) = await prepare(http)
        with server.faults.garble("GET /workflow/{id}"):
            answer = await http.get(f"/workflow/{workflow_id}")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.text.startswith("<!doctype html>")
        assert await status_of(http, workflow_id) == "RUNNING"


async def test_truncated_body_breaks_off() -> None:
    server = DevServer()
    async with client(server) as http:
        await prepare(http)
        fault = server.faults.truncate(times=1)
        assert (await http.get("/tasks/poll/nosuch")).status_code == 204
        assert fault.hits == 0, "what has no body cannot be cut off"
        async with http.stream("GET", POLL) as answer:
            parts = answer.aiter_bytes()
            assert (await anext(parts)).startswith(b'[{"taskType":"t"')
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                await anext(parts)
        server.faults.truncate("POST /workflow", keep=3)
        with pytest.raises(httpx.RemoteProtocolError, match="received 3 bytes, expected 36"):
            await http.post("/workflow", json={"name": "w"})


@pytest.mark.parametrize("status", [404, 405])
async def test_server_without_update_v2_knows_the_rest(status: Any) -> None:
    server = DevServer()
    async with client(server) as http:
        (workflow_id,) = await prepare(http)
        (task,) = await take(http)
        server.faults.without_update_v2(status)
        answer = await http.post("/tasks/update-v2", json=completed(task))
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert "No static resource" in answer.text or "not supported" in answer.text
        assert await status_of(http, workflow_id) == "RUNNING"
        assert (await http.post("/tasks", json=completed(task))).status_code == 200


async def test_delays_add_up_before_and_after_the_effect() -> None:
    server = DevServer()
    async with client(server) as http:
        server.faults.delay(2, "GET /health")
        server.faults.delay(0.5, after_effect=True)
        server.faults.answer(500, "GET /health", after_effect=True)
        before = anyio.current_time()
        assert (await http.get("/health")).status_code == 500
        assert anyio.current_time() - before == pytest.approx(2.5)


async def test_task_is_delivered_to_two_polls() -> None:
    server = DevServer()
    async with client(server) as http:
        await prepare(http)
        fault = server.faults.duplicate(times=1)
        assert await take(http, "&domain=d") == []
        (first,) = await take(http)
        (second,) = await take(http)
        assert (first["taskId"], second["pollCount"]) == (second["taskId"], 2)
        assert await take(http) == []
        assert fault.hits == 1


async def test_completed_task_is_delivered_again_as_it_was() -> None:
    server = DevServer()
    async with client(server) as http:
        (workflow_id,) = await prepare(http)
        server.faults.duplicate()
        (first,) = await take(http)
        await http.post("/tasks", json=completed(first))
        (second,) = await take(http)
        assert first == second
        assert (await http.post("/tasks", json=completed(second))).status_code == 200
        assert await status_of(http, workflow_id) == "COMPLETED"


async def test_waiting_poll_gets_the_duplicate_at_once() -> None:
    server = DevServer()
    async with client(server) as http:
        await prepare(http, 0)
        found: list[tuple[float, str]] = []
        before = anyio.current_time()

        async def wait() -> None:
            answer = await http.get("/tasks/poll/batch/t?timeout=5000")
            found.append((anyio.current_time() - before, answer.json()[0]["taskId"]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.sleep(1)
            server.faults.duplicate(times=1)
            await http.post("/workflow", json={"name": "w"})
        assert [at for at, _ in found] == [pytest.approx(1)] * 2
        assert len({task_id for _, task_id in found}) == 1


async def test_poll_brings_more_than_it_asked_for() -> None:
    server = DevServer()
    async with client(server) as http:
        await prepare(http, started=5)
        fault = server.faults.surplus(2)
        assert len(await take(http, "&count=2")) == 4
        assert len(await take(http)) == 1
        assert await take(http) == []
        assert fault.hits == 1, "there must be more to bring"


async def test_hanging_requests_go_on_when_released() -> None:
    server = DevServer()
    async with client(server) as http:
        (workflow_id,) = await prepare(http)
        answers: list[int] = []

        async def ask() -> None:
            answers.append((await http.get(f"/workflow/{workflow_id}")).status_code)

        for undo in (server.faults.clear, server.faults.release):
            fault = server.faults.hang("GET /workflow/{id}")
            before = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                tasks.start_soon(ask)
                await anyio.sleep(7)
                assert fault.waiting == 2
                undo()
            assert anyio.current_time() - before == pytest.approx(7)
            assert fault.waiting == 0
        assert answers == [200] * 4


async def test_hanging_requests_go_on_when_their_time_is_over() -> None:
    server = DevServer()
    async with client(server) as http:
        before = anyio.current_time()
        server.faults.hang(seconds=3)
        assert (await http.get("/health")).status_code == 200
        assert anyio.current_time() - before == pytest.approx(3)


async def test_limits_count_skip_and_end() -> None:
    server = DevServer()
    async with client(server) as http:
        fault = server.faults.answer(500, "GET /health", skip=2, times=2)
        assert [(await http.get("/health")).status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]
        assert (fault.seen, fault.hits) == (4, 2)


async def test_span_of_time_is_exact() -> None:
    server = DevServer()
    async with client(server) as http:
        await http.get("/health")
        server.faults.answer(500, starting_in=1, lasting=2)
        found = []
        for _ in range(8):
            found.append((await http.get("/health")).status_code)
            await anyio.sleep(0.5)
        assert found == [200, 200, 500, 500, 500, 500, 200, 200]


async def test_probability_is_the_same_for_the_same_seed() -> None:
    async def statuses(seed: int) -> list[int]:
        server = DevServer()
        async with client(server) as http:
            server.faults.answer(500, probability=0.5, seed=seed)
            return [(await http.get("/health")).status_code for _ in range(40)]

    first, again, other = await statuses(1), await statuses(1), await statuses(2)
    assert first == again != other
    assert 10 < first.count(500) < 30


async def test_fault_after_the_effect_meets_polls_that_waited_before_it_was_asked_for() -> None:
    server = DevServer()
    async with client(server) as http:
        await prepare(http, 0)
        async with anyio.create_task_group() as tasks:

            async def lose() -> None:
                with pytest.raises(httpx.RemoteProtocolError):
                    await http.get("/tasks/poll/batch/t?timeout=5000")

            tasks.start_soon(lose)
            await anyio.sleep(1)
            server.faults.drop(BATCH, after_effect=True, times=1)
            await http.post("/workflow", json={"name": "w"})
        assert await take(http) == []


async def test_only_answers_with_tasks_are_hit_where_that_is_asked_for() -> None:
    server = DevServer()
    async with client(server) as http:
        server.faults.drop(BATCH, after_effect=True, with_tasks=True, times=1)
        assert await take(http) == []
        await prepare(http)
        with pytest.raises(httpx.RemoteProtocolError):
            await take(http)


async def test_script_goes_from_step_to_step() -> None:
    server = DevServer()
    async with client(server) as http:
        await prepare(http, 3)
        server.faults.script(
            [
                {"kind": "pass", "match": BATCH},
                {"kind": "drop", "match": BATCH, "after_effect": True},
                {"kind": "delay", "match": BATCH, "seconds": 4},
                {"kind": "answer", "match": BATCH, "status": 503, "lasting": 10},
            ]
        )
        assert len(await take(http)) == 1
        with pytest.raises(httpx.RemoteProtocolError):
            await take(http)
        before = anyio.current_time()
        assert len(await take(http)) == 1
        assert anyio.current_time() - before == pytest.approx(4)
        for _ in range(3):
            assert (await http.get(POLL)).status_code == 503
        await anyio.sleep(10)
        assert await take(http) == []


async def test_chaos_is_the_same_whatever_comes_between() -> None:
    async def fates(*, noise: bool) -> list[str]:
        server = DevServer()
        found = []
        async with client(server) as http:
            server.faults.chaos(seed=4, rate=0.5)
            for _ in range(30):
                if noise:
                    await _fate(http, "/version")
                found.append(await _fate(http, "/tasks/queue/all"))
        return found

    first = await fates(noise=False)
    assert first == await fates(noise=True)
    assert len(set(first)) > 4


async def _fate(http: httpx.AsyncClient, path: str) -> str:
    before = anyio.current_time()
    try:
        answer = await http.get(path)
    except httpx.TransportError as error:
        return type(error).__name__
    return f"{answer.status_code} {answer.text[:9]} {anyio.current_time() - before:.1f}"


async def test_pattern_is_for_the_endpoint_not_for_paths_that_look_like_it() -> None:
    server = DevServer()
    async with client(server) as http:
        server.faults.answer(500, "GET /tasks/{id}")
        assert (await http.get("/tasks/search")).status_code == 200
        assert (await http.get("/tasks/some-id")).status_code == 500
        server.faults.clear()
        server.faults.answer(500, ["GET /api/tasks/queue/**", "POST"])
        assert (await http.get("/tasks/queue/all")).status_code == 500
        assert (await http.post("/workflow", json={})).status_code == 500
        assert (await http.get("/version")).status_code == 200


async def test_removed_fault_is_gone_and_counted() -> None:
    server = DevServer()
    async with client(server) as http:
        with server.faults.answer(500, "/health") as fault:
            assert (await http.get("/health")).status_code == 500
        assert (await http.get("/health")).status_code == 200
        assert (fault.hits, server.faults.hits, len(server.faults)) == (1, 1, 0)
        assert [(hit.request, hit.kind) for hit in server.faults.log] == [("GET /api/health", "answer")]
        server.faults.reset()
        assert (server.faults.hits, list(server.faults.log)) == (0, [])


async def test_polls_end_at_once_when_the_server_is_hurried() -> None:
    server = DevServer()
    async with client(server) as http:
        before = anyio.current_time()
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                assert (await http.get("/tasks/poll/batch/t?timeout=5000")).json() == []

            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.sleep(1)
            server.hurry()
        assert (await http.get("/tasks/poll/batch/t?timeout=5000")).json() == []
        assert anyio.current_time() - before == pytest.approx(1)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "explode"}, "kind: 'explode' is not one of drop, answer"),
    ({}, "kind: None is not one of"),
    ({"kind": "drop", "match": "POST /task"}, "fits no endpoint of this server; did you mean 'POST /tasks'"),
    ({"kind": "drop", "match": "post /tasks"}, "is no pattern"),
    ({"kind": "drop", "match": "POST /tasks?x=1"}, "a query cannot be matched"),
    ({"kind": "drop", "match": []}, "neither a pattern"),
    ({"kind": "drop", "match": 7}, "neither a pattern"),
    ({"kind": "drop", "tmes": 1}, "tmes: drop does not take it; did you mean times"),
    ({"kind": "drop", "how": "gently"}, "how: 'gently' is not one of close, reset, refuse"),
    ({"kind": "drop", "how": "refuse", "after_effect": True}, "refused has no effect"),
    ({"kind": "drop", "after_effect": 1}, "after_effect: 1 is neither true nor false"),
    ({"kind": "drop", "times": 0}, "times: 0 is not a whole number of at least 1"),
    ({"kind": "drop", "times": True}, "times: True is not a whole number"),
    ({"kind": "drop", "skip": -1}, "skip: -1"),
    ({"kind": "drop", "probability": 1.5}, "probability: 1.5 is not a probability from 0 to 1"),
    ({"kind": "drop", "lasting": float("inf")}, "lasting: inf is not a number of seconds"),
    ({"kind": "drop", "with_tasks": True}, "say after_effect too"),
    ({"kind": "surplus", "match": "POST /workflow"}, "fits no poll; did you mean 'GET /tasks/poll/batch"),
    ({"kind": "duplicate", "match": ["GET /health", "POST /tasks"]}, "'GET /health' fits no poll"),
    (
        {"kind": "drop", "match": "POST /tasks", "after_effect": True, "with_tasks": True},
        "'POST /tasks' fits no poll",
    ),
    ({"kind": "answer", "status": 503, "body": {"at": object()}}, "cannot be written as JSON"),
    ({"kind": "answer"}, "status: missing; answer needs it"),
    ({"kind": "answer", "status": "503"}, "status: '503' is not a whole number from 200 to 599"),
    ({"kind": "answer", "status": 503, "retry_after": "a\nb"}, "retry_after"),
    ({"kind": "garble", "body": 7}, "body: 7 is no text"),
    ({"kind": "truncate", "keep": -1}, "keep: -1"),
    ({"kind": "without_update_v2", "status": 500}, "status: 500 is not one of 404, 405"),
    ({"kind": "delay"}, "seconds: missing"),
    ({"kind": "delay", "seconds": -1}, "seconds: -1 is not a number of seconds"),
    ({"kind": "surplus", "extra": 0}, "extra: 0"),
    ({"kind": "chaos", "rate": 2}, "rate: 2"),
    ({"kind": "chaos", "kinds": ["fire"]}, "kinds: 'fire' is not one of"),
    ({"kind": "chaos", "kinds": "drop"}, "kinds: 'drop' is no list"),
    ({"kind": "chaos", "kinds": []}, "kinds: there are none"),
]


@pytest.mark.parametrize(("step", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_bad_arguments_are_refused_in_words_that_help(step: dict[str, Any], problem: str) -> None:
    faults = DevServer().faults
    with pytest.raises(ConfigurationError) as caught:
        faults.add(step)
    assert problem in str(caught.value)
    with pytest.raises(ConfigurationError, match="step 2: "):
        faults.script([{"kind": "drop"}, step])
    assert len(faults) == 0
