"""The whole runner against the server's engine, under virtual time, while everything goes wrong.

``--seeds N`` says how many seeds are played (500 by default, 5000 in the full profile), ``--first-seed K``
from which on. A failure tells the command that plays its seed again, and prints what happened in it.
"""

from typing import Literal

import pytest
from world import Outcome, play

BATCH = 50
"""Seeds of one test; on trio and asyncio in turn."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cut the seeds into tests of a few seconds each."""
    if "seeds" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    first, wanted = option("first_seed"), option("seeds")
    is_full = option("--hypothesis-profile") == "full"
    count = wanted if wanted is not None else 5000 if is_full else 500
    batches = [
        range(begin, min(begin + BATCH, first + count)) for begin in range(first, first + count, BATCH)
    ]
    ids = [f"{batch.start}-{batch.stop - 1}" for batch in batches]
    metafunc.parametrize("seeds", batches, ids=ids)


def backend_of(seed: int) -> Literal["asyncio", "trio"]:
    return "trio" if seed % 2 else "asyncio"


def told(outcome: Outcome) -> str:
    """Return how a run failed, for people."""
    seed = outcome.scenario.seed
    accusations = "\n".join(f"  - {violation}" for violation in outcome.violations)
    return (
        f"seed {seed} on {backend_of(seed)}:\n{accusations}\n"
        f"again: python -m pytest tests/simulation/test_simulation.py --first-seed {seed} --seeds 1\n"
        f"{outcome.scenario}\n" + "\n".join(outcome.trace)
    )


def test_nothing_is_lost_whatever_goes_wrong(seeds: range) -> None:
    for seed in seeds:
        outcome = play(seed, backend_of(seed))
        if outcome.violations:
            pytest.fail(told(outcome), pytrace=False)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_same_seed_gives_the_same_trace(seed: int, backend: Literal["asyncio", "trio"]) -> None:
    once, again = play(seed, backend), play(seed, backend)
    assert "\n".join(once.trace).encode() == "\n".join(again.trace).encode()
    assert len(once.trace) > 50
