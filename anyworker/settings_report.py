"""Every setting that holds, with its source; secrets are masked."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from anyworker.checks import without_secrets
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.observe.settings import MetricsSettings
from anyworker.option_kinds import Millis
from anyworker.option_table import OPTIONS
from anyworker.options import ResolvedWorker
from anyworker.outbox_settings import OutboxSettings, said
from anyworker.run_settings import Chosen

_MASK = "***"
_HIDDEN = {"sources", "file"}


def settings_report(
    configuration: Configuration,
    run: Mapping[str, Chosen],
    workers: Sequence[ResolvedWorker],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """Return all values and their sources, ready for JSON.

    Args:
        configuration: The server's, with the settings file that it was read from.
        run: How workers are run.
        workers: Each is listed with all its options.
        environ: The environment.

    Raises:
        ConfigurationError: A variable of the outbox has a bad value.
    """
    return {
        "file": None if configuration.file is None else configuration.file.name,
        "server": _server(configuration),
        "run": {name: _entry(chosen.value, chosen.source) for name, chosen in run.items()},
        "metrics": _metrics(configuration),
        "outbox": _outbox(configuration, environ),
        "workers": [
            {
                "task_type": resolved.worker.task_definition_name,
                "domain": resolved.options.domain,
                "options": _options(resolved),
            }
            for resolved in workers
        ],
    }


def _entry(value: object, source: str) -> dict[str, Any]:
    return {"value": value, "source": source}


def _server(configuration: Configuration) -> dict[str, Any]:
    names = [field.name for field in attrs.fields(Configuration) if field.name not in _HIDDEN]
    return {
        name: _entry(_shown(getattr(configuration, name)), configuration.sources[name]) for name in names
    } | {
        "headers": _entry(dict.fromkeys(configuration.headers, _MASK), configuration.sources["headers"]),
        "proxy": _entry(
            configuration.proxy and without_secrets(configuration.proxy), configuration.sources["proxy"]
        ),
    }


def _metrics(configuration: Configuration) -> dict[str, Any]:
    """Return where metrics go, nothing where they go nowhere."""
    said = {} if configuration.file is None else configuration.file.metrics
    if not said:
        return {}
    return {
        field.name: _entry(said[field.name].value, said[field.name].source)
        if field.name in said
        else _entry(field.default, "default")
        for field in attrs.fields(MetricsSettings)
    }


def _outbox(configuration: Configuration, environ: Mapping[str, str]) -> dict[str, Any]:
    found = said(environ, configuration)
    return {
        field.name: _entry(*found[field.name]) if field.name in found else _entry(field.default, "default")
        for field in attrs.fields(OutboxSettings)
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


def _options(resolved: ResolvedWorker) -> dict[str, Any]:
    """Return the options by the names and in the units in which they are set."""
    options, found = resolved.options, {}
    for option in OPTIONS:
        value = getattr(options, option.field)
        if isinstance(option.kind, Millis) and value is not None:
            value = round(value * 1000)
        found[option.name] = _entry(value, str(options.sources[option.field]))
    return found


def as_text(report: Mapping[str, Any]) -> str:
    """Return a report as aligned lines for a terminal."""
    lines = [f"settings file: {report['file'] or 'none'}"]
    sections = [(title, report[title]) for title in ("server", "run", "metrics", "outbox") if report[title]]
    for worker in report["workers"]:
        domain = f" in domain {worker['domain']!r}" if worker["domain"] else ""
        sections.append((f"worker {worker['task_type']!r}{domain}", worker["options"]))
    for title, entries in sections:
        rows = [(name, _text(entry["value"]), entry["source"]) for name, entry in entries.items()]
        wide, wider = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines += ["", title]
        lines += [f"  {name:{wide}}  {value:{wider}}  {source}" for name, value, source in rows]
    return "\n".join(lines)


def _text(value: object) -> str:
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
