"""The garbage collector stands still while something large is built, and only then."""

import gc
import threading
from collections.abc import Iterator

import pytest

from anyworker.values.collector import without_collections


@pytest.fixture(autouse=True)
def collector_as_it_was() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    if was_enabled:
        gc.enable()


def test_collector_stands_still_until_the_function_returns_or_raises() -> None:
    assert without_collections(gc.isenabled) is False
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        without_collections(lambda: 1 // 0)
    assert gc.isenabled()


def test_collector_that_the_user_stopped_stays_stopped() -> None:
    gc.disable()
    without_collections(int)
    assert not gc.isenabled()


def test_pause_lasts_as_long_as_the_longest_of_those_who_want_it() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def build() -> None:
        begun.set()
        assert may_end.wait(5)

    thread = threading.Thread(target=without_collections, args=(build,))
    thread.start()
    assert begun.wait(5)
    without_collections(int)
    assert not gc.isenabled()
    may_end.set()
    thread.join(5)
    assert gc.isenabled()
