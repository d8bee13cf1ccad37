"""Settings with their sources as people may see them: secrets are masked."""

from typing import Any

import attrs

from anyworker.checks import without_secrets
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.option_kinds import Millis
from anyworker.option_table import OPTIONS
from anyworker.options import ResolvedWorker

_MASK = "***"
_HIDDEN = {"sources", "file"}


def entry(value: object, source: str) -> dict[str, Any]:
    """Return a value and its source as JSON has them."""
    return {"value": value, "source": source}


def server_settings(configuration: Configuration) -> dict[str, Any]:
    """Return what holds for the server, by name."""
    names = [field.name for field in attrs.fields(Configuration) if field.name not in _HIDDEN]
    return {
        name: entry(_shown(getattr(configuration, name)), configuration.sources[name]) for name in names
    } | {
        "server_api_url": entry(
            without_secrets(configuration.server_api_url), configuration.sources["server_api_url"]
        ),
        "headers": entry(dict.fromkeys(configuration.headers, _MASK), configuration.sources["headers"]),
        "proxy": entry(
            configuration.proxy and without_secrets(configuration.proxy), configuration.sources["proxy"]
        ),
    }


def _shown(value: object) -> object:
    match value:
        case AuthenticationSettings():
            return {
                name: _MASK if name in {"key_id", "key_secret"} else part
                for name, part in attrs.asdict(value).items()
                if part is not None
            }
        case None | bool() | int() | float() | str():
            return value
        case _:
            return type(value).__name__


def worker_settings(resolved: ResolvedWorker) -> dict[str, Any]:
    """Return the options by the names and in the units in which they are set."""
    options, found = resolved.options, {}
    for option in OPTIONS:
        value = getattr(options, option.field)
        if isinstance(option.kind, Millis) and value is not None:
            value = round(value * 1000)
        found[option.name] = entry(value, str(options.sources[option.field]))
    return found


def as_words(value: object) -> str:
    """Return a value as a word or some."""
    match value:
        case dict():
            return ", ".join(f"{name}={part}" for name, part in value.items()) or "none"
        case list() | tuple():
            return ", ".join(map(str, value)) or "none"
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
