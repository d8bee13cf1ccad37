"""Settings from ``anyworker.toml``, or from ``[tool.anyworker]`` in ``pyproject.toml``.

::

    backend = "trio"
    modules = ["my_app.workers"]

    [server]
    url = "https://conductor.example/api"
    auth = { key_id_env = "ORDERS_KEY", key_secret_file = "/run/secrets/conductor" }

    [metrics]
    http_port = 9464

    [workers.all]
    thread_count = 10

    [workers.charge]
    domain = "eu"

The environment wins over the file, and the file over the code.
"""

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from anyworker.errors import ConfigurationError
from anyworker.option_kinds import shown
from anyworker.option_table import PROPERTIES, Option
from anyworker.settings_table import AUTH, METRICS, OUTBOX, RUN, SERVER, Entry
from anyworker.spelling import nearest
from anyworker.toml_lines import line_of

logger = logging.getLogger(__name__)

NAME = "anyworker.toml"
PROJECT = "pyproject.toml"
_PROJECT_TABLE = ("tool", "anyworker")
_IMPORTED = ("modules", "lifespan", "middleware")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class ObjectName(str):
    """Where to import something from, which knows where that was written."""

    __slots__ = ("place",)
    place: str

    def __new__(cls, text: str, place: str = "") -> Self:
        name = super().__new__(cls, text)
        name.place = place
        return name


@attrs.frozen
class Setting:
    """One value of a file."""

    value: Any
    key: str
    """Its dotted key from the top of the file."""
    place: str
    """The same for messages, with file and line."""
    source: str
    """``file:key``."""


@attrs.frozen
class SettingsFile:
    """What a file says; everything in it is accepted."""

    name: str
    """As the user calls it."""
    run: Mapping[str, Setting] = attrs.field(factory=dict, hash=False)
    """By the keys of ``settings_table.RUN``."""
    server: Mapping[str, Setting] = attrs.field(factory=dict, hash=False)
    """By the keys of ``settings_table.SERVER``."""
    auth: Mapping[str, Setting] = attrs.field(factory=dict, hash=False)
    """By the keys of ``settings_table.AUTH``."""
    headers: Mapping[str, Setting] = attrs.field(factory=dict, hash=False)
    metrics: Mapping[str, Setting] = attrs.field(factory=dict, hash=False)
    """By the keys of ``settings_table.METRICS``."""
    outbox: Mapping[str, Setting] = attrs.field(factory=dict, hash=False)
    """By the keys of ``settings_table.OUTBOX``."""
    workers: Mapping[str, Mapping[str, Setting]] = attrs.field(factory=dict, hash=False)
    """By task type, ``all`` for all of them, then by the name of the option."""


def find_settings(directory: Path) -> SettingsFile | None:
    """Return what the settings file of a directory says, ``anyworker.toml`` before ``pyproject.toml``.

    Returns:
        None where there is neither, or the latter has no ``[tool.anyworker]``.

    Raises:
        ConfigurationError: As for `read_settings`.
    """
    own, project = directory / NAME, directory / PROJECT
    if own.is_file():
        found = read_settings(own, name=NAME)
        with contextlib.suppress(ConfigurationError):
            if project.is_file() and _has_table(project):
                logger.warning("[tool.anyworker] in %s is passed over: %s counts", PROJECT, NAME)
        return found
    if project.is_file() and _has_table(project):
        return read_settings(project, name=PROJECT)
    return None


def _has_table(project: Path) -> bool:
    return _table_of(_parsed(project, PROJECT), _PROJECT_TABLE) is not None


def read_settings(path: str | os.PathLike[str], *, name: str | None = None) -> SettingsFile:
    """Read a settings file; one called ``pyproject.toml`` has its settings in ``[tool.anyworker]``.

    Args:
        path: The file.
        name: What to call it in messages, by default its path.

    Raises:
        ConfigurationError: It cannot be read, or holds what is not accepted; all of it is named.
    """
    place = Path(path)
    called = name or os.fspath(path)
    document = _parsed(place, called)
    prefix = _PROJECT_TABLE if place.name == PROJECT else ()
    table = _table_of(document, prefix)
    if table is None:
        problem = f"{called}: there is no table [{'.'.join(prefix)}] in it"
        raise ConfigurationError(problem)
    reading = _Reading(called, place.read_text(encoding="utf-8"), place.resolve().parent, prefix)
    settings = reading.settings(table)
    if reading.problems:
        raise ConfigurationError(reading.problems)
    return settings


