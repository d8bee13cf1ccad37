"""The command that measures a server."""

import json
from functools import partial

import anyio
import click

from anyworker.cli import sharing
from anyworker.errors import ConductorError


@click.command()
@sharing.config
@click.option(
    "--tasks", default=200, show_default=True, type=click.IntRange(10), help="Tasks of the backlog."
)
@click.option(
    "--thread-count", default=50, show_default=True, type=click.IntRange(1), help="Slots of the worker."
)
@click.option("--backend", type=sharing.BACKEND, default="asyncio", help=sharing.BACKEND_HELP)
@sharing.as_json
def bench(path: str | None, tasks: int, thread_count: int, backend: str, *, as_json: bool) -> None:
    """Measure your server with a worker beside it: throughput, how long tasks wait, the round trip.

    The server is CONDUCTOR_SERVER_URL, by default http://localhost:8080/api. Task type and workflows have
    names that nobody else has; their definitions are removed in the end, the workflows stay as they ended.

    \b
    Exit status:
      0  measured
      1  the server cannot be asked, or refuses
      2  the command line is wrong
      3  the settings are

    Example: anyworker bench --tasks 1000 --json
    """
    from anyworker.bench import STEPS, measure  # noqa: PLC0415 - it brings what `run` needs, which `--help` need not

    configuration = sharing.configured(sharing.read_file(path))
    name, options = sharing.event_loop(backend)
    expected = tasks + max(tasks // 10, 10) + max(tasks // 50, 2) * 5 * STEPS
    with sharing.progress("Tasks", expected) as told:
        work = partial(measure, configuration, tasks=tasks, thread_count=thread_count, told=told)
        try:
            figures = anyio.run(work, backend=name, backend_options=options)
        except* ConductorError as errors:
            error: BaseException = errors
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            message = f"{configuration.server_api_url}: {error}"
            raise click.ClickException(message) from None
    times = {
        "round trip": figures.round_trip_ms,
        "pickup": figures.pickup_ms,
        "next step of a chain": figures.next_step_ms,
    }
    if as_json:
        spreads = {
            f"{what.replace(' ', '_')}_ms": {"p50": each.p50, "p95": each.p95} for what, each in times.items()
        }
        totals = {"tasks": figures.tasks, "tasks_per_second": figures.tasks_per_second}
        click.echo(json.dumps({**totals, **spreads}, indent=2))
        return
    click.echo(f"{'':22}{'p50 ms':>10}{'p95 ms':>10}")
    for what, each in times.items():
        click.echo(f"{what:22}{each.p50:>10.1f}{each.p95:>10.1f}")
    click.echo(f"{figures.tasks} tasks; a backlog of {tasks}: {figures.tasks_per_second:.0f} a second")
