"""Which connections may be used again."""

import anyio
import httpx
import pytest
from scripted_server import OK, Gate, Peer, answer_ok, connected, get, scripted_server

from anyworker.conductor.http1 import Http1Transport


async def test_connection_is_kept_for_one_exchange_after_the_other() -> None:
    async with connected(answer_ok) as (server, exchange):
        for _ in range(20):
            await get(exchange)
        assert (server.connections, len(server.requests)) == (1, 20)


async def test_connection_close_ends_the_connection_after_its_answer() -> None:
    async def script(peer: Peer) -> None:
        for _ in range(3):
            await peer.request()
            await peer.send(OK)
        await peer.request()
        await peer.send(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        await peer.until_closed()

    async with connected(script) as (server, exchange):
        for _ in range(9):
            await get(exchange)
        assert server.connections == 3
        await server.until(lambda: server.open_connections == 1)


async def test_request_that_asks_for_the_end_of_the_connection_gets_it() -> None:
    with anyio.fail_after(10):
        async with scripted_server(answer_ok) as server, Http1Transport() as transport:
            for _ in range(2):
                request = httpx.Request("GET", server.url, headers={"Connection": "close"})
                await transport.handle_async_request(request)
            assert server.connections == 2
            await server.until(lambda: server.open_connections == 0)


async def test_bytes_behind_an_answer_end_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n")
        await peer.until_closed()

    async with connected(script) as (server, exchange):
        for _ in range(2):
            assert (await get(exchange)).status == 200
        assert server.connections == 2


async def test_bytes_that_anyio_holds_back_behind_an_answer_are_not_the_next_answer() -> None:
    """asyncio reads more at once than anyio hands out."""
    head = b"HTTP/1.1 200 \r\nContent-Length: 65490\r\nA: b\r\n\r\n"
    answer = head + b"x" * 65490
    assert len(answer) == 65536

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer + b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n")
        await peer.until_closed()

    async with connected(script) as (server, exchange):
        for _ in range(2):
            assert (await get(exchange)).status == 200
        assert server.connections == 2


@pytest.mark.parametrize("news", ["end", "reset", "408", "rubbish", "408 and end"])
async def test_idle_connection_with_news_is_not_used(news: str) -> None:
    happened = anyio.Event()

    async def script(peer: Peer) -> None:
        if peer.number:
            await answer_ok(peer)
        await peer.request()
        await peer.send(OK)
        await peer.server.idle.wait()
        if "408" in news:
            await peer.send(b"HTTP/1.1 408 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        if news == "rubbish":
            await peer.send(b"x")
        if "end" in news:
            await peer.finish()
        if news == "reset":
            await peer.reset()
        happened.set()
        await peer.until_closed()

    async with connected(script) as (server, exchange):
        await get(exchange)
        server.idle.set()
        await happened.wait()
        for _ in range(3):
            assert (await get(exchange)).status == 200
        assert (server.connections, len(server.requests)) == (2, 4)


async def test_connection_that_ends_under_a_request_is_an_error_and_the_request_is_not_repeated() -> None:
    async def script(peer: Peer) -> None:
        if peer.number:
            await answer_ok(peer)
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.finish()

    async with connected(script) as (server, exchange):
        await get(exchange, b"/first")
        with pytest.raises(httpx.RemoteProtocolError, match="closed the connection without an answer"):
            await get(exchange, b"/second")
        await get(exchange, b"/third")
        assert [request.split()[1] for request in server.requests] == [b"/first", b"/second", b"/third"]
        assert server.connections == 2


async def test_connection_idle_for_too_long_is_closed() -> None:
    async with connected(answer_ok, idle_timeout=0.0) as (server, exchange):
        for _ in range(3):
            await get(exchange)
        assert server.connections == 3
        await server.until(lambda: server.open_connections <= 1)


async def test_broken_connection_leaves_the_others_alone() -> None:
    gate = Gate()

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.request()
            await peer.reset()
        await gate.script(peer)

    async with connected(script) as (server, exchange):
        async with anyio.create_task_group() as group:
            group.start_soon(get, exchange, b"/held")
            await server.until(lambda: len(server.requests) == 1)
            with pytest.raises(httpx.ReadError):
                await get(exchange)
            gate.event("/held").set()
        assert (await get(exchange)).body == b"0"
