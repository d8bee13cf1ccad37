"""Parts of workflow definitions that have no effect here: limits on running workflows, caches, events."""

from typing import Any

from anyworker.devserver.wire import fields
from anyworker.devserver.wire.reader import Reader

_WORKFLOW = f"{fields.METADATA}.workflow"
_EVENT = f"{_WORKFLOW}.StateChangeEvent"
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


def read_state_changes(take: Reader) -> dict[str, Any]:
    """Return what is to be told when a task's status changes, as the task of a definition says it.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    given = take.mapping("onStateChange", f"java.util.List<{_EVENT}>")
    return {name: None if events is None else _events(events) for name, events in given.items()}


def _events(source: object) -> list[dict[str, Any] | None]:
    return [None if event is None else _event(event) for event in fields.records(source, _EVENT)]


def _event(source: object) -> dict[str, Any]:
    take = Reader(source, _EVENT)
    event = {"type": take.text("type"), "payload": fields.mapping(take.value("payload"))}
    return {key: value for key, value in event.items() if value is not None}
