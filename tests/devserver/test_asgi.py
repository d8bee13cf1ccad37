"""The dev server on a socket, under uvicorn."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from anyworker.devserver import DevServer


@contextmanager
def serving(server: DevServer) -> Iterator[httpx.Client]:
    """Serve on a free port from a thread."""
    config = uvicorn.Config(server.asgi(), port=0, log_config=None, lifespan="on")
    started = threading.Event()

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: object = None) -> None:
            await super().startup(None)
            started.set()

    shell = Announcing(config)
    thread = threading.Thread(target=shell.run)
    thread.start()
    try:
        assert started.wait(10)
        port = shell.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=10) as http:
            yield http
    finally:
        shell.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with serving(DevServer()) as client:
        tasks = [{"name": "t", "taskReferenceName": "t"}]
        client.put("/metadata/workflow", json=[{"name": "w", "tasks": tasks}]).raise_for_status()
        yield client


def test_task_goes_from_start_to_completion(http: httpx.Client) -> None:
    workflow_id = http.post("/workflow", json={"name": "w", "input": {"x": 1}}).text
    (task,) = http.get("/tasks/poll/batch/t", params={"timeout": 1000, "workerid": "me"}).json()
    report = {"workflowInstanceId": workflow_id, "taskId": task["taskId"], "status": "COMPLETED"}
    assert http.post("/tasks", json=report | {"outputData": {"y": 2}}).text == task["taskId"]
    workflow = http.get(f"/workflow/{workflow_id}").json()
    assert (workflow["status"], workflow["output"]) == ("COMPLETED", {"y": 2})


def test_json_goes_out_in_chunks_and_text_with_its_length(http: httpx.Client) -> None:
    answer = http.get("/tasks/poll/batch/x", params={"timeout": 0})
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["transfer-encoding"], answer.text) == ("chunked", "[]")
    answer = http.get("/version")
    assert answer.headers["content-length"] == str(len(answer.content))
    answer = http.get("/tasks/poll/x")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers


def test_connection_is_closed_after_400_and_500_only(http: httpx.Client) -> None:
    closed = {
        path: http.get(path).headers.get("connection") == "close"
        for path in ("/tasks/poll/batch/x?timeout=9999", "/tasks/queue/size", "/nosuch", "/health")
    }
    assert list(closed.values()) == [True, True, False, False]


def test_path_reaches_the_server_as_it_was_sent(http: httpx.Client) -> None:
    name = "a b;c%d+é?#"
    http.get(f"/tasks/poll/batch/{'a%20b%3Bc%25d%2B%C3%A9%3F%23'}", params={"timeout": 0}).raise_for_status()
    found = http.get("/tasks/queue/polldata", params={"taskType": name}).json()
    assert [data["queueName"] for data in found] == [name]
    assert http.get("/tasks/poll/batch/a%2Fb").headers["content-type"] == "text/html;charset=utf-8"


def test_body_may_come_in_chunks(http: httpx.Client) -> None:
    parts = iter([b'{"na', b'me":"', b'w"}'])
    answer = http.post("/workflow", content=parts, headers={"content-type": "application/json"})
    assert (answer.status_code, len(answer.text)) == (200, 36)
    http.delete(f"/workflow/{answer.text}").raise_for_status()


def test_poll_whose_client_has_gone_still_takes_the_task(http: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        http.get("/tasks/poll/batch/t", params={"timeout": 3000, "workerid": "gone"}, timeout=0.2)
    workflow_id = http.post("/workflow", json={"name": "w"}).text
    http.get("/tasks/poll/another")  # takes as long as from one look of the abandoned poll to the next
    (task,) = http.get(f"/workflow/{workflow_id}").json()["tasks"]
    assert (task["status"], task["workerId"]) == ("IN_PROGRESS", "gone")
