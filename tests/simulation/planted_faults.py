"""Bugs in the worker, planted on purpose: the simulation that does not find them is blind."""

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from anyworker.conductor.models import Task
from anyworker.policy import leases
from anyworker.policy.outcome import HandedBack, Outcome
from anyworker.runner.in_hand import Execution
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.polls.polling import PollUnderWay
from anyworker.runner.runner import Runner
from anyworker.runner.settling import Settlement

FOUND_AFTER = "found after so many seeds"
"""The property by which a test tells the report how many it took."""

Plant = Callable[[pytest.MonkeyPatch], None]


def drop_a_hand_back(patch: pytest.MonkeyPatch) -> None:
    """Forget tasks that are to be handed back."""
    settle = Settlement.settle

    async def forget(
        self: Settlement, execution: Execution, outcome: Outcome, children: TaskGroup | None = None
    ) -> Task | None:
        if isinstance(outcome, HandedBack):
            self._finish(execution, outcome)
            return None
        return await settle(self, execution, outcome, children)

    patch.setattr(Settlement, "settle", forget)


def beat_late(patch: pytest.MonkeyPatch) -> None:
    """Extend leases when most of them has gone."""
    patch.setattr(leases, "SHARE", 0.8)


def release_a_slot_early(patch: pytest.MonkeyPatch) -> None:
    """Let the next task in while the result of the last one is under way."""
    run = Runner.run

    async def run_with_background(self: Runner) -> None:
        async with anyio.create_task_group() as background:
            settle = self._settlement.settle

            async def begin_to_settle(execution: Execution, outcome: Outcome, *_: object) -> None:
                background.start_soon(settle, execution, outcome)

            patch.setattr(self._settlement, "settle", begin_to_settle)
            await run(self)

    patch.setattr(Runner, "run", run_with_background)


def forget_a_replay(patch: pytest.MonkeyPatch) -> None:
    """Take results into the outbox and never look at them again."""

    async def never(self: Outbox, *_: Any) -> None:
        await anyio.lowlevel.checkpoint()

    patch.setattr(Outbox, "run", never)
    patch.setattr(Outbox, "finish", never)


def cancel_a_poll(patch: pytest.MonkeyPatch) -> None:
    """Cut polls off when the worker drains, although the server may have given them tasks."""
    patch.setattr(PollUnderWay, "hasten", lambda self: self.scope.cancel())


PLANTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (drop_a_hand_back, beat_late, release_a_slot_early, forget_a_replay, cancel_a_poll)
}
