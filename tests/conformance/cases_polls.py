"""Section 5.2 of the contract: polls."""

from black_box import Conductor
from conformance_cases import case


@case("5.2-count-5-timeout-3000-with-one-task", only=("fill",), why="5.2: Redis answers at the first task")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    with conductor.took(3.0):
        assert len(await conductor.poll(name, count=5, timeout=3000)) == 1


@case("5.2-count-5-timeout-3000-answers-at-the-first", only=("first",), why="5.2: SQL holds the answer")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    with conductor.took(0.0):
        assert len(await conductor.poll(name, count=5, timeout=3000)) == 1
