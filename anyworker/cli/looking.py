"""The commands that run nothing: what is declared, what holds, what the server has."""

import json
import os
import sys
from collections.abc import Sequence
from functools import partial

import anyio
import click

from anyworker.cli import sharing


@click.command("list")
@sharing.targets
@sharing.config
@sharing.as_json
def list_workers(targets: Sequence[str], path: str | None, *, as_json: bool) -> None:
    """List the workers that modules or files declare: function, place, options that are not the defaults.

    \b
    Exit status:
      0  printed
      2  the command line is wrong
      3  the settings or the workers' code are

    Example: anyworker list my_app.workers
    """
    from anyworker import inspection  # noqa: PLC0415 - it brings what `run` needs, which `--help` need not wait for

    file = sharing.read_file(path)
    workers = sharing.found_workers(sharing.named_modules(targets, file), sharing.configured(file))
    found = [inspection.describe(resolved) for resolved in workers]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for worker in found:
        click.echo(f"{worker['task_type']}  {worker['kind']} {worker['signature']}")
        click.echo(f"    {worker['module']} ({worker['file']}:{worker['line']})")
        for name, source in worker["sources"].items():
            click.echo(f"    {name} = {worker['options'][name]!r}  ({source})")


@click.command()
@sharing.targets
@sharing.config
def schema(targets: Sequence[str], path: str | None) -> None:
    """Print, as JSON, the schemas and the task definition of each worker, as registration sends them.

    \b
    Exit status:
      0  printed
      2  the command line is wrong
      3  the settings or the workers' code are

    Example: anyworker schema my_app.workers
    """
    from anyworker import inspection  # noqa: PLC0415 - as above

    file = sharing.read_file(path)
    workers = sharing.found_workers(sharing.named_modules(targets, file), sharing.configured(file))
    with sharing.refusing():
        found = inspection.definitions(workers)
    click.echo(json.dumps(found, indent=2))


@click.command()
@sharing.targets
@sharing.config
@sharing.as_json
def config(targets: Sequence[str], path: str | None, *, as_json: bool) -> None:
    """Print every setting that holds and where it comes from: a variable, file:key, the code, the default.

    The environment wins over the settings file, the file over the code. Secrets are masked. Without modules,
    here or in the file, the workers' options are those that hold for all of them.

    \b
    Exit status:
      0  printed
      2  the command line is wrong
      3  the settings or the workers' code are

    Example: anyworker config my_app.workers --config deploy/anyworker.toml
    """
    from anyworker import inspection, settings_report  # noqa: PLC0415 - as above
    from anyworker.run_settings import choose  # noqa: PLC0415 - as above

    file = sharing.read_file(path)
    configuration = sharing.configured(file)
    run = choose({"modules": targets}, file)
    modules = run["modules"].value
    with sharing.refusing():
        workers = (
            inspection.load_workers(modules, configuration)
            if modules
            else (inspection.any_worker(configuration),)
        )
        report = settings_report.settings_report(configuration, run, workers, os.environ)
    click.echo(json.dumps(report, indent=2) if as_json else settings_report.as_text(report))


@click.command()
@sharing.targets
@sharing.config
@sharing.as_json
def doctor(targets: Sequence[str], path: str | None, *, as_json: bool) -> None:
    """Look at the server, the key, the clocks, and at each worker's definition, time limits and queue.

    Nothing is changed. The server is CONDUCTOR_SERVER_URL, by default http://localhost:8080/api. Without
    modules, here or in the settings file, only the server is looked at.

    \b
    Exit status:
      0  nothing is wrong; there may be warnings
      1  something is wrong, and the workers could not do their work
      2  the command line is wrong
      3  the settings or the workers' code are, so that nothing could be asked

    Example: anyworker doctor my_app.workers
    """
    from anyworker.doctor import examine  # noqa: PLC0415 - as above

    file = sharing.read_file(path)
    configuration = sharing.configured(file)
    modules = sharing.modules_of(targets, file)
    workers = sharing.found_workers(modules, configuration) if modules else ()
    findings = anyio.run(partial(examine, workers, configuration))
    if as_json:
        rows = [
            {
                "subject": finding.subject,
                "verdict": finding.verdict,
                "report": finding.report,
                "remedy": finding.remedy,
            }
            for finding in findings
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            verdict = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}[finding.verdict]
            click.echo(f"{verdict}  {finding.subject}: {finding.report}")
            if finding.remedy:
                click.echo(f"         -> {finding.remedy}")
    sys.exit(1 if any(finding.verdict == "wrong" for finding in findings) else 0)
