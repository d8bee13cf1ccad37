"""Give code a context of its own inside a task that serves many."""

import types
from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def in_context(context: Context, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await a coroutine whose context variables are those of ``context``, and stay there.

    A task of its own would isolate it as well, at ten times the cost.
    """
    resume: Any = coroutine.send
    argument: Any = None
    while True:
        try:
            trap = context.run(resume, argument)
        except StopIteration as stop:
            result: T = stop.value
            return result
        try:
            argument = yield trap
        except BaseException as error:  # noqa: BLE001 - whatever the event loop throws is meant for the coroutine
            resume, argument = coroutine.throw, error
        else:
            resume = coroutine.send
