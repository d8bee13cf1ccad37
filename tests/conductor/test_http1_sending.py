"""How requests are written, and what becomes of those that nobody takes."""

import socket

import anyio
import attrs
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream
from scripted_server import (
    OK,
    TIMEOUTS,
    Peer,
    answer_ok,
    exchange_with,
    get,
    scripted_server,
)

from anyworker.conductor.exchange import Answer, Exchange
from anyworker.conductor.http1 import Http1Transport
from anyworker.conductor.http1_connection import Connection, close
from anyworker.conductor.http1_parser import AnswerParser

BIG = bytes(range(256)) * 40_000


async def test_request_is_written_exactly() -> None:
    async def post(exchange: Exchange) -> Answer:
        return await exchange.exchange(
            b"POST", b"/api/tasks?x=%20", b"Content-Type: a/b\r\n", b"{}", TIMEOUTS
        )

    answer, server = await exchange_with(answer_ok, post)
    host = server.url.removeprefix("http://").encode()
    assert server.requests == [
        b"POST /api/tasks?x=%%20 HTTP/1.1\r\nHost: %b\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}"
        % host
    ]
    assert answer == Answer(200, [(b"content-length", b"2")], b"ok")


@pytest.mark.parametrize(("method", "says_length"), [(b"POST", True), (b"PUT", True), (b"GET", False)])
async def test_empty_body_has_a_length_where_one_is_expected(method: bytes, *, says_length: bool) -> None:
    _, server = await exchange_with(answer_ok, lambda e: e.exchange(method, b"/", b"", b"", TIMEOUTS))
    assert (b"Content-Length: 0\r\n" in server.requests[0]) is says_length


