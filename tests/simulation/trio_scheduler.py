"""Trio's scheduler, made to choose by a seed: the same seed, the same order of tasks.

Trio shuffles what is runnable so that nobody relies on an order. The source of that chance is private; this
is the one place that knows it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from trio._core import _run


@contextmanager
def seeded_scheduler(seed: int) -> Iterator[None]:
    """Let trio's choices depend on the seed alone for the length of the block."""
    state = _run._r.getstate()
    with pytest.MonkeyPatch.context() as patch:
        # Otherwise what is shuffled is in the order of a set.
        patch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        _run._r.seed(seed)
        try:
            yield
        finally:
            _run._r.setstate(state)