def _parsed(path: Path, name: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - a start without a file need not wait for it

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"{name}: the settings file cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = f"{name}: the settings file is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem = f"{name}: no valid TOML: {error}"
    raise ConfigurationError(problem)


def _table_of(document: Mapping[str, Any], path: Iterable[str]) -> dict[str, Any] | None:
    table: Any = document
    for part in path:
        table = table.get(part) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


@attrs.define(eq=False)
class _Reading:
    """Goes through a file and collects what is wrong with it."""

    name: str
    text: str
    directory: Path
    prefix: tuple[str, ...]
    problems: list[str] = attrs.field(factory=list)

    def settings(self, table: Mapping[str, Any]) -> SettingsFile:
        """Return what the file's own table says."""
        tables = {key: self._subtable(table, key) for key in ("server", "metrics", "outbox", "workers")}
        server = dict(tables["server"])
        auth, headers = (self._subtable(server, key, "server") for key in ("auth", "headers"))
        for key in ("auth", "headers"):
            server.pop(key, None)
        top = {key: value for key, value in table.items() if key not in tables}
        return SettingsFile(
            name=self.name,
            run=self._entries(top, RUN, known={*RUN, *tables}),
            server=self._entries(server, SERVER, "server", known={*SERVER, "auth", "headers"}),
            auth=self._auth(auth),
            headers=self._headers(headers),
            metrics=self._entries(tables["metrics"], METRICS, "metrics", known=set(METRICS)),
            outbox=self._entries(tables["outbox"], OUTBOX, "outbox", known=set(OUTBOX)),
            workers=self._workers(tables["workers"]),
        )

    def _subtable(self, table: Mapping[str, Any], key: str, *above: str) -> dict[str, Any]:
        found = table.get(key, {})
        if not isinstance(found, dict):
            self._refuse((*above, key), f"{shown(found)}: expected a table")
            return {}
        return found

    def _entries(
        self, table: Mapping[str, Any], entries: Mapping[str, Entry], *above: str, known: set[str]
    ) -> dict[str, Setting]:
        found = {}
        for key, value in table.items():
            entry = entries.get(key)
            if entry is None:
                self._unknown((*above, key), known)
            elif not entry.is_accepted(value):
                self._refuse((*above, key), f"{shown(value)}: expected {entry.accepted}")
            else:
                path = str(self.directory / value) if entry.is_path else value
                found[key] = self._setting((*above, key), path)
        for key in () if above else _IMPORTED:
            if key in found:
                value, place = found[key].value, found[key].place
                is_list = isinstance(value, list)
                named = [self._target(key, each, place) for each in (value if is_list else [value])]
                found[key] = attrs.evolve(found[key], value=named if is_list else named[0])
        return found

    def _target(self, key: str, target: str, place: str) -> str:
        """Return a file's path from the file's directory; a module's name stays as it is."""
        is_file = target.partition(":")[0].endswith(".py") or os.sep in target
        path = str(self.directory / target) if is_file else target
        return path if key == "modules" else ObjectName(path, place)

    def _auth(self, table: Mapping[str, Any]) -> dict[str, Setting]:
        if "key_secret" in table:
            reason = (
                "a secret has no place in this file; name a variable by key_secret_env, or a file "
                "by key_secret_file"
            )
            self._refuse(("server", "auth", "key_secret"), f"'***': {reason}")
        rest = {key: value for key, value in table.items() if key != "key_secret"}
        return self._entries(rest, AUTH, "server", "auth", known=set(AUTH))

    def _headers(self, table: Mapping[str, Any]) -> dict[str, Setting]:
        entry = Entry("a text", lambda value: isinstance(value, str))
        return self._entries(table, dict.fromkeys(table, entry), "server", "headers", known=set(table))

    def _workers(self, table: Mapping[str, Any]) -> dict[str, dict[str, Setting]]:
        return {owner: self._options(owner, self._subtable(table, owner, "workers")) for owner in table}

    def _options(self, owner: str, table: Mapping[str, Any]) -> dict[str, Setting]:
        found: dict[str, Setting] = {}
        for key, value in table.items():
            path = ("workers", owner, key)
            option = PROPERTIES.get(key)
            if option is None and isinstance(value, dict):
                quoted = f"[{dotted(('workers', f'{owner}.{key}'))}]"
                self._refuse(path, f"a table: a worker whose name has dots in it is written {quoted}", "")
            elif option is None:
                self._unknown(path, PROPERTIES)
            elif option.name in found:
                self._refuse(path, f"{shown(value)}: {found[option.name].key} means the same; leave one out")
            else:
                self._option(found, option, path, value)
        return found

    def _option(
        self, found: dict[str, Setting], option: Option, path: tuple[str, ...], value: object
    ) -> None:
        try:
            # TOML has no null; as in the environment, an empty text stands for it.
            accepted = None if option.is_optional and value == "" else option.check(value)
        except ValueError:
            self._refuse(path, f"{shown(value)}: expected {option.accepted}")
        else:
            found[option.name] = self._setting(path, accepted)

    def _setting(self, path: tuple[str, ...], value: object) -> Setting:
        key = dotted((*self.prefix, *path))
        return Setting(value, key, self._place(path), f"{self.name}:{key}")

    def _place(self, path: tuple[str, ...]) -> str:
        full = (*self.prefix, *path)
        line = line_of(self.text, full)
        where = f"{self.name}, line {line}" if line is not None else self.name
        return f"{where}: {dotted(full)}"

    def _refuse(self, path: tuple[str, ...], reason: str, sign: str = "=") -> None:
        self.problems.append(f"{self._place(path)}{sign or ': '}{reason}")

    def _unknown(self, path: tuple[str, ...], known: Iterable[str]) -> None:
        names = sorted(known)
        match = nearest(path[-1].lower(), names)
        remedy = f"did you mean {match!r}?" if match else f"there are {', '.join(names)}"
        self._refuse(path, f"unknown key, {remedy}", "")


def dotted(path: Iterable[str]) -> str:
    """Return a key's parts as TOML has them, on one line."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in path)
