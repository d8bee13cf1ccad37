"""Resources of a process: open from before the first poll until after the last result, given by name."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import pytest
from stage import stage

from anyworker import ConfigurationError, FromLifespan, LifespanError, Worker, get_task_context
from anyworker.testing import run_task

pytestmark = pytest.mark.virtual_time


class Pool:
    """Counts who used it, as long as it is open."""

    def __init__(self) -> None:
        self.is_open = True
        self.used: list[str] = []

    def use(self, name: str) -> str:
        assert self.is_open
        self.used.append(name)
        return f"{name} from the pool"


@contextlib.asynccontextmanager
async def pooled() -> AsyncIterator[dict[str, Any]]:
    pool = Pool()
    await anyio.sleep(3)
    yield {"pool": pool}
    await anyio.sleep(3)
    pool.is_open = False


async def take(name: str, pool: Annotated[Pool, FromLifespan]) -> str:
    return pool.use(name)


def take_plainly(name: str, pool: Annotated[Pool, FromLifespan]) -> str:
    assert get_task_context().resources["pool"] is pool
    return pool.use(name)


@pytest.mark.parametrize("function", [take, take_plainly])
async def test_resource_reaches_the_function_by_the_name_of_its_parameter(function: Any) -> None:
    async with stage(Worker("take", function), lifespan=pooled, inline=True) as play:
        await play.define("take")
        flow = await play.play({"name": "a book", "pool": "of the input"})
    assert flow.output == {"result": "a book from the pool"}


async def test_lifespan_is_open_from_before_the_first_poll_until_after_the_last_result() -> None:
    times: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def timed() -> AsyncIterator[None]:
        await anyio.sleep(5)
        times["opened"] = anyio.current_time()
        yield
        times["closing"] = anyio.current_time()

    async def work() -> None:
        await anyio.sleep(7)

    async with stage(Worker("work", work), lifespan=timed) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(1)
    assert times["opened"] <= min(seen.at for seen in play.tap.seen)
    assert times["closing"] >= max(update.at for update in play.tap.updates())
    assert len(play.tap.updates()) == 1


async def test_lifespan_that_fails_to_open_fails_the_start_and_nothing_is_polled() -> None:
    @contextlib.asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        await anyio.sleep(1)
        raise ConnectionRefusedError("no database at db:5432")
        yield

    seen: list[Any] = []

    async def record(request: Any) -> None:
        seen.append(request)

    with pytest.raises(
        LifespanError, match=r"broken failed to open: ConnectionRefusedError: no database"
    ) as caught:
        async with stage(Worker("work", lambda: 1), lifespan=broken, hook=record):
            raise AssertionError
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert isinstance(caught.value, ConfigurationError)
    assert seen == []


async def test_lifespan_that_is_no_context_manager_is_told_what_to_do() -> None:
    async def undecorated() -> AsyncIterator[None]:
        yield

    with pytest.raises(LifespanError, match=r"async_generator.*contextlib\.asynccontextmanager"):
        async with stage(Worker("work", lambda: 1), lifespan=undecorated):
            raise AssertionError


async def test_lifespan_that_yields_no_mapping_is_refused_and_closed() -> None:
    closed = []

    @contextlib.asynccontextmanager
    async def listed() -> AsyncIterator[Any]:
        try:
            yield ["pool"]
        finally:
            closed.append(True)

    with pytest.raises(LifespanError, match="yielded list: expected a mapping"):
        async with stage(Worker("work", lambda: 1), lifespan=listed):
            raise AssertionError
    assert closed == [True]


async def test_missing_resources_are_all_named_before_anything_is_polled() -> None:
    async def other(engine: Annotated[object, FromLifespan]) -> None: ...

    async def content(
        pool: Annotated[object, FromLifespan], *, cache: Annotated[Any, FromLifespan] = None
    ) -> None: ...

    @contextlib.asynccontextmanager
    async def poor() -> AsyncIterator[dict[str, str]]:
        yield {"pool": "one"}

    with pytest.raises(ConfigurationError) as caught:
        async with stage(Worker("a", other), Worker("b", other), Worker("c", content), lifespan=poor):
            raise AssertionError
    assert len(caught.value.problems) == 2
    assert "other: parameter 'engine' is FromLifespan" in caught.value.problems[0]
    assert "gives only 'pool'" in caught.value.problems[0]

    with pytest.raises(ConfigurationError, match="there is no lifespan"):
        async with stage(Worker("a", other)):
            raise AssertionError


async def test_parameters_default_stands_in_for_a_resource_that_is_not_there() -> None:
    async def content(cache: Annotated[Any, FromLifespan] = "nothing cached") -> str:
        return cache

    async with stage(Worker("work", content)) as play:
        await play.define("work")
        assert (await play.play({"name": "x"})).output == {"result": "nothing cached"}


async def test_failing_to_close_is_logged_with_its_name_and_loses_no_result(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @contextlib.asynccontextmanager
    async def leaking() -> AsyncIterator[None]:
        yield
        raise OSError("the pool is stuck")

    async def work() -> str:
        await anyio.sleep(5)
        return "done"

    async with stage(Worker("work", work), lifespan=leaking) as play:
        await play.define("work")
        workflow_id = await play.start()
        await anyio.sleep(1)
        await play.fleet.drain()
        assert (await play.client.get_workflow(workflow_id)).status == "COMPLETED"
    [record] = [each for each in caplog.records if "failed to close" in each.message]
    assert "leaking" in record.message
    assert record.levelno == logging.ERROR
    assert "the pool is stuck" in str(record.exc_info)


async def test_closing_that_never_ends_is_cancelled_and_named(caplog: pytest.LogCaptureFixture) -> None:
    @contextlib.asynccontextmanager
    async def endless() -> AsyncIterator[None]:
        yield
        await anyio.sleep_forever()

    async with stage(Worker("work", lambda: 1), lifespan=endless, inline=True):
        await anyio.sleep(1)
        began = anyio.current_time()
    assert 10 <= anyio.current_time() - began <= 12
    assert "endless did not close within 10 seconds" in caplog.text


async def test_cancelled_host_still_closes_the_lifespan_after_the_hand_backs() -> None:
    order: list[str] = []

    @contextlib.asynccontextmanager
    async def careful() -> AsyncIterator[None]:
        async with anyio.create_task_group() as background:
            background.start_soon(anyio.sleep_forever)
            yield
            await anyio.sleep(2)
            order.append("closed")
            background.cancel_scope.cancel()

    async def work() -> None:
        try:
            await anyio.sleep(3600)
        finally:
            order.append("cancelled")

    with anyio.move_on_after(5):
        async with stage(Worker("work", work), lifespan=careful) as play:
            await play.define("work")
            await play.start()
            await anyio.sleep_forever()
    assert order == ["cancelled", "closed"]


async def test_lifespan_that_breaks_in_between_stops_the_host_and_hands_back() -> None:
    class Broken(Exception): ...

    async def fail_later() -> None:
        await anyio.sleep(5)
        raise Broken

    @contextlib.asynccontextmanager
    async def fragile() -> AsyncIterator[None]:
        async with anyio.create_task_group() as background:
            background.start_soon(fail_later)
            yield

    async def work() -> None:
        await anyio.sleep(3600)

    with pytest.RaisesGroup(pytest.RaisesGroup(Broken), allow_unwrapped=False, flatten_subgroups=False):
        async with stage(Worker("work", work), lifespan=fragile) as play:
            await play.define("work")
            await play.start()
            await anyio.sleep_forever()
    [update] = play.tap.updates()
    assert json.loads(update.body)["status"] == "IN_PROGRESS"


async def test_resource_is_no_part_of_what_fills_the_rest_of_the_parameters() -> None:
    async def rest(pool: Annotated[Any, FromLifespan], **others: Any) -> dict[str, Any]:
        return {"pool": pool, "others": sorted(others)}

    async with stage(Worker("work", rest), lifespan=plain) as play:
        await play.define("work")
        flow = await play.play({"name": "x", "a": 1})
    assert flow.output["pool"] == "real"
    assert "pool" not in flow.output["others"]


@contextlib.asynccontextmanager
async def plain() -> AsyncIterator[dict[str, str]]:
    yield {"pool": "real"}


def test_a_function_is_tried_with_resources_of_the_test() -> None:
    pool = Pool()
    outcome = run_task(take, {"name": "a pen"}, resources={"pool": pool})
    assert outcome.output == {"result": "a pen from the pool"}
    assert pool.used == ["a pen"]
