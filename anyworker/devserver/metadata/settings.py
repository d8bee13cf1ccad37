"""Parts of workflow definitions that have no effect here: limits on running workflows, caches."""

from typing import Any

from anyworker.devserver.wire import fields
from anyworker.devserver.wire.reader import Reader

_WORKFLOW = f"{fields.METADATA}.workflow"
_POLICY = fields.Choice(f"{_WORKFLOW}.RateLimitConfig$RateLimitPolicy", ("QUEUE", "REJECT"))


def read_rate_limit(value: object) -> dict[str, Any] | None:
    """Return a limit on how many workflows run at once, None for null.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    if value is None:
        return None
    take = Reader(value, f"{_WORKFLOW}.RateLimitConfig")
    key = take.text("rateLimitKey")
    return {
        **({} if key is None else {"rateLimitKey": key}),
        "concurrentExecLimit": take.whole("concurrentExecLimit"),
        "policy": take.choice("policy", _POLICY, "QUEUE"),
    }


def read_cache(value: object) -> dict[str, Any] | None:
    """Return for how long a result may be used again, None for null.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    if value is None:
        return None
    take = Reader(value, f"{_WORKFLOW}.CacheConfig")
    key = take.text("key")
    return {**({} if key is None else {"key": key}), "ttlInSecond": take.whole("ttlInSecond")}
