"""What a run must not take from the world outside, so that it is the same every time."""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import pytest

from anyworker.runner.outbox import outbox


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep silent about thousands of failures that are meant."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def repeatable(seed: int, wall_clock: Callable[[float], float]) -> Iterator[None]:
    """Let the jitter and the wall clock of the outbox be the same every time.

    Args:
        seed: Of the jitter.
        wall_clock: Returns epoch seconds for a time of the loop's clock.
    """
    state = random.getstate()
    random.seed(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "now_ms", lambda: round(wall_clock(anyio.current_time()) * 1000))
        try:
            yield
        finally:
            random.setstate(state)
