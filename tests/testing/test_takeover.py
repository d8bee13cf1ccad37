"""Virtual time in event loops that run already."""

import asyncio

import anyio
import pytest

from anyworker.testing import NoVirtualTimeError
from anyworker.testing.takeover import is_time_virtual, virtual_time


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_time_jumps_within_the_block_and_never_goes_back() -> None:
    seen = [anyio.current_time()]
    with virtual_time():
        assert is_time_virtual()
        seen.append(anyio.current_time())
        await anyio.sleep(3600)
        seen.append(anyio.current_time())
    assert not is_time_virtual()
    seen.append(anyio.current_time())
    await anyio.sleep(0.01)
    seen.append(anyio.current_time())
    assert seen == sorted(seen)
    assert seen[2] - seen[1] == 3600
    assert 0.01 <= seen[4] - seen[3] < 5


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_sockets_and_threads_go_on_being_watched() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    async def ask(text: bytes) -> bytes:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(text)
            return await stream.receive()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with virtual_time():
            assert await ask(b"virtual\n") == b"VIRTUAL\n"
            assert await anyio.to_thread.run_sync(lambda: 42) == 42
        assert await ask(b"real\n") == b"REAL\n"


@pytest.mark.virtual_time
async def test_a_loop_whose_time_is_virtual_stays_as_it_is() -> None:
    with virtual_time():
        await anyio.sleep(60)
    assert anyio.current_time() == 60
    assert is_time_virtual()


@pytest.mark.parametrize("anyio_backend", ["uvloop", "trio"], indirect=True)
async def test_a_loop_that_keeps_its_own_time_refuses() -> None:
    assert not is_time_virtual()
    with pytest.raises(NoVirtualTimeError, match="cannot be made virtual once it runs"), virtual_time():
        await anyio.sleep(3600)
