"""The resources of a process: opened before its workers poll, closed after their last result."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any

import anyio
import anyio.abc

from anyworker.errors import ConfigurationError, LifespanError
from anyworker.fleet.main_module import as_in_parent

logger = logging.getLogger(__name__)

Lifespan = Callable[[], contextlib.AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""Makes the context that is entered in each process; what it yields are the resources, by name."""

CLOSE_SECONDS = 10.0
"""How long closing may take before it is cancelled."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def check_lifespan(lifespan: object) -> None:
    """Refuse what makes no context.

    Raises:
        ConfigurationError: Says what is expected.
    """
    # What contextlib.asynccontextmanager's functions return can be called, too, as a decorator.
    if isinstance(lifespan, contextlib.AsyncContextDecorator):
        problem = f"lifespan={lifespan!r}: expected the function that makes it; leave out its parentheses"
        raise ConfigurationError(problem)
    if not (lifespan is None or callable(lifespan)):
        problem = f"lifespan={lifespan!r}: expected a function that makes an async context manager"
        raise ConfigurationError(problem)


@contextlib.asynccontextmanager
async def opened(lifespan: Lifespan | None, host: anyio.abc.TaskGroup) -> AsyncIterator[Mapping[str, Any]]:
    """Keep a lifespan open for the block, and give its resources.

    Whatever happens to the block, closing gets `CLOSE_SECONDS`, in which no cancellation from outside reaches
    it; the host's group waits for it. Failing to close is logged. A lifespan that breaks in between, because
    a task of its own raised, is a failure of the host's group.

    Args:
        lifespan: Called once, in the running event loop.
        host: Where the lifespan lives: in a task of its own, as it may open cancel scopes and task groups
            that have to be left in the order in which they were entered.

    Raises:
        LifespanError: It could not be opened.
    """
    if lifespan is None:
        yield _NOTHING
        return
    keeper = _Keeper(lifespan)
    host.start_soon(keeper.run)
    try:
        await keeper.ready.wait()
        if keeper.problem is not None:
            raise LifespanError(keeper.problem) from keeper.cause
        yield keeper.resources
    finally:
        keeper.close()


class _Keeper:
    """One lifespan, from its opening to its end."""

    def __init__(self, lifespan: Lifespan) -> None:
        self.name = name_of(lifespan)
        self.resources = _NOTHING
        self.ready = anyio.Event()
        """Set once it is open, or failed to open."""
        self.problem: str | None = None
        """Why it did not open."""
        self.cause: Exception | None = None
        self._lifespan = lifespan
        self._scope = anyio.CancelScope()
        self._closing = anyio.Event()

    def close(self) -> None:
        """Let it close, in limited time."""
        self._scope.deadline = anyio.current_time() + CLOSE_SECONDS
        self._closing.set()

    async def run(self) -> None:
        with self._scope:
            try:
                async with self._context() as resources:
                    self._take(resources)
                    await self._closing.wait()
            except Exception as error:  # noqa: BLE001 - a boundary to the user's code, which names what broke
                self._explain(error)
        if self._scope.cancelled_caught:
            logger.error(
                "lifespan %s did not close within %g seconds: it was cancelled", self.name, CLOSE_SECONDS
            )

    def _context(self) -> contextlib.AbstractAsyncContextManager[Mapping[str, Any] | None]:
        context = self._lifespan()
        if not isinstance(context, contextlib.AbstractAsyncContextManager):
            message = (
                f"returned {type(context).__name__}: expected an async context manager; "
                "decorate an async generator function with contextlib.asynccontextmanager"
            )
            raise TypeError(message)
        return context

    def _take(self, resources: Mapping[str, Any] | None) -> None:
        if resources is not None and not isinstance(resources, Mapping):
            message = f"yielded {type(resources).__name__}: expected a mapping of names to resources, or None"
            raise TypeError(message)
        self.resources = MappingProxyType(dict(resources or {}))
        self._scope.shield = True
        self.ready.set()

    def _explain(self, error: Exception) -> None:
        """Say what failed: the opening to whoever waits for it, the closing to the log, else to the host."""
        if not self.ready.is_set():
            logger.error("lifespan %s failed to open", self.name, exc_info=error)
            self.problem = f"lifespan {self.name} failed to open: {type(error).__name__}: {error}"
            self.cause = error
            self.ready.set()
        elif self._closing.is_set():
            logger.error("lifespan %s failed to close", self.name, exc_info=error)
        else:
            logger.error("lifespan %s broke while the workers ran", self.name, exc_info=error)
            raise error


def name_of(lifespan: Lifespan) -> str:
    """Return what messages call it."""
    target: Any = lifespan if hasattr(lifespan, "__qualname__") else type(lifespan)
    return as_in_parent(f"{target.__module__}.{target.__qualname__}")
