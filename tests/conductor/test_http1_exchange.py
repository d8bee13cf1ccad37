"""Answers of servers that behave and of servers that do not."""

import anyio
import attrs
import httpx
import pytest
from scripted_server import OK, TIMEOUTS, Peer, Script, answer_ok, exchange_with, get, scripted_server

from anyworker.conductor.exchange import Answer, Exchange
from anyworker.conductor.http1 import Http1Transport


def sending(*pieces: bytes) -> Script:
    """Answer every request with these pieces, then close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.send(piece)
        await peer.finish()

    return script


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
