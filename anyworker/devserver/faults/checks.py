"""What faults may be told, and good words for the rest; arguments come from tests and over HTTP."""

import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs

from anyworker.devserver.faults.patterns import Pattern, Routes, parse
from anyworker.devserver.faults.rules import Limits, Span
from anyworker.devserver.wire.jsontext import encode
from anyworker.errors import ConfigurationError

_Check = Callable[[str, object], str | None]


@attrs.frozen
class Checked:
    """Limits that make sense."""

    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    chance: random.Random = attrs.field(factory=lambda: random.Random(0))  # noqa: S311  # repeatable
    span: Span = attrs.field(factory=Span)
    with_tasks: bool = False


def refuse(*problems: str | None) -> None:
    """Raise if there is a problem.

    Args:
        problems: Sentences; None where a check found nothing.

    Raises:
        ConfigurationError: With all of them.
    """
    if found := [problem for problem in problems if problem is not None]:
        raise ConfigurationError(found)


def whole(least: int, most: int | None = None) -> _Check:
    """Return a check for whole numbers of a range."""

    def check(name: str, value: object) -> str | None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and value >= least and (most is None or value <= most):  # type: ignore[operator]  # an int
            return None
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        return f"{name}: {value!r} is not a whole number {limits}"

    return check


def number(name: str, value: object) -> str | None:
    """Check a number of seconds."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 <= value < math.inf:  # type: ignore[operator]  # a number
        return None
    return f"{name}: {value!r} is not a number of seconds, 0 or more"


def share(name: str, value: object) -> str | None:
    """Check a probability."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 <= value <= 1:  # type: ignore[operator]  # a number
        return None
    return f"{name}: {value!r} is not a probability from 0 to 1"


def flag(name: str, value: object) -> str | None:
    """Check a boolean."""
    return None if isinstance(value, bool) else f"{name}: {value!r} is neither true nor false"


def header(name: str, value: object) -> str | None:
    """Check a header of seconds or of text, or none."""
    if value is None or (isinstance(value, str) and value.isascii() and value.isprintable()):
        return None
    return number(name, value)


def content(name: str, value: object) -> str | None:
    """Check text or bytes."""
    return None if isinstance(value, (str, bytes)) else f"{name}: {value!r} is no text"


def value(name: str, value: object) -> str | None:
    """Check what is to become JSON, unless it is text or bytes."""
    try:
        encode(None if isinstance(value, bytes) else value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return f"{name}: {value!r} cannot be written as JSON ({error}); give text or bytes, or what JSON has"
    return None


def one_of(*choices: object) -> _Check:
    """Return a check for one of a few values."""

    def check(name: str, value: object) -> str | None:
        if not isinstance(value, bool) and value in choices:
            return None
        return f"{name}: {value!r} is not one of {', '.join(map(str, choices))}"

    return check


def some_of(*choices: str) -> Callable[[str, object], Iterator[str | None]]:
    """Return a check for a list of some of these."""

    def check(name: str, value: object) -> Iterator[str | None]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            yield f"{name}: {value!r} is no list"
            return
        if not value:
            yield f"{name}: there are none"
        yield from (one_of(*choices)(name, item) for item in value)

    return check


def optional(check: _Check) -> _Check:
    """Return a check that lets None pass."""
    return lambda name, value: None if value is None else check(name, value)


_LIMITS: dict[str, _Check] = {
    "times": optional(whole(1)),
    "skip": whole(0),
    "probability": share,
    "seed": whole(0),
    "starting_in": number,
    "lasting": optional(number),
    "with_tasks": flag,
}
LIMITS = tuple(_LIMITS)
"""Names of all limits."""


def limits(given: Limits, *, after_effect: bool) -> Checked:
    """Read limits.

    Args:
        given: As they were told.
        after_effect: Whether the fault happens when the answer is ready.

    Raises:
        ConfigurationError: Naming all that make no sense.
    """
    refuse(*_unknown(given, LIMITS), *_broken(given, _LIMITS))
    with_tasks = given.get("with_tasks", False)
    if with_tasks and not after_effect:
        refuse("with_tasks: what the answer carries is known after the effect only; say after_effect too")
    lasting = given.get("lasting")
    return Checked(
        times=given.get("times"),
        skip=given.get("skip", 0),
        probability=given.get("probability", 1.0),
        chance=random.Random(given.get("seed", 0)),  # noqa: S311  # repeatable, not secret
        span=Span(
            round(given.get("starting_in", 0.0) * 1000), None if lasting is None else round(lasting * 1000)
        ),
        with_tasks=with_tasks,
    )


def _unknown(given: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    for name in given:
        if name not in known:
            yield f"{name}: not known; known are {', '.join(known)}"


def _broken(given: Mapping[str, Any], checks: Mapping[str, _Check]) -> Iterator[str | None]:
    return (check(name, given[name]) for name, check in checks.items() if name in given)


def patterns(match: object, routes: Routes, some_of_these: Routes | None = None) -> tuple[Pattern, ...]:
    """Read one pattern or several.

    Args:
        match: What was told.
        routes: Each pattern is for one of these.
        some_of_these: Some pattern is for one of these, too.

    Raises:
        ConfigurationError: One of them has another form or fits nothing; there is none.
    """
    texts: Sequence[object] = [match] if isinstance(match, str) or not isinstance(match, Sequence) else match
    if not texts or not all(isinstance(text, str) for text in texts):
        refuse(f"match: {match!r} is neither a pattern, such as 'POST /tasks', nor a list of patterns")
    found = tuple(parse(str(text)) for text in texts)
    for pattern in found:
        routes.check(pattern)
    if some_of_these is not None and not any(map(some_of_these.has, found)):
        some_of_these.check(found[0])
    return found
