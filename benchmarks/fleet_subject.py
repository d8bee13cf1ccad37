"""A fleet under measurement: processes whose worker does nothing, until they are ended.

    python benchmarks/fleet_subject.py --processes 3 --backend trio --mode async --slots 10 [--metrics]

The server is the one that CONDUCTOR_SERVER_URL names.
"""

import argparse
import os

from meter import BACKENDS

import anyworker


async def greet_async(name: str) -> str:
    return name


def greet(name: str) -> str:
    return name


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--backend", choices=BACKENDS, default="asyncio")
    parser.add_argument("--mode", choices=("async", "def"), default="async")
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--core", type=int)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    function = greet_async if given.mode == "async" else greet
    backend, backend_options = BACKENDS[given.backend]
    anyworker.run(
        anyworker.Worker("greet", function, thread_count=given.slots),
        processes=given.processes,
        backend=backend,
        backend_options=backend_options,
        metrics_settings=anyworker.MetricsSettings(http_port=0) if given.metrics else None,
    )


if __name__ == "__main__":
    main()
