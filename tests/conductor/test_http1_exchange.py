"""One exchange with servers that behave and that do not."""

import socket
import ssl
from collections.abc import Awaitable, Callable

import anyio
import attrs
import httpx
import pytest
import trustme
from scripted_server import OK, Peer, Script, ScriptedServer, answer_ok, scripted_server

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.conductor.http1 import Http1Transport
from anyworker.conductor.http1_connection import Connection, close
from anyworker.conductor.http1_parser import AnswerParser

TIMEOUTS = Timeouts(connect=5, read=5, write=5, pool=5)
BIG = bytes(range(256)) * 40_000


async def get(exchange: Exchange, target: bytes = b"/", timeouts: Timeouts = TIMEOUTS) -> Answer:
    return await exchange.exchange(b"GET", target, b"Accept: */*\r\n", b"", timeouts)


def sending(*pieces: bytes) -> Script:
    """Answer every request with these pieces, then close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.send(piece)
        await peer.finish()

    return script


async def exchange_with(
    script: Script, call: Callable[[Exchange], Awaitable[Answer]] = get, **options: int
) -> tuple[Answer, ScriptedServer]:
    failure: httpx.TransportError | None = None
    with anyio.fail_after(10):
        async with scripted_server(script) as server, Http1Transport(**options) as transport:
            try:
                answer = await call(transport.origin(server.url))
            except httpx.TransportError as error:
                failure = error
    if failure:
        raise failure
    return answer, server


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


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([OK], Answer(200, [(b"content-length", b"2")], b"ok")),
        (
            [b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n", b"\r\n1\r\no\r", b"\n1\r\nk\r\n0\r\n\r\n"],
            Answer(200, [(b"transfer-encoding", b"chunked")], b"ok"),
        ),
        ([b"HTTP/1.1 200 \r\nA: b\r\n\r\no", b"k"], Answer(200, [(b"a", b"b")], b"ok")),
        ([b"HTTP/1.1 200 \r\n\r\n"], Answer(200, [], b"")),
        (
            [b"HTTP/1.1 100 \r\n\r\n", b"HTTP/1.1 102 \r\n\r\n" + OK],
            Answer(200, [(b"content-length", b"2")], b"ok"),
        ),
        ([b"HTTP/1.1 204 \r\n\r\n"], Answer(204, [], b"")),
        ([b"HTTP/1.1 302 \r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"], None),
        ([b"HTTP/1.1 500 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"], None),
    ],
)
async def test_every_form_of_answer_is_read_whole(pieces: list[bytes], expected: Answer | None) -> None:
    answer, _ = await exchange_with(sending(*pieces))
    assert expected is None or answer == expected
    assert expected or (answer.status in {302, 500} and answer.body == b"")


async def test_head_answer_has_no_body_and_the_next_answer_follows_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 \r\nContent-Length: 500\r\n\r\n")
        await answer_ok(peer)

    async def head_then_get(exchange: Exchange) -> Answer:
        head = await exchange.exchange(b"HEAD", b"/", b"", b"", TIMEOUTS)
        assert head == Answer(200, [(b"content-length", b"500")], b"")
        return await get(exchange)

    answer, server = await exchange_with(script, head_then_get)
    assert (answer.body, server.connections) == (b"ok", 1)


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


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], "without an answer"),
        ([b"HTTP/1.1 2"], "in the middle"),
        ([b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nok"], "in the middle"),
        ([b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"], "in the middle"),
        ([b"HTTP/1.1 100 \r\n\r\n"], "in the middle"),
        ([b"\x15\x03\x01\x00\x02\x02"], "not HTTP"),
        ([b"HTTP/1.1 banana\r\n\r\n"], "not valid HTTP"),
        ([b"HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"], "101"),
        ([b"HTTP/1.1 200 \r\nX: " + b"x" * 70_000], "head is longer"),
        ([b"HTTP/1.1 200 \r\nContent-Length: 99\r\n\r\n"], "body is longer"),
        ([b"HTTP/1.1 200 \r\n\r\n" + b"x" * 99], "body is longer"),
    ],
)
async def test_bad_answer_is_a_protocol_error(pieces: list[bytes], reason: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match=reason):
        await exchange_with(sending(*pieces), max_body_bytes=50)


async def test_header_limit_is_a_setting() -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="limit of 20 bytes"):
        await exchange_with(answer_ok, max_header_bytes=20)


async def test_reset_is_a_read_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n")
        await peer.reset()

    with pytest.raises(httpx.ReadError):
        await exchange_with(script)


@pytest.mark.parametrize("drips", [b"HTTP/1.1 200 \r\nA: " + b"b" * 1000, OK[:-2] + b"o", b""])
async def test_slow_answer_is_a_read_timeout_even_if_it_drips(drips: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for at in range(len(drips)):
            await peer.send(drips[at : at + 1])
            await anyio.sleep(0.01)
        await peer.until_closed()

    timeouts = attrs.evolve(TIMEOUTS, read=0.2)
    with pytest.raises(httpx.ReadTimeout, match=r"0\.2 s"):
        await exchange_with(script, lambda exchange: get(exchange, timeouts=timeouts))


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


async def test_ipv6_host_is_reached_and_named_in_brackets() -> None:
    with anyio.fail_after(10):
        async with scripted_server(answer_ok, host="::1") as server, Http1Transport() as transport:
            await get(transport.origin(server.url))
            assert b"\r\nHost: " + server.url.removeprefix("http://").encode() in server.requests[0]


async def test_nobody_listening_is_a_connect_error() -> None:
    async with scripted_server(answer_ok) as server:
        pass
    async with Http1Transport() as transport:
        with pytest.raises(httpx.ConnectError, match=r"127\.0\.0\.1, port \d+: \S"):
            await get(transport.origin(server.url))


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".invalid"])
async def test_impossible_name_is_a_connect_error(host: str) -> None:
    async with Http1Transport() as transport:
        with pytest.raises(httpx.ConnectError), anyio.fail_after(10):
            await get(transport.origin(f"http://{host}/"))


@pytest.mark.parametrize("url", ["ftp://host/", "host", "http://", "/path"])
def test_url_without_an_http_server_is_refused(url: str) -> None:
    with pytest.raises((httpx.UnsupportedProtocol, httpx.InvalidURL)):
        Http1Transport().origin(url)


async def test_handshake_that_never_ends_is_a_connect_timeout() -> None:
    async with scripted_server(lambda _: anyio.sleep_forever()) as server, Http1Transport() as transport:
        origin = transport.origin(server.url.replace("http:", "https:"))
        with pytest.raises(httpx.ConnectTimeout), anyio.fail_after(10):
            await get(origin, timeouts=attrs.evolve(TIMEOUTS, connect=0.2))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert("127.0.0.1", "localhost", "::1").configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_tls_connection_is_kept_and_speaks_http1(
    authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    protocols = []

    async def script(peer: Peer) -> None:
        protocols.append(peer.stream.extra(anyio.streams.tls.TLSAttribute.alpn_protocol))
        await answer_ok(peer)

    with anyio.fail_after(10):
        async with (
            scripted_server(script, ssl_context=server_context) as server,
            Http1Transport(ssl_context=client_context(authority)) as transport,
        ):
            for _ in range(5):
                assert (await get(transport.origin(server.url))).body == b"ok"
            assert server.connections == 1
            assert protocols == ["http/1.1"]


async def test_large_bodies_travel_over_tls(authority: trustme.CA, server_context: ssl.SSLContext) -> None:
    with anyio.fail_after(20):
        async with (
            scripted_server(answer_ok, ssl_context=server_context) as server,
            Http1Transport(ssl_context=client_context(authority)) as transport,
        ):
            for _ in range(2):
                await transport.origin(server.url).exchange(b"POST", b"/", b"", BIG, TIMEOUTS)
            assert server.connections == 1
            assert server.requests[1].endswith(BIG)


async def test_untrusted_certificate_is_a_connect_error(server_context: ssl.SSLContext) -> None:
    with anyio.fail_after(10):
        async with (
            scripted_server(answer_ok, ssl_context=server_context) as server,
            Http1Transport() as transport,
        ):
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await get(transport.origin(server.url))
            assert not server.requests


async def test_certificate_of_another_host_is_a_connect_error(
    authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    authority.issue_cert("elsewhere.example").configure_cert(other := ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    with anyio.fail_after(10):
        async with (
            scripted_server(answer_ok, ssl_context=other) as server,
            Http1Transport(ssl_context=client_context(authority)) as transport,
        ):
            with pytest.raises(httpx.ConnectError):
                await get(transport.origin(server.url))


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 200 \r\n\r\nok"])
async def test_tls_cut_without_goodbye_spoils_only_an_answer_without_a_length(
    authority: trustme.CA, server_context: ssl.SSLContext, answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.finish()

    with anyio.fail_after(10):
        async with (
            scripted_server(script, ssl_context=server_context) as server,
            Http1Transport(ssl_context=client_context(authority)) as transport,
        ):
            if answer == OK:
                assert (await get(transport.origin(server.url))).body == b"ok"
            else:
                with pytest.raises(httpx.RemoteProtocolError, match="broke off"):
                    await get(transport.origin(server.url))
