"""The transport with servers that others wrote: uvicorn and hypercorn, with and without TLS."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest
import trustme

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.conductor.http1 import Http1Transport

TIMEOUTS = Timeouts(connect=30, read=30, write=30, pool=30)
BIG = bytes(range(256)) * 10_000


@attrs.frozen
class Server:
    """A server in a process of its own."""

    url: str
    context: ssl.SSLContext
    """Trusts it."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def command(server: str, fd: int, certificate: Path | None) -> list[str]:
    if server == "uvicorn":
        options = ["--fd", str(fd), "--log-level", "warning"]
        tls = ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(certificate)]
    else:
        options = ["--bind", f"fd://{fd}", "--log-level", "warning"]
        tls = ["--certfile", str(certificate), "--keyfile", str(certificate)]
    return [sys.executable, "-m", server, "echo_app:app", *options, *(tls if certificate else [])]


@pytest.fixture(scope="module", params=["uvicorn", "uvicorn-tls", "hypercorn", "hypercorn-tls"])
def server(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    name, _, tls = request.param.partition("-")
    certificate = None
    if tls:
        certificate = tmp_path_factory.mktemp("tls") / "server.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    # It listens before the server runs, so the first request waits until the server does.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            command(name, listener.fileno(), certificate),
            cwd=Path(__file__).parent,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            # hypercorn serves from a child, which outlives a parent that is killed alone.
            start_new_session=True,
        )
        try:
            url = f"{'https' if tls else 'http'}://localhost:{listener.getsockname()[1]}"
            httpx.get(url + "/ok", verify=context, timeout=30)
            yield Server(url, context)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
async def transport(server: Server) -> AsyncIterator[Http1Transport]:
    async with Http1Transport(ssl_context=server.context) as transport:
        yield transport


@pytest.fixture
def exchange(server: Server, transport: Http1Transport) -> Exchange:
    return transport.origin(server.url)


async def get(exchange: Exchange, target: bytes, method: bytes = b"GET") -> Answer:
    with anyio.fail_after(30):
        return await exchange.exchange(method, target, b"Accept: */*\r\n", b"", TIMEOUTS)


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        (b"/ok", 200, b"ok"),
        (b"/empty", 204, b""),
        (b"/unchanged", 304, b""),
        (b"/missing", 404, b"missing"),
        (b"/moved", 302, b""),
        (b"/close", 200, b"bye"),
        (b"/chunked", 200, b"".join(b"%d," % number for number in range(1000))),
        (b"/target?a=%2F&b=+%20", 200, b"/target?a=%2F&b=+%20"),
    ],
)
async def test_every_form_of_answer_is_read(
    exchange: Exchange, target: bytes, status: int, body: bytes
) -> None:
    for _ in range(2):
        answer = await get(exchange, target)
        assert (answer.status, answer.body) == (status, body)
        assert answer.header(b"x-method") == b"GET"


async def test_head_answers_leave_the_connection_in_order(exchange: Exchange) -> None:
    for target in (b"/ok", b"/chunked", b"/missing", b"/empty"):
        assert (await get(exchange, target, b"HEAD")).body == b""
        assert (await get(exchange, b"/ok")).body == b"ok"


@pytest.mark.parametrize("size", [0, 1, 16_000, 20_000, len(BIG)])
async def test_bodies_of_any_size_travel_both_ways(exchange: Exchange, size: int) -> None:
    with anyio.fail_after(30):
        for _ in range(2):
            answer = await exchange.exchange(b"POST", b"/echo", b"", BIG[:size], TIMEOUTS)
            assert answer.body == BIG[:size]


async def test_connection_is_kept_until_the_server_closes_it(exchange: Exchange) -> None:
    ports = [(await get(exchange, b"/client")).body for _ in range(5)]
    assert len(set(ports)) == 1
    await get(exchange, b"/empty")
    assert (await get(exchange, b"/client")).body == ports[0]
    await get(exchange, b"/close")
    assert (await get(exchange, b"/client")).body != ports[0]


async def test_exchanges_at_the_same_time_have_connections_of_their_own(exchange: Exchange) -> None:
    async def check(number: int) -> None:
        body = b"%d" % number * 5000
        for _ in range(5):
            assert (await exchange.exchange(b"PUT", b"/echo", b"", body, TIMEOUTS)).body == body

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(check, number)


async def test_httpx_client_works_on_the_transport(server: Server, transport: Http1Transport) -> None:
    with anyio.fail_after(30):
        async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
            response = await client.get("/ok", params={"a": "b c"})
            assert (response.status_code, response.text, response.http_version) == (200, "ok", "HTTP/1.1")
            assert (await client.get("/gzip")).text == "squeezed"
            assert (await client.head("/ok")).headers["content-length"] == "2"
            assert (await client.get("/moved")).status_code == 302
            assert (await client.get("/moved", follow_redirects=True)).text == "ok"
            assert (await client.post("/echo", json={"a": 1})).json() == {"a": 1}
            async with client.stream("GET", "/chunked") as streamed:
                assert len(await streamed.aread()) == 3890


async def test_httpx_streams_are_sent_as_a_whole(server: Server, transport: Http1Transport) -> None:
    async def produce() -> AsyncIterator[bytes]:
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
            yield b"piece"

    with anyio.fail_after(30):
        async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
            assert (await client.post("/echo", content=produce())).content == b"piece" * 3
            upload = {"file": ("name", BIG[:1000])}
            assert BIG[:1000] in (await client.post("/echo", files=upload)).content


async def test_httpx_request_can_ask_for_the_end_of_the_connection(
    server: Server, transport: Http1Transport
) -> None:
    with anyio.fail_after(30):
        async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
            ports = [(await client.get("/client", headers={"Connection": "close"})).text for _ in range(2)]
    assert ports[0] != ports[1]


async def test_httpx_timeouts_are_honoured(server: Server, transport: Http1Transport) -> None:
    with anyio.fail_after(30):
        async with httpx.AsyncClient(transport=transport, base_url=server.url, timeout=None) as client:
            assert (await client.get("/ok")).text == "ok"
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/never", timeout=httpx.Timeout(None, read=0.05))
            assert (await client.get("/ok", timeout=30)).text == "ok"


@pytest.mark.parametrize("headers", [{"X": "a\r\nb: c"}, {"X": "a\0"}, {"X y": "a"}])
async def test_httpx_headers_cannot_smuggle(
    server: Server, transport: Http1Transport, headers: dict[str, str]
) -> None:
    with pytest.raises(httpx.LocalProtocolError), anyio.fail_after(30):
        await transport.handle_async_request(httpx.Request("GET", server.url + "/ok", headers=headers))


async def test_request_without_a_client_has_a_whole_response(
    server: Server, transport: Http1Transport
) -> None:
    with anyio.fail_after(30):
        response = await transport.handle_async_request(httpx.Request("GET", server.url + "/ok"))
        assert await response.aread() == b"ok"
