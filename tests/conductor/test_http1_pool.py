"""Which connection carries an exchange, and who waits for one."""

import anyio
import attrs
import httpx
import pytest
from scripted_server import TIMEOUTS, Gate, answer_ok, connected, get, scripted_server

from anyworker.conductor.http1 import Http1Transport


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
