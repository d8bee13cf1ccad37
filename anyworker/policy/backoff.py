"""How long to wait: one formula per reason, each bounded and safe for any count.

All delays are in seconds. ``jitter`` is a random number in [0, 1) that the caller draws; it only ever
shortens a delay, so each formula below is also the longest wait.
"""

EMPTY_POLL_UNIT = 0.001
EMPTY_POLL_JITTER = 0.1
AUTHORIZATION_CEILING = 60.0
ERROR_UNIT = 0.5
ERROR_CEILING = 30.0
ERROR_JITTER = 0.5
RETRY_AFTER_CEILING = 300.0
UPDATE_JITTER = 0.1
REPLAY_CEILING = 30.0
# 2.0**1024 overflows; every ceiling is reached long before.
_LARGEST_EXPONENT = 1000


def doubled(unit: float, times: float) -> float:
    """Return a unit doubled so many times, without overflow."""
    factor: float = 2.0 ** min(times, _LARGEST_EXPONENT)
    return unit * factor


def empty_poll_delay(empty_polls: int, poll_interval: float, jitter: float) -> float:
    """Return the pause after n empty polls: ``min(2**n ms, poll_interval)``, less a tenth at most.

    Args:
        empty_polls: Length of the streak, 0 for none: then there is no pause.
        poll_interval: The worker's option, in seconds, >= 0.
        jitter: In [0, 1).
    """
    if empty_polls <= 0:
        return 0.0
    longest = min(doubled(EMPTY_POLL_UNIT, empty_polls), poll_interval)
    return longest * (1.0 - EMPTY_POLL_JITTER * jitter)


def authorization_delay(failures: int) -> float:
    """Return the pause after so many refused authorizations in a row: ``2**n`` s, at most a minute."""
    return min(doubled(1.0, failures), AUTHORIZATION_CEILING)


def error_delay(failures: int, jitter: float, retry_after: float | None = None) -> float:
    """Return the pause after so many failed requests in a row: half a second doubling up to half a minute.

    Jitter takes off up to a half, so that workers do not return together. What the server asks for
    (``Retry-After``) is a lower bound, up to five minutes: a mistaken header must not stop a worker.
    """
    delay = min(doubled(ERROR_UNIT, failures - 1), ERROR_CEILING) * (1.0 - ERROR_JITTER * jitter)
    if retry_after is None:
        return delay
    return max(delay, min(retry_after, RETRY_AFTER_CEILING))


def update_delay(planned: float, jitter: float, retry_after: float | None = None) -> float:
    """Return the pause before a result is sent again: as planned, less a tenth at most.

    Args:
        planned: Seconds from the plan of attempts, by default 10, 20 and 30.
        jitter: In [0, 1).
        retry_after: What the server asked for, in seconds; a lower bound, up to five minutes.
    """
    delay = planned * (1.0 - UPDATE_JITTER * jitter)
    return delay if retry_after is None else max(delay, min(retry_after, RETRY_AFTER_CEILING))


def replay_delay(failures: int, jitter: float, retry_after: float | None = None) -> float:
    """Return the pause before stored results are sent again: two seconds doubling up to half a minute.

    Args:
        failures: Attempts in a row that have failed, 1 or more.
        jitter: In [0, 1); takes off up to a half.
        retry_after: What the server asked for, in seconds; a lower bound, up to five minutes.
    """
    delay = min(doubled(1.0, failures), REPLAY_CEILING) * (1.0 - ERROR_JITTER * jitter)
    return delay if retry_after is None else max(delay, min(retry_after, RETRY_AFTER_CEILING))
