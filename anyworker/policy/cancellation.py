"""Why the call of a function is cancelled: values that a function reads from its context."""

import attrs


@attrs.frozen
class Draining:
    """The worker shuts down, and the time for what runs is over."""

    def __str__(self) -> str:
        """Return the reason as a clause."""
        return "the worker is shutting down"


@attrs.frozen
class Terminated:
    """The task was ended on the server: its workflow was terminated, or somebody else completed it."""

    reason: str = ""
    """What the server says of it, empty if nothing."""

    def __str__(self) -> str:
        """Return the reason as a clause."""
        return _explained("the task was ended on the server", self.reason)


@attrs.frozen
class TimedOut:
    """The server gave the task up, by a timeout of its definition."""

    reason: str = ""
    """What the server says of it, empty if nothing."""

    def __str__(self) -> str:
        """Return the reason as a clause."""
        return _explained("the task timed out on the server", self.reason)


@attrs.frozen
class LeaseLost:
    """The lease ran out before it was extended: another worker may have the task by now."""

    def __str__(self) -> str:
        """Return the reason as a clause."""
        return "the lease of the task was lost"


@attrs.frozen
class TimeoutExceeded:
    """The call took longer than the worker's own ``timeout``."""

    seconds: float

    def __str__(self) -> str:
        """Return the reason as a clause."""
        return f"the call took longer than timeout={self.seconds:g} seconds"


CancelReason = Draining | Terminated | TimedOut | LeaseLost | TimeoutExceeded


def _explained(clause: str, reason: str) -> str:
    return f"{clause}: {reason}" if reason else clause
