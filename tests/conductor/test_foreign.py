"""Exchanges over transports that others wrote."""

import gzip
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest
from echo_app import app
from scripted_server import OK, Peer, answer_ok, scripted_server

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.conductor.foreign import ForeignExchange
from anyworker.conductor.http1 import Http1Transport

TIMEOUTS = Timeouts(connect=5, read=5, write=5, pool=5)


async def get(exchange: Exchange, target: bytes = b"/ok", timeouts: Timeouts = TIMEOUTS) -> Answer:
    with anyio.fail_after(10):
        return await exchange.exchange(b"GET", target, b"Accept: */*\r\nX-A:b\r\n", b"", timeouts)


@attrs.define(eq=False)
class Stream(httpx.AsyncByteStream):
    """A body that comes piece by piece, and notes that it was closed."""

    pieces: list[bytes]
    is_endless: bool = False
    is_closed: bool = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await anyio.lowlevel.checkpoint()
            yield piece
        if self.is_endless:
            await anyio.sleep_forever()

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.is_closed = True


def answering(response: httpx.Response) -> ForeignExchange:
    return ForeignExchange(httpx.MockTransport(lambda _: response), "http://server", max_body_bytes=100)


async def test_request_arrives_as_it_was_given() -> None:
    requests = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(201, headers=[("X-Y", "1"), ("x-y", "2")], content=b"done")

    exchange = ForeignExchange(httpx.MockTransport(handle), "https://server:8443/ignored")
    headers = b"Content-Type: a/b\r\nX-Empty:\r\nX-Two: 1\r\nX-Two: 2\r\n"
    answer = await exchange.exchange(b"POST", b"/api/t%2Fx?a=%20&b", headers, b"{}", TIMEOUTS)
    (request,) = requests
    assert (request.method, str(request.url)) == ("POST", "https://server:8443/api/t%2Fx?a=%20&b")
    assert request.content == b"{}"
    assert request.headers["host"] == "server:8443"
    assert request.headers["content-length"] == "2"
    assert request.headers.get_list("x-two") == ["1", "2"]
    assert request.headers["x-empty"] == ""
    assert request.extensions["timeout"] == {"connect": 5, "read": 5, "write": 5, "pool": 5}
    assert answer == Answer(201, [(b"x-y", b"1"), (b"x-y", b"2"), (b"content-length", b"4")], b"done")


async def test_redirect_is_an_answer_like_any_other() -> None:
    answer = await get(answering(httpx.Response(302, headers={"Location": "https://elsewhere/"})))
    assert (answer.status, answer.header(b"location")) == (302, b"https://elsewhere/")


async def test_coded_body_is_decoded_and_says_nothing_of_it() -> None:
    coded = gzip.compress(b"plain")
    stream = Stream([coded[:5], coded[5:]])
    response = httpx.Response(
        200, headers={"Content-Encoding": "gzip", "Content-Length": str(len(coded)), "A": "b"}, stream=stream
    )
    assert await get(answering(response)) == Answer(200, [(b"a", b"b")], b"plain")
    assert stream.is_closed


async def test_wrongly_coded_body_is_a_protocol_error() -> None:
    stream = Stream([b"not gzip at all"])
    with pytest.raises(httpx.RemoteProtocolError, match="coding"):
        await get(answering(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)))
    assert stream.is_closed


@pytest.mark.parametrize("coded", [False, True])
async def test_body_above_the_limit_is_a_protocol_error(*, coded: bool) -> None:
    body = b"x" * 101
    stream = Stream([gzip.compress(body)] if coded else [body[:60], body[60:]])
    headers = {"Content-Encoding": "gzip"} if coded else {}
    with pytest.raises(httpx.RemoteProtocolError, match="limit of 100 bytes"):
        await get(answering(httpx.Response(200, headers=headers, stream=stream)))
    assert stream.is_closed


async def test_body_that_never_ends_is_a_read_timeout_and_is_closed() -> None:
    stream = Stream([b"a"], is_endless=True)
    with pytest.raises(httpx.ReadTimeout):
        await get(answering(httpx.Response(200, stream=stream)), timeouts=attrs.evolve(TIMEOUTS, read=0.05))
    assert stream.is_closed


