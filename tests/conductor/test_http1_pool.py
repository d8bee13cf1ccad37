"""Which connection carries an exchange, and what happens to it afterwards."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest
import trustme
from anyio.streams.tls import TLSAttribute
from scripted_server import OK, Peer, Script, ScriptedServer, answer_ok, scripted_server

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.conductor.http1 import Http1Transport
from anyworker.conductor.http1_pool import Permits

TIMEOUTS = Timeouts(connect=5, read=5, write=5, pool=5)
LARGE = b"x" * 5_000_000


async def get(exchange: Exchange, target: bytes = b"/", timeouts: Timeouts = TIMEOUTS) -> Answer:
    return await exchange.exchange(b"GET", target, b"", b"", timeouts)


@asynccontextmanager
async def connected(
    script: Script, *, max_connections: int = 128, idle_timeout: float = 50.0
) -> AsyncIterator[tuple[ScriptedServer, Exchange]]:
    with anyio.fail_after(10):
        async with (
            scripted_server(script) as server,
            Http1Transport(max_connections=max_connections, idle_timeout=idle_timeout) as transport,
        ):
            yield server, transport.origin(server.url)


@attrs.define(eq=False)
class Gate:
    """A script that answers with the connection's number, when the test lets it."""

    _opened: dict[str, anyio.Event] = attrs.field(factory=dict)

    def event(self, target: str) -> anyio.Event:
        return self._opened.setdefault(target, anyio.Event())

    async def script(self, peer: Peer) -> None:
        while True:
            target = (await peer.request()).split()[1].decode()
            peer.server.count(opened=0)
            if target != "/":
                await self.event(target).wait()
            body = b"%d" % peer.number
            await peer.send(b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


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


async def test_connection_used_last_is_used_next() -> None:
    gate = Gate()
    async with connected(gate.script) as (server, exchange), anyio.create_task_group() as group:
        ended = {target: anyio.Event() for target in ("/0", "/1", "/2")}

        async def hold(target: str) -> None:
            assert (await get(exchange, target.encode())).body.decode() == target[1:]
            ended[target].set()

        for number, target in enumerate(ended, 1):
            group.start_soon(hold, target)
            await server.until(lambda number=number: len(server.requests) == number)
        for number in (0, 2, 1):
            gate.event(f"/{number}").set()
            await ended[f"/{number}"].wait()
            for _ in range(2):
                assert (await get(exchange)).body == b"%d" % number
        assert server.connections == 3


async def test_connection_idle_for_too_long_is_closed() -> None:
    async with connected(answer_ok, idle_timeout=0.0) as (server, exchange):
        for _ in range(3):
            await get(exchange)
        assert server.connections == 3
        await server.until(lambda: server.open_connections <= 1)


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_connections_than_allowed_and_waiters_are_served_in_order(limit: int) -> None:
    gate = Gate()
    targets = [f"/{number:02}" for number in range(12)]
    async with connected(gate.script, max_connections=limit) as (server, exchange):
        async with anyio.create_task_group() as group:
            for target in targets:
                group.start_soon(get, exchange, target.encode())
                await anyio.wait_all_tasks_blocked()
            for number, target in enumerate(targets, 1):
                await server.until(lambda number=number: len(server.requests) >= number)
                gate.event(target).set()
        assert server.connections == limit
        if limit == 1:
            assert [request.split()[1].decode() for request in server.requests] == targets


async def test_waiting_too_long_for_a_connection_is_a_pool_timeout() -> None:
    gate = Gate()
    async with connected(gate.script, max_connections=1) as (server, exchange):
        async with anyio.create_task_group() as group:
            group.start_soon(get, exchange, b"/held")
            await server.until(lambda: len(server.requests) == 1)
            with pytest.raises(httpx.PoolTimeout):
                await get(exchange, timeouts=attrs.evolve(TIMEOUTS, pool=0.05))
            gate.event("/held").set()
        await get(exchange)
        assert (server.connections, len(server.requests)) == (1, 2)


async def test_limit_counts_idle_connections_of_other_origins() -> None:
    with anyio.fail_after(10):
        async with (
            scripted_server(answer_ok) as first,
            scripted_server(answer_ok) as second,
            Http1Transport(max_connections=1) as transport,
        ):
            for _ in range(3):
                await get(transport.origin(first.url))
                await get(transport.origin(second.url))
            assert (first.connections, second.connections) == (3, 3)
            await first.until(lambda: first.open_connections == 0)
            await second.until(lambda: second.open_connections == 1)


@pytest.mark.parametrize("is_released_first", [False, True])
async def test_cancelled_waiter_loses_no_permit(*, is_released_first: bool) -> None:
    permits = Permits(1)
    await permits.acquire()
    scope = anyio.CancelScope()

    async def wait() -> None:
        with scope:
            await permits.acquire()
            permits.release()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        # Both reach the waiter in one turn of the loop.
        if is_released_first:
            permits.release()
        scope.cancel()
        if not is_released_first:
            permits.release()
    assert permits.free == 1


async def test_cancelled_waiter_lets_the_next_one_through() -> None:
    gate = Gate()
    async with connected(gate.script, max_connections=1) as (server, exchange):
        async with anyio.create_task_group() as group:
            group.start_soon(get, exchange, b"/held")
            await server.until(lambda: len(server.requests) == 1)
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(get, exchange, b"/never")
                await anyio.wait_all_tasks_blocked()
                group.start_soon(get, exchange, b"/last")
                await anyio.wait_all_tasks_blocked()
                impatient.cancel_scope.cancel()
            gate.event("/last").set()
            gate.event("/held").set()
        assert [request.split()[1] for request in server.requests] == [b"/held", b"/last"]


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


async def hold_at_once(peer: Peer) -> None:
    await peer.until_closed()


async def hold_after_request(peer: Peer) -> None:
    await peer.request()
    await peer.until_closed()


async def hold_in_head(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 \r\nContent-")
    await peer.until_closed()


async def hold_in_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK[:-1])
    await peer.until_closed()


@pytest.mark.parametrize("body", [b"", LARGE])
@pytest.mark.parametrize("hold", [hold_at_once, hold_after_request, hold_in_head, hold_in_body])
@pytest.mark.parametrize("is_kept", [False, True])
async def test_cancelled_exchange_closes_its_connection_and_only_that(
    hold: Script, body: bytes, *, is_kept: bool
) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 0:
            if is_kept:
                await peer.request()
                await peer.send(OK)
            await hold(peer)
        else:
            await answer_ok(peer)

    async with connected(script, max_connections=1) as (server, exchange):
        if is_kept:
            await get(exchange)
        with anyio.move_on_after(0.05) as scope:
            await exchange.exchange(b"POST", b"/", b"", body, TIMEOUTS)
        assert scope.cancelled_caught
        for _ in range(2):
            assert (await get(exchange)).body == b"ok"
        assert server.connections == 2
        await server.until(lambda: server.open_connections == 1)


async def test_cancelling_at_any_moment_keeps_the_pool_whole() -> None:
    """Cancel after every number of turns of the loop that an exchange can take."""
    async with connected(answer_ok, max_connections=1) as (server, exchange):
        uncancelled = 0
        for turns in range(60):
            body = LARGE[: 100_000 * (turns % 2)]
            async with anyio.create_task_group() as group:

                async def post(body: bytes = body) -> None:
                    nonlocal uncancelled
                    assert (await exchange.exchange(b"POST", b"/", b"", body, TIMEOUTS)).body == b"ok"
                    uncancelled += 1

                group.start_soon(post)
                for _ in range(turns // 2):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            assert (await get(exchange)).body == b"ok"
        assert server.connections <= 61 - uncancelled
        await server.until(lambda: server.open_connections == 1)


async def test_cancelling_before_the_start_sends_nothing() -> None:
    async with connected(answer_ok) as (server, exchange):
        await get(exchange)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await get(exchange)
        assert scope.cancelled_caught
        await get(exchange)
        assert len(server.requests) == 2


async def test_cancelled_connecting_leaves_nothing_behind() -> None:
    async with connected(answer_ok, max_connections=1) as (server, exchange):
        for turns in range(15):
            async with anyio.create_task_group() as group:
                group.start_soon(get, exchange)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            await exchange.aclose()
        assert (await get(exchange)).body == b"ok"
        await server.until(lambda: server.open_connections == 1)


async def test_closing_closes_idle_connections_at_once_and_used_ones_after_their_exchange() -> None:
    gate = Gate()
    async with connected(gate.script) as (server, exchange):
        async with anyio.create_task_group() as group:
            group.start_soon(get, exchange, b"/held")
            await server.until(lambda: len(server.requests) == 1)
            await get(exchange)
            await exchange.aclose()
            await server.until(lambda: server.open_connections == 1)
            gate.event("/held").set()
        await server.until(lambda: server.open_connections == 0)
        assert (await get(exchange)).body == b"2"


async def test_closing_one_origin_keeps_the_idle_connections_of_another() -> None:
    with anyio.fail_after(10):
        async with (
            scripted_server(answer_ok) as first,
            scripted_server(answer_ok) as second,
            Http1Transport() as transport,
        ):
            await get(transport.origin(first.url))
            await get(transport.origin(second.url))
            await transport.origin(first.url).aclose()
            await first.until(lambda: first.open_connections == 0)
            assert second.open_connections == 1


@pytest.fixture
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and the client's context."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("news", ["nothing", "end", "goodbye", "408", "half a record"])
async def test_idle_tls_connection_with_news_is_not_used(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], news: str
) -> None:
    server_context, client_context = contexts
    happened = anyio.Event()

    async def script(peer: Peer) -> None:
        if peer.number:
            await answer_ok(peer)
        await peer.request()
        await peer.send(OK)
        await peer.server.idle.wait()
        if news == "408":
            await peer.send(b"HTTP/1.1 408 \r\nContent-Length: 0\r\n\r\n")
        if news == "half a record":
            await peer.stream.transport_stream.send(b"\x17\x03\x03\x00\x40abc")
            await peer.finish()
        if news == "goodbye":
            with anyio.move_on_after(0.1):
                await peer.stream.unwrap()
        if news == "end":
            await peer.finish()
        happened.set()
        if news == "nothing":
            await answer_ok(peer)
        await peer.until_closed()

    with anyio.fail_after(10):
        async with (
            scripted_server(script, ssl_context=server_context) as server,
            Http1Transport(ssl_context=client_context) as transport,
        ):
            exchange = transport.origin(server.url)
            await get(exchange)
            server.idle.set()
            await happened.wait()
            for _ in range(3):
                assert (await get(exchange)).status == 200
            assert (server.connections, len(server.requests)) == (1 if news == "nothing" else 2, 4)


async def test_bytes_behind_an_answer_end_a_tls_connection(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server_context, client_context = contexts

    async def script(peer: Peer) -> None:
        await peer.request()
        tls = peer.stream.extra(TLSAttribute.ssl_object)
        # Two records in one packet: reading the first decrypts nothing of the second.
        tls.write(OK)
        tls.write(b"x")
        await peer.stream._flush_write_bio()
        await peer.until_closed()

    with anyio.fail_after(10):
        async with (
            scripted_server(script, ssl_context=server_context) as server,
            Http1Transport(ssl_context=client_context) as transport,
        ):
            for _ in range(2):
                assert (await get(transport.origin(server.url))).body == b"ok"
            assert server.connections == 2


async def test_idle_tls_connection_survives_what_is_only_tls(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server_context, client_context = contexts
    server_context.verify_mode = ssl.CERT_OPTIONAL
    client_context.post_handshake_auth = True
    happened = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.server.idle.wait()
        tls = peer.stream.extra(TLSAttribute.ssl_object)
        tls.verify_client_post_handshake()
        tls.do_handshake()
        await peer.stream._flush_write_bio()
        happened.set()
        await answer_ok(peer)

    with anyio.fail_after(10):
        async with (
            scripted_server(script, ssl_context=server_context) as server,
            Http1Transport(ssl_context=client_context) as transport,
        ):
            exchange = transport.origin(server.url)
            await get(exchange)
            server.idle.set()
            await happened.wait()
            for _ in range(3):
                assert (await get(exchange)).status == 200
            assert (server.connections, len(server.requests)) == (1, 4)
