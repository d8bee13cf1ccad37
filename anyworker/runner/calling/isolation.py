"""Give code a context of its own inside a task that serves many."""

import sys
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from time import perf_counter
from typing import Any, TypeVar

from anyworker import context as task_context
from anyworker.conductor.models import Task

T = TypeVar("T")

LONGEST_STEP = 0.25
"""Seconds that code may run from one of its awaits to the next before that is told."""


@types.coroutine
def in_context(
    context: Context, coroutine: Coroutine[Any, Any, T], blocked: Callable[[float], None] | None = None
) -> Generator[Any, Any, T]:
    """Await a coroutine whose context variables are those of ``context``, and stay there.

    A task of its own would isolate it as well, at ten times the cost.

    Args:
        context: Where it runs.
        coroutine: What to await.
        blocked: Hears of each step in which it kept the event loop for too long, with the seconds.
    """
    resume: Any = coroutine.send
    argument: Any = None
    while True:
        began = perf_counter()
        try:
            trap = context.run(resume, argument)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            if blocked is not None and (taken := perf_counter() - began) > LONGEST_STEP:
                blocked(taken)
        try:
            argument = yield trap
        except BaseException as error:  # noqa: BLE001 - whatever the event loop throws is meant for the coroutine
            resume, argument = coroutine.throw, error
        else:
            resume = coroutine.send


def task_on_thread(thread_id: int | None) -> Task | None:
    """Return the task whose coroutine function a thread is running just now, None for none.

    Asked of another thread's stack, so that no task pays for the answer.
    """
    frame = sys._current_frames().get(thread_id or 0)  # noqa: SLF001 - the documented way to see a thread
    while frame is not None and frame.f_code is not in_context.__code__:
        frame = frame.f_back
    context = None if frame is None else frame.f_locals.get("context")
    return None if context is None else task_context.task_in(context)
