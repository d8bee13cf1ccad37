"""The ``${...}`` expressions of workflow definitions.

A value that is one expression keeps the type of what it names; inside text it becomes text; what is missing
is null. ``$${x}`` is the literal ``${x}``. Paths are JsonPath's: names, ``['name']``, ``[1]``, ``[-1]``,
``[*]``, ``[a:b]``, ``.length()``; not its filters and deep scans, which find nothing here.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from anyworker.devserver.wire.java import as_text

Scope = Callable[[str], Any]
"""Returns what stands under the first name of a path; None if there is no such name."""

_MISSING = object()
_MANY = object()
_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]]+)|\[\s*(?P<index>-?\d+)\s*\]|\['(?P<single>[^']*)'\]|\["(?P<double>[^"]*)"\]"""
    r"""|\[\s*(?P<start>-?\d*)\s*:\s*(?P<end>-?\d*)\s*\]|(?P<all>\[\*\])"""
)


def evaluate(value: Any, scope: Scope, task_id: str | None) -> Any:
    """Return the value with every expression in it replaced, however deep.

    Args:
        value: A parameter of a definition.
        scope: What paths start from.
        task_id: What ``${CPEWF_TASK_ID}`` stands for; None where there is no task.
    """
    if isinstance(value, str):
        return _interpolate(value, scope, task_id) if "${" in value else value
    if isinstance(value, dict):
        return {key: evaluate(item, scope, task_id) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, scope, task_id) for item in value]
    return value


def parameters(
    declared: Mapping[str, Any], scope: Scope, task_id: str | None, template: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return input or output for declared parameters; a template fills keys that are absent or null."""
    if not template:
        return {key: evaluate(value, scope, task_id) for key, value in declared.items()}
    merged = {**template, **{key: value for key, value in declared.items() if value is not None}}
    found = {key: evaluate(value, scope, task_id) for key, value in merged.items()}
    filled = {key: template.get(key) if value is None else value for key, value in found.items()}
    return filled | {key: None for key in declared if key not in filled}


def _interpolate(text: str, scope: Scope, task_id: str | None) -> Any:
    parts = _parts(text)
    if len(parts) == 1 and isinstance(parts[0], tuple):
        return _resolve(parts[0][0], scope, task_id)
    joined = "".join(
        part if isinstance(part, str) else as_text(_resolve(part[0], scope, task_id)) for part in parts
    )
    return joined.replace("$${", "${")


@functools.lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str | tuple[str], ...]:
    """Split text into literals and, as tuples of one, the insides of expressions."""
    parts: list[str | tuple[str]] = []
    done = 0
    at = text.find("${")
    while at >= 0:
        end = _closing(text, at + 2)
        if end < 0:
            break
        if at > 0 and text[at - 1] == "$":
            at = text.find("${", at + 2)
            continue
        if at > done:
            parts.append(text[done:at])
        parts.append((text[at + 2 : end],))
        done = end + 1
        at = text.find("${", done)
    if done < len(text):
        parts.append(text[done:])
    return tuple(parts)


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return -1


def _resolve(path: str, scope: Scope, task_id: str | None) -> Any:
    if "${" in path:
        path = as_text(_interpolate(path, scope, task_id))
    if not path.strip():
        return ""
    if path == "CPEWF_TASK_ID":
        return "${CPEWF_TASK_ID}" if task_id is None else task_id
    steps = _steps(path)
    if not steps or not isinstance(steps[0], str):
        return None
    found = _walk(scope(steps[0]), steps[1:])
    return None if found is _MISSING else found


@functools.lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[Any, ...]:
    """Split a path into names, indexes, slices and the marker for all; () if it is none that is known."""
    steps: list[Any] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return ()
        steps.append(_step(step))
        at = step.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Any:
    if found["index"] is not None:
        return int(found["index"])
    if found["start"] is not None:
        return slice(*(int(bound) if bound else None for bound in (found["start"], found["end"])))
    if found["all"] is not None:
        return _MANY
    return next(name for name in (found["name"], found["single"], found["double"]) if name is not None)


def _walk(value: Any, steps: tuple[Any, ...]) -> Any:
    for position, step in enumerate(steps):
        if _is_many(step):
            return _each(value, step, steps[position + 1 :])
        value = _child(value, step)
        if value is _MISSING:
            return [] if any(map(_is_many, steps[position + 1 :])) else _MISSING
    return value


def _is_many(step: Any) -> bool:
    return step is _MANY or step == "*" or isinstance(step, slice)


def _each(value: Any, step: Any, rest: tuple[Any, ...]) -> list[Any]:
    """Return what the rest of the path names in each of many; those without it are left out."""
    items: list[Any] = []
    if isinstance(value, list):
        items = value[step] if isinstance(step, slice) else value
    elif isinstance(value, dict) and not isinstance(step, slice):
        items = list(value.values())
    found = (_walk(item, rest) for item in items)
    return [item for item in found if item is not _MISSING]


def _child(value: Any, step: Any) -> Any:
    if isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            return value[step]
        return _MISSING
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if step == "length()" and isinstance(value, (list, str)):
        return len(value)
    return _MISSING
