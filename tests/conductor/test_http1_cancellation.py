"""Cancelled exchanges leave the pool whole."""

import anyio
import anyio.lowlevel
import httpx
import pytest
from scripted_server import OK, TIMEOUTS, Gate, Peer, Script, answer_ok, connected, get

from anyworker.client import ConductorClient, TaskResult
from anyworker.conductor.http1 import Http1Transport
from anyworker.conductor.http1_pool import Permits
from anyworker.configuration import Configuration

LARGE = b"x" * 5_000_000


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


async def test_cancelling_before_the_start_sends_nothing_but_a_result() -> None:
    result = TaskResult(task_id="t", workflow_instance_id="w", status="COMPLETED")
    async with (
        connected(answer_ok) as (server, _),
        ConductorClient(Configuration(server_api_url=server.url, environ={})) as client,
    ):
        assert await client.start_workflow("first") == "ok"
        for send in (lambda: client.start_workflow("never"), lambda: client.update_task(result)):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await send()
            assert scope.cancelled_caught
        await server.until(lambda: len(server.requests) == 2)
    assert [request.split()[1] for request in server.requests] == [b"/workflow", b"/tasks"]


async def test_cancelling_before_the_start_sends_nothing_by_httpx() -> None:
    async with connected(answer_ok) as (server, _):
        async with httpx.AsyncClient(transport=Http1Transport()) as client:
            assert (await client.get(server.url)).text == "ok"
            with anyio.CancelScope() as scope:
                scope.cancel()
                await client.get(server.url)
            assert scope.cancelled_caught
        assert len(server.requests) == 1


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
