"""Signals from the first moment on, also while the lifespan opens and there is no fleet yet."""

from collections.abc import Awaitable, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from anyworker.fleet.control.signals import SignalStages, Stage
from anyworker.fleet.control.steering import serve, steer_by
from anyworker.fleet.fleet import Ended, Fleet
from anyworker.fleet.hosting import hosting
from anyworker.fleet.status import FleetStage, FleetStatus

_NOTHING = FleetStatus(FleetStage.ENDED, ())
"""What is left of a fleet that never began."""


async def serve_by_signals(stages: SignalStages, workers: Sequence[object], **settings: Any) -> FleetStatus:
    """Run workers in a process that is the caller's own, as signals say; return how the fleet ended.

    Args:
        stages: The signals.
        workers: As for :func:`run`, like the settings.
        **settings: What ``serving`` takes.

    Raises:
        ConfigurationError: Something that is configured cannot work.
    """
    opening = _Opening()
    if stages.stage is not Stage.NONE:
        return _NOTHING  # told to end while modules were imported
    async with hosting() as watch:
        watch.start_soon(steer_by, stages, opening)
        try:
            with opening.scope:
                return await serve(opening.give_way, workers, **settings)
        finally:
            watch.cancel_scope.cancel()
    return _NOTHING


class _Opening:
    """Stands for a fleet until that is there: to end means to begin nothing."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self._fleet: Fleet | None = None
        self._is_quiet = False

    async def give_way(self, fleet: Fleet) -> None:
        """Let the fleet hear what is said from now on."""
        self._fleet = fleet
        if self._is_quiet:
            fleet.quiet()

    def quiet(self) -> None:
        """Stop polling."""
        self._is_quiet = True
        if self._fleet is not None:
            self._fleet.quiet()

    def resume(self) -> None:
        """Poll again."""
        self._is_quiet = False
        if self._fleet is not None:
            self._fleet.resume()

    def drain(self) -> Awaitable[None]:
        """Stop polling, finish, end."""
        return self._end() if self._fleet is None else self._fleet.drain()

    def stop(self) -> Awaitable[None]:
        """Cancel what runs, end."""
        return self._end() if self._fleet is None else self._fleet.stop()

    def _end(self) -> Awaitable[None]:
        self.scope.cancel()
        return Ended(anyio.lowlevel.checkpoint)
