"""A listener of one's own: what tasks cost, and which of them take longer than was promised.

    python examples/listener.py

With ``trio`` behind it, it runs on trio.
"""

import sys
from collections import defaultdict

import anyio

from anyworker import TaskExecutionCompleted, TaskRunnerEventsListener, worker_task
from anyworker.testing import Conductor

CENTS_PER_SECOND = 0.5
PROMISED_SECONDS = 0.1


class Costs(TaskRunnerEventsListener):
    """Count; a listener has the methods of the events that it wants."""

    def __init__(self) -> None:
        self.cents: defaultdict[str, float] = defaultdict(float)
        self.late: list[str] = []

    def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
        """Take in what a task took."""
        self.cents[event.task_type] += event.duration_ms / 1000 * CENTS_PER_SECOND
        if event.duration_ms > PROMISED_SECONDS * 1000:
            self.late.append(event.task_id)


@worker_task("nap", thread_count=5)
async def nap(seconds: float) -> None:
    """Do nothing for a while."""
    await anyio.sleep(seconds)


async def main() -> None:
    """Run two naps on a server in this process; yours says ``run(event_listeners=[Costs()])``."""
    costs, conductor = Costs(), Conductor()
    async with conductor.workers(nap, event_listeners=[costs]):
        for seconds in (0.01, 0.2):
            await conductor.run_async(nap, {"seconds": seconds}, workers=[])
    print(f"{costs.cents['nap']:.3f} cents, {len(costs.late)} of 2 naps late")


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