async def test_cancelled_exchange_closes_the_response() -> None:
    stream = Stream([b"a"], is_endless=True)
    with anyio.move_on_after(0.05) as scope:
        await get(answering(httpx.Response(200, stream=stream)))
    assert scope.cancelled_caught
    assert stream.is_closed


async def test_transport_that_never_answers_is_a_read_timeout() -> None:
    async def handle(_: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    exchange = ForeignExchange(httpx.MockTransport(handle), "http://server")
    with pytest.raises(httpx.ReadTimeout):
        await get(exchange, timeouts=attrs.evolve(TIMEOUTS, read=0.05))


@pytest.mark.parametrize("error", [httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x")])
async def test_errors_of_the_transport_come_through(error: httpx.TransportError) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(type(error)):
        await get(ForeignExchange(httpx.MockTransport(handle), "http://server"))


async def test_errors_of_the_system_become_transport_errors() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise ConnectionResetError("gone")

    with pytest.raises(httpx.ReadError, match="gone"):
        await get(ForeignExchange(httpx.MockTransport(handle), "http://server"))


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [(b"G T", b"/", b""), (b"GET", b"/ ", b""), (b"GET", b"/", b"A: b\n"), (b"GET", b"/" * 70_000, b"")],
)
async def test_injection_is_refused_before_the_transport_sees_it(
    method: bytes, target: bytes, headers: bytes
) -> None:
    requests: list[httpx.Request] = []
    transport = httpx.MockTransport(lambda request: requests.append(request) or httpx.Response(200))
    with pytest.raises(httpx.LocalProtocolError):
        await ForeignExchange(transport, "http://server").exchange(method, target, headers, b"", TIMEOUTS)
    assert not requests


async def test_closing_closes_the_transport() -> None:
    closed = []

    class Transport(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.append(True)

    await ForeignExchange(Transport(lambda _: httpx.Response(200)), "http://server").aclose()
    assert closed == [True]


async def test_application_in_the_same_process_is_reached() -> None:
    exchange = ForeignExchange(httpx.ASGITransport(app), "http://server")
    assert (await get(exchange)).body == b"ok"
    assert (await get(exchange, b"/gzip")).body == b"squeezed"
    assert (await get(exchange, b"/target?x=%2F")).body == b"/target?x=%2F"
    assert (await exchange.exchange(b"PUT", b"/echo", b"", b"body", TIMEOUTS)).body == b"body"


Make = Callable[[], httpx.AsyncBaseTransport]


@pytest.mark.parametrize("make", [httpx.AsyncHTTPTransport, Http1Transport])
@pytest.mark.blocking
async def test_transport_with_sockets_is_reached(make: Make) -> None:
    with anyio.fail_after(20):
        async with scripted_server(answer_ok) as server:
            exchange = ForeignExchange(make(), server.url)
            for _ in range(3):
                assert (await get(exchange)).body == b"ok"
            await exchange.aclose()
            assert (server.connections, len(server.requests)) == (1, 3)


@pytest.mark.parametrize("make", [httpx.AsyncHTTPTransport, Http1Transport])
@pytest.mark.blocking
async def test_dripping_server_is_a_read_timeout(make: Make) -> None:
    async def drip(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 \r\nContent-Length: 9999\r\n\r\n")
        while True:
            await peer.send(b"x")
            await anyio.sleep(0.01)

    with anyio.fail_after(10):
        async with scripted_server(drip) as server:
            exchange = ForeignExchange(make(), server.url)
            with pytest.raises(httpx.ReadTimeout):
                await get(exchange, timeouts=attrs.evolve(TIMEOUTS, read=0.2))
            await exchange.aclose()
            await server.until(lambda: server.open_connections == 0)


async def test_proxy_of_httpx_carries_the_request() -> None:
    async def proxy(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    with anyio.fail_after(10):
        async with scripted_server(proxy) as server:
            exchange = ForeignExchange(httpx.AsyncHTTPTransport(proxy=server.url), "http://server.invalid")
            assert (await get(exchange, b"/api/x%2Fy")).body == b"ok"
            await exchange.aclose()
            assert server.requests[0].startswith(b"GET http://server.invalid/api/x%2Fy HTTP/1.1\r\n")
