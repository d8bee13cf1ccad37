"""Faults on demand on a socket: connections are really lost, under each of uvicorn's protocols and loops."""

import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
import uvicorn

from anyworker.devserver import DevServer
from anyworker.devserver.shells.protocol import DevServerProtocol

PATIENCE = 10.0
"""Real seconds for what takes milliseconds."""


@pytest.fixture(params=["h11-asyncio", "httptools-asyncio", "httptools-uvloop", "own-asyncio"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[DevServer, httpx.Client]]:
    http, loop = request.param.split("-")
    server = DevServer()
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        server.asgi(),
        http=DevServerProtocol if http == "own" else http,
        loop=loop,
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    shell = uvicorn.Server(config)
    thread = threading.Thread(target=shell.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            tasks = [{"name": "t", "taskReferenceName": "t"}]
            client.put("/metadata/workflow", json=[{"name": "w", "tasks": tasks}]).raise_for_status()
            yield server, client
    finally:
        server.faults.clear()
        shell.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_connections_are_lost_and_bodies_cut(served: tuple[DevServer, httpx.Client]) -> None:
    server, http = served
    server.faults.drop("GET /health", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
        http.get("/health")
    server.faults.drop("GET /health", how="reset", times=1)
    with pytest.raises(httpx.ReadError):
        http.get("/health")
    server.faults.drop("POST /workflow", after_effect=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/workflow", json={"name": "w"})
    server.faults.truncate("GET /tasks/poll/batch/{type}", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        http.get("/tasks/poll/batch/t?timeout=0")
    server.faults.truncate("GET /version", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="received"):
        http.get("/version")
    assert http.get("/tasks/queue/size?taskType=t").json() == 0, "the poll had its effect"
    assert server.faults.hits == 5


def test_what_hangs_is_released_from_another_thread(served: tuple[DevServer, httpx.Client]) -> None:
    server, http = served
    for undo in (server.faults.release, server.faults.clear):
        server.faults.reset()
        server.faults.hang("GET /health", times=1)
        _in_thread(lambda: http.get("/health"), lambda: server.faults.hits == 1, undo)


def test_waiting_poll_ends_at_once_when_hurried_from_another_thread(
    served: tuple[DevServer, httpx.Client],
) -> None:
    server, http = served
    gone = server.faults.delay(0, "GET /tasks/poll/batch/{type}")
    _in_thread(
        lambda: http.get("/tasks/poll/batch/t?timeout=5000"), lambda: gone.hits == 1, server.hurry, most=2.0
    )


def _in_thread(
    ask: Callable[[], httpx.Response],
    has_arrived: Callable[[], bool],
    undo: Callable[[], None],
    most: float = PATIENCE,
) -> None:
    """Ask from a thread; when the request has arrived, undo what holds it, and see that it is answered."""
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(ask().status_code))
    thread.start()
    arrived = threading.Event()
    for _ in range(1000):
        if has_arrived():
            break
        arrived.wait(0.01)
    undo()
    thread.join(most)
    assert answers == [200]
    assert not thread.is_alive()


def test_hundredth_response_and_every_400_and_500_close_the_connection(
    served: tuple[DevServer, httpx.Client],
) -> None:
    _, http = served
    with socket.create_connection((str(http.base_url.host), http.base_url.port or 0), PATIENCE) as end:
        reader = end.makefile("rb")
        for number in range(1, 101):
            end.sendall(b"GET /api/version HTTP/1.1\r\nhost: x\r\n\r\n")
            head = _head(reader.readline)
            reader.read(int(head[b"content-length"]))
            assert (head.get(b"connection") == b"close") is (number == 100)
        assert reader.read() == b"", "closed"
    with socket.create_connection((str(http.base_url.host), http.base_url.port or 0), PATIENCE) as end:
        end.sendall(b"GET /api/tasks/queue/size HTTP/1.1\r\nhost: x\r\n\r\n")
        reader = end.makefile("rb")
        assert _head(reader.readline)[b"connection"] == b"close"
        assert reader.read().endswith(b"0\r\n\r\n"), "closed after the last chunk"


def _head(readline: Callable[[], bytes]) -> dict[bytes, bytes]:
    """Read a status line and headers."""
    readline()
    found = {}
    while (line := readline().strip()) != b"":
        name, _, value = line.partition(b":")
        found[name.lower()] = value.strip()
    return found