async def test_large_bodies_travel_both_ways() -> None:
    async def echo(peer: Peer) -> None:
        while True:
            body = (await peer.request()).partition(b"\r\n\r\n")[2]
            await peer.send(b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def twice(exchange: Exchange) -> Answer:
        await exchange.exchange(b"POST", b"/", b"", BIG, TIMEOUTS)
        return await exchange.exchange(b"POST", b"/", b"", BIG, TIMEOUTS)

    answer, server = await exchange_with(echo, twice)
    assert answer.body == BIG
    assert len(server.requests) == 2


async def test_request_that_the_kernel_takes_in_pieces_travels_whole() -> None:
    """Below the size that is sent while listening; tiny buffers make it wait for its reader."""
    request = b"POST / HTTP/1.1\r\n\r\n" + BIG[:16_000]
    received = b""

    async def serve(peer: SocketStream) -> None:
        nonlocal received
        async with peer:
            while len(received) < len(request):
                received += await peer.receive()
            await peer.send(OK)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        socket_of(listener).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            stream = await anyio.connect_tcp("127.0.0.1", listener.extra(SocketAttribute.local_port))
            socket_of(stream).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            connection = Connection(stream, AnswerParser(max_header_bytes=999, max_body_bytes=999), 0)
            with anyio.fail_after(10):
                answer = await connection.exchange(request, is_head=False, timeouts=TIMEOUTS)
            await close(connection)
            group.cancel_scope.cancel()
    assert answer.body == b"ok"
    assert received == request


def socket_of(holder: anyio.TypedAttributeProvider) -> socket.socket:
    raw: socket.socket = holder.extra(SocketAttribute.raw_socket)
    return raw


async def test_request_that_nobody_takes_is_a_write_timeout() -> None:
    timeouts = attrs.evolve(TIMEOUTS, write=0.2)
    # The kernel accepts for the listener, and takes no more than fits into its buffer.
    with socket.create_server(("127.0.0.1", 0)) as listener, anyio.fail_after(10):
        async with Http1Transport() as transport:
            exchange = transport.origin(f"http://127.0.0.1:{listener.getsockname()[1]}")
            with pytest.raises(httpx.WriteTimeout, match=r"0\.2 s"):
                await exchange.exchange(b"POST", b"/", b"", BIG * 3, timeouts)


async def test_read_timeout_begins_when_a_large_request_is_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.until_closed()

    async def post(exchange: Exchange) -> Answer:
        return await exchange.exchange(b"POST", b"/", b"", BIG, attrs.evolve(TIMEOUTS, write=9, read=0.1))

    with pytest.raises(httpx.ReadTimeout), anyio.fail_after(4):
        await exchange_with(script, post)


@pytest.mark.parametrize("body", [b"", b"x" * 1000, BIG])
async def test_answer_given_before_the_request_is_read_is_not_lost(body: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive(10)
        await peer.send(b"HTTP/1.1 413 \r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge")
        await anyio.aclose_forcefully(peer.stream)

    answer, server = await exchange_with(script, lambda e: e.exchange(b"POST", b"/", b"", body, TIMEOUTS))
    assert (answer.status, answer.body, server.connections) == (413, b"large", 1)


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_answer_that_came_before_the_connection_broke_is_read_although_nothing_can_be_sent() -> None:
    """On trio; asyncio's transports throw away what they have not read when writing fails."""
    broken = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 503 \r\nContent-Length: 4\r\n\r\nbusy")
        await peer.server.idle.wait()
        await peer.reset()
        broken.set()

    with anyio.fail_after(10):
        async with scripted_server(script) as server:
            url = httpx.URL(server.url)
            stream = await anyio.connect_tcp(url.host, url.port)
            parser = AnswerParser(max_header_bytes=1000, max_body_bytes=1000)
            connection = Connection(stream, parser, epoch=0)
            server.idle.set()
            await broken.wait()
            answer = await connection.exchange(b"GET / HTTP/1.1\r\n\r\n", is_head=False, timeouts=TIMEOUTS)
            assert (answer.body, connection.keeps_alive) == (b"busy", False)
            with pytest.raises(httpx.WriteError):
                await connection.exchange(b"GET / HTTP/1.1\r\n\r\n", is_head=False, timeouts=TIMEOUTS)
            await close(connection)


async def test_connection_is_not_kept_when_the_answer_came_before_the_end_of_the_request() -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 0:
            await peer.stream.receive(10)
            await peer.send(OK)
            await anyio.sleep_forever()
        await answer_ok(peer)

    async def post_then_get(exchange: Exchange) -> Answer:
        await exchange.exchange(b"POST", b"/", b"", BIG, TIMEOUTS)
        return await get(exchange)

    _, server = await exchange_with(script, post_then_get)
    assert server.connections == 2


async def test_connection_broken_while_a_large_request_is_sent_is_a_write_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive(10)
        await peer.reset()

    with pytest.raises((httpx.WriteError, httpx.ReadError)):
        await exchange_with(script, lambda e: e.exchange(b"POST", b"/", b"", BIG, TIMEOUTS))


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        (b"GET /x HTTP/1.1\r\nA: b\r\n\r\n", b"/", b""),
        (b"", b"/", b""),
        (b"CONNECT", b"/", b""),
        (b"GET", b"", b""),
        (b"GET", b"x", b""),
        (b"GET", b"/a b", b""),
        (b"GET", b"/a\r\nX: y", b""),
        (b"GET", b"/a\nX", b""),
        (b"GET", b"/\xc3\xa4", b""),
        (b"GET", b"/a\0", b""),
        (b"GET", b"/", b"A: b"),
        (b"GET", b"/", b"A: b\n"),
        (b"GET", b"/", b"A: b\r\n\r\nGET / HTTP/1.1\r\n"),
        (b"GET", b"/", b"A: b\rC: d\r\n"),
        (b"GET", b"/", b"A: b\0\r\n"),
        (b"GET", b"/", b"A b: c\r\n"),
        (b"GET", b"/", b": c\r\n"),
        (b"GET", b"/", b"Host: elsewhere\r\n"),
        (b"GET", b"/", b"A: b\r\ncontent-length: 5\r\n"),
        (b"GET", b"/", b"Transfer-Encoding: chunked\r\n"),
        (b"GET", b"/", b"CONNECTION: close\r\n"),
    ],
)
async def test_injection_is_refused_before_anything_is_sent(
    method: bytes, target: bytes, headers: bytes
) -> None:
    with anyio.fail_after(10):
        async with scripted_server(answer_ok) as server, Http1Transport() as transport:
            exchange = transport.origin(server.url)
            for _ in range(2):
                with pytest.raises(httpx.LocalProtocolError):
                    await exchange.exchange(method, target, headers, b"", TIMEOUTS)
            await get(exchange)
            assert len(server.requests) == 1
