"""What a settings file says of the server, where the environment does not."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from anyworker import checks
from anyworker.proxies import environment_proxy
from anyworker.settings_file import Setting, SettingsFile


@attrs.define(eq=False)
class ServerArguments:
    """Arguments for a `Configuration`."""

    values: dict[str, Any] = attrs.field(factory=dict)
    authentication: dict[str, str] | None = None
    """Arguments for its `AuthenticationSettings`."""
    sources: dict[str, str] = attrs.field(factory=dict)
    """By the same names, ``file:key``."""
    places: dict[str, str] = attrs.field(factory=dict)
    """The same for messages."""
    problems: list[str] = attrs.field(factory=list)

    def placed(self, problems: Iterable[str]) -> list[str]:
        """Return a configuration's problems with the places in the file where it calls them arguments."""
        return [self._placed(problem) for problem in problems]

    def _placed(self, problem: str) -> str:
        field = problem.partition("=")[0].partition("[")[0]
        place = self.places.get(field)
        return problem if place is None else problem.replace("(argument)", f"({place})", 1)


def server_arguments(
    file: SettingsFile, environ: Mapping[str, str], *, url: str, auth: Mapping[str, str], default_url: str
) -> ServerArguments:
    """Return what a file says of the server and the environment does not.

    Args:
        file: The file.
        environ: The environment; also read for the variables that the file names.
        url: The variable with the server's URL.
        auth: The variables with key and secret.
        default_url: Of a server that nothing names.
    """
    found = ServerArguments()
    given = {("server_api_url" if key == "url" else key): each for key, each in file.server.items()}
    said_url = environ.get(url, "").strip()
    if said_url:
        given.pop("server_api_url", None)
    effective = said_url or (given["server_api_url"].value if "server_api_url" in given else default_url)
    if checks.url_reason(effective) is None and environment_proxy(effective, environ) is not None:
        given.pop("proxy", None)
    for name, setting in given.items():
        found.values[name] = setting.value
        found.sources[name], found.places[name] = setting.source, setting.place
    if file.headers:
        found.values["headers"] = {name: setting.value for name, setting in file.headers.items()}
        first = next(iter(file.headers.values()))
        found.sources["headers"] = first.source.rpartition(".")[0]
        found.places["headers"] = first.place.rpartition(".")[0]
    if not any(environ.get(name, "").strip() for name in auth.values()):
        _read_auth(found, file, environ)
    return found


def _read_auth(found: ServerArguments, file: SettingsFile, environ: Mapping[str, str]) -> None:
    if not file.auth:
        return
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for key, setting in file.auth.items():
        field = key.removesuffix("_env")
        value = environ.get(setting.value, "").strip() if key.endswith("_env") else setting.value
        if not value:
            found.problems.append(f"{setting.place}={setting.value!r}: the environment has no such variable")
        elif field in values:
            found.problems.append(f"{setting.place}: {names[field]} says the same; leave one out")
        else:
            values[field], names[field] = value, setting.key
    if not found.problems:
        fields = ("key_id", "key_secret", "key_id_file", "key_secret_file")
        called = {field: names.get(field, f"server.auth.{field}{_suffix(field)}") for field in fields}
        given = {field: values.get(field) for field in fields}
        found.problems += checks.credential_problems(given, called, file.name)
    found.authentication = values
    found.sources["authentication_settings"] = ", ".join(map(_told, file.auth.items()))


def _suffix(field: str) -> str:
    return "" if field.endswith("_file") else "_env"


def _told(item: tuple[str, Setting]) -> str:
    key, setting = item
    return f"{setting.source} ({setting.value})" if key.endswith("_env") else setting.source
