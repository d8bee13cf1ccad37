"""The simulation in processes of its own: nothing in a trace depends on the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPLAY = Path(__file__).parents[1] / "simulation" / "replay.py"


def replayed(seed: int, backend: str, hash_seed: int) -> bytes:
    """Return what a process prints of a run, one whose sets have an order of their own."""
    ended = subprocess.run(
        [sys.executable, REPLAY, str(seed), backend],
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return ended.stdout


@pytest.mark.parametrize("seed", [29, 30])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_same_seed_gives_the_same_trace_in_every_process(seed: int, backend: str) -> None:
    trace = replayed(seed, backend, hash_seed=1)
    assert len(trace.splitlines()) > 50
    assert replayed(seed, backend, hash_seed=2) == trace
