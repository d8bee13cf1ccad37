"""Section 1 of the contract: HTTP, as far as a client can see it, and the text of JSON."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import ByteStream
from black_box import Conductor, ids
from conformance_cases import case

SOCKET = ("dev-socket", "real")
NO_SOCKET = "1: about connections, and in process there are none"

Head = tuple[int, dict[str, str]]


class Connection:
    """One connection, byte by byte."""

    def __init__(self, stream: ByteStream, conductor: Conductor) -> None:
        self.stream = stream
        self.prefix = conductor.http.base_url.path.rstrip("/")
        self.host = f"{conductor.http.base_url.host}:{conductor.http.base_url.port}"
        self.buffer = b""

    async def send(self, path: str, *headers: str, method: str = "GET", version: str = "1.1") -> None:
        """Send a request without a body."""
        lines = [f"{method} {self.prefix}{path} HTTP/{version}", f"Host: {self.host}", *headers, "", ""]
        await self.stream.send("\r\n".join(lines).encode())

    async def head(self) -> Head:
        """Return the next answer's status and headers, names in lower case."""
        first, *lines = (await self._until(b"\r\n\r\n")).decode("latin-1").splitlines()
        pairs = (line.split(":", 1) for line in lines if line)
        return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer whole."""
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, await self._chunks()
        body = await self._exactly(int(headers.get("content-length", 0)))
        return status, headers, body

    async def receive(self) -> bytes:
        """Return the bytes that have come, at least one."""
        found, self.buffer = self.buffer or await self.stream.receive(), b""
        return found

    async def is_closed(self) -> bool:
        """Return whether the server has closed the connection, or does within two seconds."""
        with anyio.move_on_after(2):
            try:
                return not self.buffer and not await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return True
        return False

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._until(b"\r\n"), 16):
            body += await self._exactly(size)
            await self._exactly(2)
        await self._exactly(2)
        return body

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.buffer += await self.stream.receive()
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    async def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.buffer += await self.stream.receive()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found


@asynccontextmanager
async def connected(conductor: Conductor) -> AsyncIterator[Connection]:
    """Connect."""
    url = conductor.http.base_url
    async with await anyio.connect_tcp(url.host, url.port or 80) as stream:
        yield Connection(stream, conductor)


@case("1-100th-response-closes-the-connection", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    async with connected(conductor) as connection:
        for number in range(1, 101):
            await connection.send("/tasks/poll/batch/none?timeout=0")
            _, headers, _ = await connection.answer()
            assert (headers.get("connection") == "close") == (number == 100), number
        assert await connection.is_closed()


@case("1-400-and-500-close-the-connection-and-404-does-not", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    async with connected(conductor) as connection:
        await connection.send("/nosuch")
        assert (await connection.answer())[0] == 404
        await connection.send("/tasks/queue/size")
        status, headers, _ = await connection.answer()
        assert (status, headers["connection"]) == (500, "close")
        assert await connection.is_closed()


@case("1-pipelined-requests-are-answered-in-order-behind-a-long-poll", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    async with connected(conductor) as connection:
        with conductor.took(0.5, 0.6):
            await connection.send(f"/tasks/poll/batch/{name}?timeout=500")
            await connection.send(f"/tasks/queue/size?taskType={name}")
            assert [(await connection.answer())[2] for _ in range(2)] == [b"[]", b"0"]


@case("1-json-comes-in-chunks-text-with-its-length-and-204-bare", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    async with connected(conductor) as connection:
        await connection.send(f"/tasks/queue/size?taskType={name}")
        _, headers, _ = await connection.answer()
        assert (headers["content-type"], headers["transfer-encoding"]) == ("application/json", "chunked")
        assert "content-length" not in headers
        await connection.send("/version")
        _, headers, text = await connection.answer()
        assert headers["content-type"] == "text/plain;charset=UTF-8"
        assert headers["content-length"] == str(len(text))
        await connection.send(f"/tasks/poll/{name}")
        status, headers = await connection.head()
        assert (status, {"content-type", "content-length", "transfer-encoding"} & set(headers)) == (
            204,
            set(),
        )


@case("1-http-1.0-works", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    async with connected(conductor) as connection:
        await connection.send("/tasks/queue/size?taskType=none", version="1.0")
        status, _ = await connection.head()
        assert (status, await connection.receive()) == (200, b"0")
        assert await connection.is_closed()


@case("1-upgrade-to-http-2-is-ignored", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    async with connected(conductor) as connection:
        upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
        await connection.send("/tasks/queue/size?taskType=none", *upgrade)
        status, _, body = await connection.answer()
        assert (status, body) == (200, b"0")


@case("1-head-of-8-kib-is-refused-with-a-page", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    for length, expected in ((7900, 200), (8300, 400)):
        async with connected(conductor) as connection:
            await connection.send(f"/tasks/queue/size?taskType={'x' * length}")
            status, headers, _ = await connection.answer()
            assert status == expected
    assert headers["content-type"].startswith("text/html")


@case("1-more-than-100-headers-are-refused-with-a-page", only=SOCKET, why=NO_SOCKET)
async def _(conductor: Conductor) -> None:
    for count, expected in ((90, 200), (120, 400)):
        async with connected(conductor) as connection:
            await connection.send("/tasks/queue/size?taskType=x", *(f"X-{n}: 1" for n in range(count)))
            status, headers, _ = await connection.answer()
            assert status == expected
    assert headers["content-type"].startswith("text/html")


@case("1-credentials-and-accept-are-ignored-and-nothing-is-compressed")
async def _(conductor: Conductor) -> None:
    headers = {"X-Authorization": "nonsense", "Accept": "application/xml", "Accept-Encoding": "gzip"}
    reply = await conductor.request(
        "GET", f"/tasks/poll/batch/{conductor.unique()}?timeout=0", headers=headers
    )
    assert (reply.status, reply.content_type, reply.body) == (200, "application/json", [])
    assert "content-encoding" not in reply.headers


@case("1-compressed-body-is-500")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    text = f'{{"workflowInstanceId":"{task["workflowInstanceId"]}","taskId":"{task["taskId"]}"}}'
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    content = gzip.compress(text.encode())
    assert (await conductor.request("POST", "/tasks", content=content, headers=headers)).status == 500


@case("1-version-is-below-api-and-a-page-at-the-root")
async def _(conductor: Conductor) -> None:
    reply = await conductor.request("GET", "/version")
    assert (reply.status, reply.content_type, reply.body[:6]) == (200, "text/plain", "3.32.3")
    await conductor.refused(404, "GET", conductor.outside("/version"))
    reply = await conductor.request("GET", conductor.outside("/"))
    assert (reply.status, reply.content_type) == (200, "text/html")


@case("1-wrong-base-url-is-404-that-names-the-path")
async def _(conductor: Conductor) -> None:
    body = await conductor.refused(404, "GET", conductor.outside("/wrong/tasks/x"))
    assert body["message"] == "No static resource wrong/tasks/x."


@case("1-numbers-and-characters-survive")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    text = '{"a":12345678901234567890,"b":1.0E300,"c":-0.0,"d":"\\uD83D\\uDE00","e":1.50,"f":1e-7}'
    known = f'"workflowInstanceId":"{task["workflowInstanceId"]}","taskId":"{task["taskId"]}"'
    content = f'{{{known},"status":"COMPLETED","outputData":{text}}}'.encode()
    assert (await conductor.request("POST", "/tasks", content=content)).status == 200
    reply = await conductor.request("GET", f"/tasks/{task['taskId']}")
    # Compared as text: to ==, -0.0 is 0.
    assert repr(reply.body["outputData"]) == repr(json.loads(text))
    assert b'"\\uD83D\\uDE00"' in reply.raw


@case("1-null-properties-are-left-out-but-kept-in-input-and-output")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    step = {"name": name, "taskReferenceName": name, "inputParameters": {"x": "${workflow.input.nosuch}"}}
    await conductor.start(await conductor.flow(step), input={"n": None})
    task = await conductor.take(name)
    assert task["inputData"] == {"x": None}
    assert not {"correlationId", "domain", "reasonForIncompletion", "retriedTaskId"} & set(task)
    await conductor.update(task, "COMPLETED", outputData={"y": None})
    assert (await conductor.task(task))["outputData"] == {"y": None}


@case("1-body-in-chunks-is-fine")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()

    async def parts() -> AsyncIterator[bytes]:
        for part in (b'{"na', f'me":"{name}'.encode(), b'"}'):
            yield part

    headers = {"content-type": "application/json"}
    answer = await conductor.http.post("/workflow", content=parts(), headers=headers)
    assert (answer.status_code, await conductor.status(answer.text)) == (200, "RUNNING")


@case("1-content-type-must-be-json")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    content = f'{{"taskId":"{ids(task)["taskId"]}"}}'.encode()
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense"):
        reply = await conductor.request("POST", "/tasks", content=content, headers={"content-type": kind})
        assert reply.status == 500
