"""The environment's keys for workers: which there are, what they say, and what they seem to mean."""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping

import attrs

from anyworker.option_kinds import is_one_line, shown
from anyworker.option_table import OPTIONS, PROPERTIES, Option
from anyworker.spelling import nearest

ALL = "all"
"""Stands for every worker in the place of a worker's name."""
DOTTED = "conductor.worker."
UPPER = "CONDUCTOR_WORKER_"


@attrs.frozen
class Environment:
    """What the environment says about some workers."""

    values: Mapping[str, object]
    """Key -> accepted value."""
    problems: tuple[str, ...]
    """A sentence about each key that is refused: key, value, what is accepted, whom it concerns."""
    warnings: tuple[str, ...]
    """A sentence about each key that says something in vain."""


def environment_tiers(name: str, option: Option) -> Iterator[tuple[str, ...]]:
    """Yield the keys that set an option of a worker, the strongest first; those of a tier are synonyms."""
    yield from _own_tiers(name, option)
    yield from _own_tiers(ALL, option)


def _own_tiers(owner: str, option: Option) -> Iterator[tuple[str, ...]]:
    yield tuple(f"{DOTTED}{owner}.{property_name}" for property_name in option.properties)
    yield tuple(f"{UPPER}{upper(owner)}_{property_name.upper()}" for property_name in option.properties)


def upper(name: str) -> str:
    """Return a worker's name as it stands in upper-case keys."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def read_environment(names: Collection[str], environ: Mapping[str, str]) -> Environment:
    """Read all that an environment says about workers, also what a stronger key overrides.

    Args:
        names: The workers' task types.
        environ: May hold keys of other workers and other programs.
    """
    owners = _owners(names)
    values: dict[str, object] = {}
    problems: list[str] = []
    for key in sorted(owners.keys() & environ.keys()):
        try:
            values[key] = _read(key, environ[key], owners[key])
        except ValueError as error:
            problems.append(str(error))
    warnings = [
        *_conflicts(names, environ, values),
        *_namesakes(names, values),
        *(warning for key in sorted(environ.keys() - owners.keys()) if (warning := _misnomer(key, names))),
    ]
    return Environment(values, tuple(problems), tuple(warnings))


def _owners(names: Collection[str]) -> dict[str, set[tuple[str, Option]]]:
    """Return for each key whom it may mean: a worker or all of them, and the option."""
    owners: dict[str, set[tuple[str, Option]]] = {}
    for name in sorted(names):
        for option in OPTIONS:
            own_dotted, own_upper, *shared = environment_tiers(name, option)
            for key in own_dotted:
                owners.setdefault(key, set()).add((name, option))
            for key in own_upper:
                owners.setdefault(key, set()).add((ALL if upper(name) == upper(ALL) else name, option))
            for key in itertools.chain(*shared):
                owners.setdefault(key, set()).add((ALL, option))
    return owners


def _read(key: str, text: str, owners: Collection[tuple[str, Option]]) -> object:
    """Return the value of a key.

    Raises:
        ValueError: It is not accepted, or the key means two things; its message tells all.
    """
    meanings = sorted(f"{option.name} of {_whom(owner)}" for owner, option in owners)
    if len(meanings) > 1:
        problem = f"{key}={shown(text)} means {' and '.join(meanings)}: use the dotted keys instead"
        raise ValueError(problem)
    ((owner, option),) = owners
    try:
        return option.read(text)
    except ValueError:
        problem = (
            f"{key}={shown(text)}: expected {option.accepted}; set in the environment for {_whom(owner)}"
        )
        raise ValueError(problem) from None


def _whom(owner: str) -> str:
    return "all workers" if owner == ALL else f"worker {owner!r}"


def _conflicts(
    names: Collection[str], environ: Mapping[str, str], values: Mapping[str, object]
) -> Iterator[str]:
    """Yield a warning about each pair of synonyms that differ."""
    tiers = {tier for name in names for option in OPTIONS for tier in environment_tiers(name, option)}
    for tier in sorted(tiers):
        keys = [key for key in tier if key in values]
        if len({values[key] for key in keys}) > 1:
            said = " and ".join(f"{key}={shown(environ[key])}" for key in keys)
            yield f"{said} mean the same option: {keys[0]} counts"


def _namesakes(names: Collection[str], values: Mapping[str, object]) -> Iterator[str]:
    """Yield a warning about each worker whose own keys, those of all workers as well, are set."""
    for name in sorted(names):
        own = (key for option in OPTIONS for key in itertools.chain(*_own_tiers(name, option)))
        shared = {key for option in OPTIONS for key in itertools.chain(*_own_tiers(ALL, option))}
        taken = [key for key in own if key in shared and key in values]
        if taken:
            yield f"{', '.join(taken)}: set for all workers, not only for the one named {name!r}"


def _misnomer(key: str, names: Collection[str]) -> str | None:
    """Return a warning about a key that names no option, or no worker; None if it may be somebody's."""
    if not is_one_line(key):
        return None
    if key.startswith(DOTTED):
        owner, _, property_name = key.removeprefix(DOTTED).rpartition(".")
        if not owner:
            return f"{key} names no worker: {DOTTED}{ALL}.{property_name} is for all workers"
        return None if property_name in PROPERTIES else _unknown(key, property_name)
    if key.startswith(UPPER):
        return _upper_misnomer(key, key.removeprefix(UPPER), names)
    return None


def _upper_misnomer(key: str, rest: str, names: Collection[str]) -> str | None:
    if rest.lower() in PROPERTIES:
        return f"{key} names no worker: {UPPER}{upper(ALL)}_{rest} is for all workers"
    # Only behind a known name is it certain where the property begins.
    known = [name for name in (*map(upper, names), upper(ALL)) if rest.startswith(f"{name}_")]
    if not known:
        return None
    property_name = rest.removeprefix(f"{max(known, key=len)}_")
    # Another worker's name may begin like a known one: with "my" known, MY_TASK_DOMAIN is left alone.
    # MY_POL_TIMEOUT is not: it ends in a property too, but is all but poll_timeout.
    endings = {name for name in PROPERTIES if rest.lower().endswith(f"_{name}")}
    match = nearest(property_name.lower(), PROPERTIES, cutoff=0.85)
    if endings and (match is None or match in endings):
        return None
    return _unknown(key, property_name)


def _unknown(key: str, property_name: str) -> str:
    names = {name.upper() if key.startswith(UPPER) else name: name for name in PROPERTIES}
    match = nearest(property_name.lower(), PROPERTIES)
    known = [spelling for spelling, name in names.items() if match in {None, name}]
    remedy = f"did you mean {known[0]!r}?" if match else f"there are {', '.join(known)}"
    return f"{key}: unknown property {property_name!r}, {remedy}"
