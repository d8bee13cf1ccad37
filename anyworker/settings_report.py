"""Every setting that holds, with its source; secrets are masked."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from anyworker.configuration import Configuration
from anyworker.observe.settings import MetricsSettings
from anyworker.options import ResolvedWorker
from anyworker.outbox_settings import OutboxSettings, said
from anyworker.run_settings import Chosen
from anyworker.settings_shown import as_words, entry, server_settings, worker_settings


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
        "server": server_settings(configuration),
        "run": {name: entry(chosen.value, chosen.source) for name, chosen in run.items()},
        "metrics": _metrics(configuration),
        "outbox": _outbox(configuration, environ),
        "workers": [
            {
                "task_type": resolved.worker.task_definition_name,
                "domain": resolved.options.domain,
                "options": worker_settings(resolved),
            }
            for resolved in workers
        ],
    }


def _metrics(configuration: Configuration) -> dict[str, Any]:
    """Return where metrics go, nothing where they go nowhere."""
    said = {} if configuration.file is None else configuration.file.metrics
    if not said:
        return {}
    return {
        field.name: entry(said[field.name].value, said[field.name].source)
        if field.name in said
        else entry(field.default, "default")
        for field in attrs.fields(MetricsSettings)
    }


def _outbox(configuration: Configuration, environ: Mapping[str, str]) -> dict[str, Any]:
    found = said(environ, configuration)
    return {
        field.name: entry(*found[field.name]) if field.name in found else entry(field.default, "default")
        for field in attrs.fields(OutboxSettings)
    }


def as_text(report: Mapping[str, Any]) -> str:
    """Return a report as aligned lines for a terminal."""
    lines = [f"settings file: {report['file'] or 'none'}"]
    sections = [(title, report[title]) for title in ("server", "run", "metrics", "outbox") if report[title]]
    for worker in report["workers"]:
        domain = f" in domain {worker['domain']!r}" if worker["domain"] else ""
        sections.append((f"worker {worker['task_type']!r}{domain}", worker["options"]))
    for title, entries in sections:
        rows = [(name, as_words(entry["value"]), entry["source"]) for name, entry in entries.items()]
        wide, wider = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines += ["", title]
        lines += [f"  {name:{wide}}  {value:{wider}}  {source}" for name, value, source in rows]
    return "\n".join(lines)
