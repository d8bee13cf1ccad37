"""When a process that died is started again."""

import attrs

from anyworker.policy.backoff import doubled

RESTART_JITTER = 0.5
FORGIVING_SECONDS = 1.0
"""So long a process must have served to make good for one death before it."""
KILLED_CEILING = 1.0
"""Seconds before a restart, at most, of a process that somebody killed while it served."""
HEALTHY_SECONDS = 10.0
"""A process that served for so long was healthy; its death is the first of a row."""


@attrs.frozen
class RestartSettings:
    """The numbers of the formula."""

    unit: float = 0.25
    """Seconds before the first restart of a row, at most."""
    ceiling: float = 30.0
    """Seconds before any restart, at most."""
    max_attempts: int | None = None
    """Restarts in a row; None for any number."""


def restart_delay(level: float, jitter: float, settings: RestartSettings) -> float:
    """Return the seconds before a restart: ``unit * 2**(level - 1)``, at most ``ceiling``.

    Jitter takes off up to a half, so that processes which died together do not return together.

    Args:
        level: Deaths that weigh, this one included, >= 1.
        jitter: In [0, 1).
        settings: ``unit`` and ``ceiling``.
    """
    return min(doubled(settings.unit, level - 1.0), settings.ceiling) * (1.0 - RESTART_JITTER * jitter)


class Restarts:
    """What the deaths of one place's processes come to."""

    def __init__(self, settings: RestartSettings) -> None:
        self._settings = settings
        self._level = 0.0
        self.attempts = 0
        """Restarts in a row."""

    def died(self, served: float, jitter: float, *, was_killed: bool = False) -> float | None:
        """Take in a death; return the seconds to wait before a restart, or None for no restart.

        Each death weighs one; each second of serving takes one off again.

        Args:
            served: Seconds for which the process had served, 0 if it never did.
            jitter: In [0, 1).
            was_killed: Whether it was ended by SIGKILL.
        """
        self._level = max(0.0, self._level - served / FORGIVING_SECONDS) + 1.0
        self.attempts = (0 if served >= HEALTHY_SECONDS else self.attempts) + 1
        limit = self._settings.max_attempts
        if limit is not None and self.attempts > limit:
            return None
        delay = restart_delay(self._level, jitter, self._settings)
        return min(delay, KILLED_CEILING) if was_killed and served > 0 else delay
