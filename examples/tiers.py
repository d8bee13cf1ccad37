"""Where options come from: the code, a settings file over it, the environment over both.

    anyworker config examples/tiers.py --config examples/tiers.toml

Try it with ``CONDUCTOR_WORKER_CHARGE_THREAD_COUNT=50`` before it, or ``CONDUCTOR_WORKER_ALL_DOMAIN=staging``:
what is said of one worker wins over what is said of all, and each line tells who has said it. The startup
line shows the same.
"""

from anyworker import worker_task


@worker_task("charge", thread_count=5, poll_interval_millis=200, domain="eu")
def charge(cents: int) -> int:
    """The code says what fits the function."""
    return cents


@worker_task("refund", thread_count=2)
def refund(cents: int) -> int:
    """Another one, for which only what is said of all holds."""
    return -cents
