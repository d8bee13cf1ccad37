"""Where results go that could not be delivered: what the code, a settings file and the environment say."""

import math
import os
from collections.abc import Mapping
from typing import Any, Self, TypeAlias

import attrs

from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.option_kinds import shown

PATH_VARIABLE = "CONDUCTOR_OUTBOX"
WRITE_AHEAD_VARIABLE = "CONDUCTOR_OUTBOX_WRITE_AHEAD"
MAX_DEATHS_VARIABLE = "CONDUCTOR_OUTBOX_MAX_DEATHS"
MAX_RESULTS = 10_000
MAX_BYTES = 64 * 2**20
MAX_DEATHS = 3
_LONGEST = 10
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@attrs.frozen
class OutboxSettings:
    """An outbox in memory or, with a path, in a SQLite file that several processes may share.

    Raises:
        ConfigurationError: A value cannot work; all problems are named.
    """

    path: str | os.PathLike[str] | None = None
    """The file, made if it is missing; None for memory."""
    write_ahead: bool = False
    """Whether every result is in the file before it is sent at all, so that it survives SIGKILL."""
    retention_days: float = 30.0
    """How long the file keeps results that the server refused."""
    max_results: int = MAX_RESULTS
    """How many results are held in memory."""
    max_bytes: int = MAX_BYTES
    """How many bytes of JSON they may have together."""
    max_deaths: int = MAX_DEATHS
    """How often the process of a task may die, killed or crashed, before the task fails for good instead of
    being run again; 0 for any number. Needs a path: what is in memory dies as well."""

    def __attrs_post_init__(self) -> None:
        problems = [f"outbox: {problem}" for problem in self._problems() if problem]
        if problems:
            raise ConfigurationError(problems)

    def _problems(self) -> list[str | None]:
        path, days = self.path, self.retention_days
        name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        is_path = isinstance(name, str) and bool(name.strip()) and "\0" not in name
        is_time = type(days) in {int, float} and 0 < days < math.inf
        return [
            None if path is None or is_path else f"path={path!r}: expected the path of a file, or None",
            None
            if isinstance(self.write_ahead, bool)  # type: ignore[redundant-expr] # users write what they like
            else f"write_ahead={self.write_ahead!r}: expected True or False",
            "write_ahead=True: needs a path, since memory does not survive the process"
            if self.write_ahead is True and path is None
            else None,
            None if is_time else f"retention_days={days!r}: expected a number of days above 0",
            *(
                None
                if type(getattr(self, name)) is int and getattr(self, name) >= 0
                else f"{name}={getattr(self, name)!r}: expected a whole number, 0 or more"
                for name in ("max_results", "max_bytes", "max_deaths")
            ),
        ]

    @classmethod
    def of(cls, given: object, environ: Mapping[str, str], configuration: Configuration | None) -> Self:
        """Return what holds: the environment wins over the file, the file over the code.

        Args:
            given: In the code: settings, a path, or None.
            environ: The environment.
            configuration: Its settings file, if it has one, is a source, too.

        Raises:
            ConfigurationError: Something of it cannot work.
        """
        if not (given is None or isinstance(given, str | os.PathLike | cls)):
            problem = f"outbox={given!r}: expected a path, OutboxSettings, or None"
            raise ConfigurationError(problem)
        base = given if isinstance(given, cls) else cls(path=given)  # type: ignore[arg-type] # checked above
        return attrs.evolve(
            base, **{name: value for name, (value, _) in said(environ, configuration).items()}
        )


OutboxChoice: TypeAlias = str | os.PathLike[str] | OutboxSettings | None


def said(environ: Mapping[str, str], configuration: Configuration | None) -> dict[str, tuple[Any, str]]:
    """Return what the environment and, under it, the settings file say: values and sources by field.

    Raises:
        ConfigurationError: A variable has a bad value.
    """
    settings = configuration.file.outbox if configuration is not None and configuration.file else {}
    found: dict[str, tuple[Any, str]] = {
        name: (setting.value, setting.source) for name, setting in settings.items()
    }
    if path := environ.get(PATH_VARIABLE, "").strip():
        found["path"] = (path, PATH_VARIABLE)
    if text := environ.get(MAX_DEATHS_VARIABLE, "").strip():
        found["max_deaths"] = (_number(text), MAX_DEATHS_VARIABLE)
    if text := environ.get(WRITE_AHEAD_VARIABLE, "").strip():
        found["write_ahead"] = (_boolean(text), WRITE_AHEAD_VARIABLE)
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < _LONGEST):
        problem = (
            f"{MAX_DEATHS_VARIABLE}={shown(text)}: expected a whole number, 0 or more; set in the environment"
        )
        raise ConfigurationError(problem)
    return int(text)


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        problem = f"{WRITE_AHEAD_VARIABLE}={shown(text)}: expected true or false; set in the environment"
        raise ConfigurationError(problem)
    return value
