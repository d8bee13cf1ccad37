"""The watch itself: whose time it keeps, and what becomes of them when it ends."""

import anyio
import attrs
import httpx
import pytest
from scripted_server import OK, TIMEOUTS, Gate, Peer, connected, get, scripted_server

from anyworker.conductor.http1 import Http1Transport


async def test_only_the_overdue_exchange_fails() -> None:
    gate = Gate()
    results: dict[str, object] = {}
    has_failed = anyio.Event()
    async with connected(gate.script) as (server, exchange), anyio.create_task_group() as group:
        group.start_soon(exchange.keep_time)

        async def ask(target: bytes, read: float) -> None:
            try:
                answer = await get(exchange, target, timeouts=attrs.evolve(TIMEOUTS, read=read))
            except httpx.TransportError as error:
                results[target.decode()] = type(error)
                has_failed.set()
            else:
                results[target.decode()] = answer.status

        async with anyio.create_task_group() as asking:
            asking.start_soon(ask, b"/patient", 5)
            asking.start_soon(ask, b"/hasty", 0.1)
            await server.until(lambda: len(server.requests) == 2)
            await has_failed.wait()
            gate.event("/patient").set()
        assert results == {"/hasty": httpx.ReadTimeout, "/patient": 200}
        assert (await get(exchange, b"/")).status == 200
        group.cancel_scope.cancel()


async def test_exchanges_under_way_fail_when_nobody_keeps_their_time_any_more() -> None:
    gate = Gate()
    async with connected(gate.script) as (server, exchange), anyio.create_task_group() as group:
        watching = anyio.CancelScope()

        async def watch() -> None:
            with watching:
                await exchange.keep_time()

        group.start_soon(watch)
        await anyio.wait_all_tasks_blocked()

        async def ask() -> None:
            with pytest.raises(httpx.ReadTimeout):
                await get(exchange, b"/held")

        async with anyio.create_task_group() as asking:
            asking.start_soon(ask)
            await server.until(lambda: len(server.requests) == 1)
            watching.cancel()
        assert (await get(exchange, b"/")).status == 200


async def test_limits_hold_again_without_the_watch() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.until_closed()

    async with scripted_server(silent) as server, Http1Transport() as transport:
        exchange = transport.origin(server.url)
        with anyio.move_on_after(0.05):
            await exchange.keep_time()
        with anyio.fail_after(5), pytest.raises(httpx.ReadTimeout):
            await get(exchange, timeouts=attrs.evolve(TIMEOUTS, read=0.1))


async def test_late_answer_reaches_nobody_else() -> None:
    """What a closed connection would still have brought is never taken for another's answer."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.until_closed()
        else:
            await peer.send(OK)
            await peer.until_closed()

    async with connected(script) as (server, exchange), anyio.create_task_group() as group:
        group.start_soon(exchange.keep_time)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(httpx.ReadTimeout):
            await get(exchange, timeouts=attrs.evolve(TIMEOUTS, read=0.1))
        assert (await get(exchange)).body == b"ok"
        assert len(server.requests) == 2
        group.cancel_scope.cancel()
