"""Faults given as data: steps of a script, and what the admin route takes."""

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyworker.devserver.faults.checks import LIMITS
from anyworker.devserver.faults.rules import Fault
from anyworker.errors import ConfigurationError

_WHERE = ("match", "after_effect")
_KINDS: dict[str, tuple[str, ...]] = {
    "drop": (*_WHERE, "how"),
    "answer": (*_WHERE, "status", "retry_after", "body"),
    "garble": (*_WHERE, "body"),
    "truncate": ("match", "keep"),
    "without_update_v2": ("status",),
    "delay": (*_WHERE, "seconds"),
    "hang": (*_WHERE, "seconds"),
    "duplicate": ("match",),
    "surplus": ("match", "extra"),
    "chaos": ("match", "rate", "kinds"),
    "pass": ("match",),
}
_REQUIRED = {"answer": "status", "delay": "seconds"}


def read_step(step: object) -> tuple[str, dict[str, Any]]:
    """Return the kind of a step and its arguments.

    Raises:
        ConfigurationError: It is no object, its kind is unknown, or it has what the kind does not take.
    """
    if not isinstance(step, Mapping):
        problem = f'{step!r} is no fault: write {{"kind": "drop", "match": "POST /tasks"}}'
        raise ConfigurationError(problem)
    arguments = {str(key): value for key, value in step.items()}
    name = arguments.pop("kind", None)
    if not isinstance(name, str) or name not in _KINDS:
        problem = f"kind: {name!r} is not one of {', '.join(_KINDS)}"
        raise ConfigurationError(problem)
    known = tuple(dict.fromkeys((*_KINDS[name], *LIMITS)))
    problems = [_unknown(name, key, known) for key in arguments if key not in known]
    required = _REQUIRED.get(name)
    if required is not None and required not in arguments:
        problems.append(f"{required}: missing; {name} needs it")
    if problems:
        raise ConfigurationError(problems)
    return name, arguments


def _unknown(name: str, key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
    return f"{key}: {name} does not take it; {hint}"


def add_all(add: Callable[[Mapping[str, Any]], Fault], steps: object) -> list[Fault]:
    """Add faults, all or none.

    Raises:
        ConfigurationError: Naming the step that makes no sense.
    """
    if not isinstance(steps, Sequence) or isinstance(steps, (str, bytes)):
        problem = f"{steps!r} is no list of faults"
        raise ConfigurationError(problem)
    added: list[Fault] = []
    for position, step in enumerate(steps, 1):
        try:
            added.append(add(step))
        except ConfigurationError as error:
            for fault in added:
                fault.remove()
            problems = [f"step {position}: {problem}" for problem in error.problems]
            raise ConfigurationError(problems) from None
    return added


def add_steps(add: Callable[[Mapping[str, Any]], Fault], steps: object) -> list[Fault]:
    """Add faults, all or none, each of which begins when the one before it is over.

    Raises:
        ConfigurationError: Naming the step that makes no sense.
    """

    def add_after(step: Mapping[str, Any]) -> Fault:
        read_step(step)
        is_endless = step.get("times") is None and step.get("lasting") is None
        return add({**step, "times": 1} if is_endless else step)

    added = add_all(add_after, steps)
    for before, fault in itertools.pairwise(added):
        fault.wait_for(before)
    return added
