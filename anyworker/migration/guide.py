"""The tables of the guide to migrating."""

from collections.abc import Iterable

from anyworker.migration.fate import WORDS, Fate
from anyworker.migration.names import NAMES
from anyworker.migration.table import ATTRIBUTES, OPTIONS, VARIABLES, WORKER_VARIABLES


def migration_tables() -> str:
    """Return all of them as Markdown."""
    parts = ["### Names", _table("conductor-python", NAMES)]
    for owner, options in OPTIONS.items():
        parts += [f"### Options of `{owner}`", _table("option", options)]
    parts += ["### Methods and attributes that are not there", _table("of an object", ATTRIBUTES)]
    parts += ["### Variables", _table("variable", [*VARIABLES, *map(_of_workers, WORKER_VARIABLES)])]
    return "\n\n".join(parts)


def _of_workers(fate: Fate) -> Fate:
    prefix = "CONDUCTOR_WORKER_<NAME>_"
    return Fate(f"{prefix}{fate.name}", fate.verdict, f"{prefix}{fate.ours}", fate.why)


def _table(heading: str, fates: Iterable[Fate]) -> str:
    rows = [
        f"| `{fate.name}` | {WORDS[fate.verdict]} | {f'`{fate.ours}`' if fate.ours else ''} | {fate.why} |"
        for fate in fates
    ]
    return "\n".join([f"| {heading} | | anyworker | |", "|---|---|---|---|", *rows])
