"""What registering a task definition comes to, given what the code says and what the server has."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from anyworker.errors import RegistrationRefused

DEFAULT_RESPONSE_TIMEOUT = 3600
"""Seconds, the server's."""

Outcome = Literal["created", "updated", "unchanged", "kept"]
"""What became of a definition: ``kept`` is the server's own, which the code may not overwrite."""


@attrs.frozen
class Registration:
    """What is to be done for one definition."""

    outcome: Outcome
    definition: dict[str, Any] = attrs.field(factory=dict)
    """What to send, as the wire has it; not for ``unchanged`` and ``kept``."""
    changes: Mapping[str, tuple[object, object]] = attrs.field(factory=dict)
    """Fields that the code changes on the server: what was, what will be."""


def plan_registration(
    said: Mapping[str, Any], existing: Mapping[str, Any] | None, *, overwrite: bool
) -> Registration:
    """Decide what to send. Fields that the code does not say keep the value that they have on the server.

    Args:
        said: What the code says, by the names of the wire, ``name`` among them.
        existing: The server's definition of this name; None if there is none.
        overwrite: Whether a definition that exists may be changed.

    Raises:
        RegistrationRefused: The server would refuse the outcome.
    """
    if existing is None:
        _check(said, {})
        return Registration("created", dict(said))
    if not overwrite:
        return Registration("kept")
    changes = {
        key: (existing.get(key), value)
        for key, value in said.items()
        if not _holds(key, existing.get(key), value)
    }
    if not changes:
        return Registration("unchanged")
    _check(said, existing)
    return Registration("updated", {**existing, **said}, changes)


def _holds(field: str, found: object, said: object) -> bool:
    """Whether the server has what is said; it adds fields of its own to a schema."""
    if field in _SCHEMAS and isinstance(found, Mapping) and isinstance(said, Mapping):
        has_other_data = "data" not in said and found.get("data")
        return not has_other_data and all(found.get(key) == value for key, value in said.items())
    return found == said


_SCHEMAS = frozenset({"inputSchema", "outputSchema"})
_MINIMA = {
    "retryCount": 0,
    "backoffScaleFactor": 1,
    "maxRetryDelaySeconds": 0,
    "backoffJitterMs": 0,
    "pollTimeoutSeconds": 0,
    "responseTimeoutSeconds": 1,
    "totalTimeoutSeconds": 0,
}
"""The server's rules for single fields."""


def _check(said: Mapping[str, Any], existing: Mapping[str, Any]) -> None:
    """Refuse what the server would: values that are too low, limits beyond the one around them."""
    problems = [
        f"{field}={said[field]} is below {least}, which the server refuses"
        for field, least in _MINIMA.items()
        if isinstance(said.get(field), int) and said[field] < least
    ]
    for inner, outer, default in (
        ("responseTimeoutSeconds", "timeoutSeconds", DEFAULT_RESPONSE_TIMEOUT),
        ("timeoutSeconds", "totalTimeoutSeconds", 0),
    ):
        low, low_source = _found(inner, said, existing, default)
        high, high_source = _found(outer, said, existing, 0)
        if 0 < high < low:
            problems.append(
                f"{inner}={low} ({low_source}) is above {outer}={high} ({high_source}), which the server "
                f"refuses; say both in task_def, {inner} no higher than {outer}"
            )
    if problems:
        raise RegistrationRefused(str(said.get("name")), "; ".join(problems))


def _found(field: str, said: Mapping[str, Any], existing: Mapping[str, Any], default: int) -> tuple[int, str]:
    for source, fields in (("the code's", said), ("the one on the server", existing)):
        if isinstance(value := fields.get(field), int):
            return value, source
    return default, "the server's default"
