"""What tests of workers need.

::

    def test_greet() -> None:
        assert run_task(greet, {"name": "Ada"}).output == {"result": "Hello Ada"}

- `run_task`, `run_until_done` and `TaskRun` run one function for one task, without a server.
- `Conductor` is a server in the test's process; pytest has it as the fixture ``conductor``.
- `VirtualTime` makes waits cost nothing; pytest has it as the fixture ``anyworker_time``.
- `virtual_backend` and `run_virtual` do that for any coroutine.
"""

from typing import TYPE_CHECKING

from anyworker.lazy import loader

if TYPE_CHECKING:
    from anyworker.policy.cancellation import (
        CancelReason,
        Draining,
        LeaseLost,
        Terminated,
        TimedOut,
        TimeoutExceeded,
    )
    from anyworker.runner.threads import run_inline
    from anyworker.testing.clock import (
        VIRTUAL_BACKENDS,
        DeadlockError,
        run_virtual,
        virtual_backend,
    )
    from anyworker.testing.conductor import Conductor
    from anyworker.testing.outcome import TaskOutcome
    from anyworker.testing.runs import (
        run_task,
        run_task_async,
        run_until_done,
        run_until_done_async,
    )
    from anyworker.testing.takeover import NoVirtualTimeError
    from anyworker.testing.task_run import TaskRun
    from anyworker.testing.timeline import Moment
    from anyworker.testing.virtual import VirtualTime

__all__ = [
    "VIRTUAL_BACKENDS",
    "CancelReason",
    "Conductor",
    "DeadlockError",
    "Draining",
    "LeaseLost",
    "Moment",
    "NoVirtualTimeError",
    "TaskOutcome",
    "TaskRun",
    "Terminated",
    "TimedOut",
    "TimeoutExceeded",
    "VirtualTime",
    "run_inline",
    "run_task",
    "run_task_async",
    "run_until_done",
    "run_until_done_async",
    "run_virtual",
    "virtual_backend",
]

# Each name is loaded when it is first used: pytest imports this package in every session, for its plugin.
_HOMES = {
    "anyworker.policy.cancellation": (
        "CancelReason",
        "Draining",
        "LeaseLost",
        "Terminated",
        "TimedOut",
        "TimeoutExceeded",
    ),
    "anyworker.runner.threads": ("run_inline",),
    "anyworker.testing.clock": (
        "VIRTUAL_BACKENDS",
        "DeadlockError",
        "run_virtual",
        "virtual_backend",
    ),
    "anyworker.testing.conductor": ("Conductor",),
    "anyworker.testing.outcome": ("TaskOutcome",),
    "anyworker.testing.runs": (
        "run_task",
        "run_task_async",
        "run_until_done",
        "run_until_done_async",
    ),
    "anyworker.testing.takeover": ("NoVirtualTimeError",),
    "anyworker.testing.task_run": ("TaskRun",),
    "anyworker.testing.timeline": ("Moment",),
    "anyworker.testing.virtual": ("VirtualTime",),
}
__getattr__ = loader(globals(), _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
