"""The pytest plugin: fixtures ``conductor`` and ``anyworker_time``.

It works with plain pytest, anyio's plugin, pytest-asyncio and pytest-trio, and does nothing in tests that ask
for neither fixture. pytest imports it in every session, so what it needs is imported when it is used.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from anyworker.testing.conductor import Conductor
    from anyworker.testing.virtual import VirtualTime

T = TypeVar("T")


@pytest.fixture
def conductor() -> "Conductor":
    """Return a Conductor server in this process, new for each test."""
    from anyworker.testing.conductor import Conductor  # noqa: PLC0415 - only who asks for it pays for it

    return Conductor()


@pytest.fixture
def anyworker_time(request: pytest.FixtureRequest) -> Iterator["VirtualTime"]:
    """Make the time of this test virtual, and tell it: ``anyworker_time.now()`` seconds have passed."""
    from anyworker.testing.virtual import VirtualTime  # noqa: PLC0415 - only who asks for it pays for it

    if request.node.get_closest_marker("trio") is not None:
        from anyworker.testing.takeover import run_trio  # noqa: PLC0415 - as above

        # pytest-trio starts trio by what its marker says.
        request.node.add_marker(pytest.mark.trio(run=run_trio), append=False)
    time = VirtualTime()
    with time.as_current():
        yield time


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[None]:
    """Give an async fixture that anyio's plugin runs before such a test the test's clock.

    The first that needs an event loop starts it, and trio takes its clock then.
    """
    function = fixturedef.func
    if (
        getattr(function, "__module__", None) != "anyio.pytest_plugin"
        or request.scope != "function"
        or "anyworker_time" not in request.fixturenames
    ):
        return (yield)

    @functools.wraps(function)
    def under_virtual_time(*, anyio_backend: object, **others: Any) -> Iterator[Any]:
        yield from function(anyio_backend=_virtual(anyio_backend), **others)

    fixturedef.func = under_virtual_time
    try:
        return (yield)
    finally:
        fixturedef.func = function


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Give an async test that asks for ``anyworker_time`` a virtual clock, before its plugin runs it."""
    time: Any = getattr(item, "funcargs", {}).get("anyworker_time")
    if not isinstance(item, pytest.Function) or time is None:
        return (yield)
    # A test of Hypothesis is a plain function around the one that was written.
    holder, name = (item.obj.hypothesis, "inner_test") if hasattr(item.obj, "hypothesis") else (item, "obj")
    function = getattr(holder, name)
    if not inspect.iscoroutinefunction(function):
        return (yield)
    if (backend := item.funcargs.get("anyio_backend")) is not None:
        item.funcargs["anyio_backend"] = _virtual(backend)
    setattr(holder, name, _under(time, function))
    try:
        return (yield)
    finally:
        setattr(holder, name, function)


def _virtual(backend: Any) -> object:
    """Return what anyio's plugin is to run a test on instead, with the clock virtual."""
    from anyworker.testing.clock import virtual_backend  # noqa: PLC0415 - as above

    name, options = (backend, {}) if isinstance(backend, str) else backend
    _, virtual = virtual_backend(name)
    return name, options | virtual


def _under(time: "VirtualTime", function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Return a test that runs on the clock of ``time``."""

    @functools.wraps(function)
    async def test(*args: Any, **kwargs: Any) -> T:
        with time.in_loop():
            return await function(*args, **kwargs)

    return test
