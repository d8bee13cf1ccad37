"""Section 5.6 of the contract: how long a retry waits. Tasks are failed unpolled: little waits here."""

from typing import Any

from black_box import Conductor
from conformance_cases import case

LARGEST = 2_147_483_647


async def delays(conductor: Conductor, attempts: int, **definition: Any) -> list[int]:
    """Fail a task again and again; return the ``callbackAfterSeconds`` that each new attempt begins with."""
    workflow_id = await conductor.start(await conductor.single(retryCount=attempts, **definition))
    found = []
    task = await conductor.last(workflow_id)
    for _ in range(attempts):
        await conductor.update(task, "FAILED")
        task = await conductor.last(workflow_id)
        assert task["startDelayInSeconds"] == task["callbackAfterSeconds"]
        found.append(task["callbackAfterSeconds"])
    return found


@case("5.6-delay-fixed")
async def _(conductor: Conductor) -> None:
    found = await delays(conductor, 3, retryDelaySeconds=7, backoffScaleFactor=5)
    assert found == [7, 7, 7]


@case("5.6-delay-linear")
async def _(conductor: Conductor) -> None:
    found = await delays(conductor, 4, retryLogic="LINEAR_BACKOFF", retryDelaySeconds=1, backoffScaleFactor=2)
    assert found == [2, 4, 6, 8]


@case("5.6-delay-linear-capped")
async def _(conductor: Conductor) -> None:
    found = await delays(
        conductor, 4, retryLogic="LINEAR_BACKOFF", retryDelaySeconds=3, maxRetryDelaySeconds=7
    )
    assert found == [3, 6, 7, 7]


@case("5.6-delay-exponential-ignores-the-scale-and-is-capped")
async def _(conductor: Conductor) -> None:
    found = await delays(
        conductor,
        4,
        retryLogic="EXPONENTIAL_BACKOFF",
        retryDelaySeconds=2,
        backoffScaleFactor=3,
        maxRetryDelaySeconds=5,
    )
    assert found == [2, 4, 5, 5]


@case("5.6-delay-fixed-capped")
async def _(conductor: Conductor) -> None:
    assert await delays(conductor, 2, retryDelaySeconds=9, maxRetryDelaySeconds=4) == [4, 4]


@case("5.6-delay-zero-stays-zero")
async def _(conductor: Conductor) -> None:
    for logic in ("FIXED", "LINEAR_BACKOFF", "EXPONENTIAL_BACKOFF"):
        found = await delays(
            conductor, 3, retryLogic=logic, retryDelaySeconds=0, maxRetryDelaySeconds=5, backoffScaleFactor=4
        )
        assert found == [0, 0, 0], logic


@case("5.6-delay-overflow-from-the-27th-attempt")
async def _(conductor: Conductor) -> None:
    found = await delays(conductor, 32, retryLogic="EXPONENTIAL_BACKOFF", retryDelaySeconds=60)
    assert found[:4] == [60, 120, 240, 480]
    assert found[25] == 60 * 2**25
    assert found[26:30] == [LARGEST] * 4
    assert found[30] == 0


@case("5.6-delay-overflow-of-linear")
async def _(conductor: Conductor) -> None:
    found = await delays(
        conductor,
        3,
        retryLogic="LINEAR_BACKOFF",
        retryDelaySeconds=1_000_000_000,
        backoffScaleFactor=1,
    )
    assert found == [1_000_000_000, 2_000_000_000, LARGEST]


@case("5.6-delay-overflow-is-capped-too")
async def _(conductor: Conductor) -> None:
    found = await delays(
        conductor,
        28,
        retryLogic="EXPONENTIAL_BACKOFF",
        retryDelaySeconds=60,
        maxRetryDelaySeconds=100,
    )
    assert found == [60] + [100] * 27


@case("5.6-delay-jitter-is-not-shown")
async def _(conductor: Conductor) -> None:
    assert await delays(conductor, 2, retryDelaySeconds=5, backoffJitterMs=900) == [5, 5]


@case("5.6-delay-jitter-is-added")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryDelaySeconds=1, backoffJitterMs=1500)
    _, task = await conductor.begin(name)
    with conductor.took(1.0, 2.6):
        await conductor.update(task, "FAILED")
        await conductor.take(name, timeout=5000)
