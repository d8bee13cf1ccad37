"""Functions that compute: a thread each for the loop's sake, a process each for the interpreter's lock.

    anyworker dev examples/cpu_bound.py --start count_primes --input '{"below": 100000}' --once

In production: ``python examples/cpu_bound.py``, one process for each core, each with two slots, so that the
next task is there when one ends.
"""

import os

import anyworker
from anyworker import worker_task


@worker_task("count_primes", thread_count=2)
def count_primes(below: int) -> int:
    """Return how many primes there are below a number."""
    sieve = bytearray([1]) * below
    sieve[:2] = b"\0\0"[:below]
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return sum(sieve)


if __name__ == "__main__":
    anyworker.run(processes=os.cpu_count() or 1)
