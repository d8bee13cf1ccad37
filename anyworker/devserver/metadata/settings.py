"""Parts of workflow definitions that have no effect here: limits on running workflows, caches."""

from typing import Any

from anyworker.devserver.wire import fields
from anyworker.devserver.wire.reader import Reader

_WORKFLOW = f"{fields.METADATA}.workflow"
_POLICY = fields.Choice(f"{_WORKFLOW}.RateLimitConfig$RateLimitPolicy", ("QUEUE", "REJECT"))


def read_rate_limit(source: object) -> dict[str, Any]:
    """Return a limit on how many workflows run at once.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    take = Reader(source, f"{_WORKFLOW}.RateLimitConfig")
    key = take.text("rateLimitKey")
    return {
        **({} if key is None else {"rateLimitKey": key}),
        "concurrentExecLimit": take.whole("concurrentExecLimit"),
        "policy": take.choice("policy", _POLICY, "QUEUE"),
    }


def read_cache(source: object) -> dict[str, Any]:
    """Return for how long a result may be used again.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    take = Reader(source, f"{_WORKFLOW}.CacheConfig")
    key = take.text("key")
    return {**({} if key is None else {"key": key}), "ttlInSecond": take.whole("ttlInSecond")}
