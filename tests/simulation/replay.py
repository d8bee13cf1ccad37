"""Print what happens in a run: `python tests/simulation/replay.py SEED [asyncio|trio]`."""

import sys
from typing import Literal

from world import play


def main(seed: str, backend: Literal["asyncio", "trio"] = "trio") -> None:
    """Print the scenario, the trace and the violations."""
    outcome = play(int(seed), backend)
    print(outcome.scenario, *outcome.trace, *outcome.violations, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # a wrong backend is refused in due course
