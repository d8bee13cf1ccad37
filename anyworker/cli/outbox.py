"""``anyworker outbox``: look into the file of an outbox, and settle what is in it."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from anyworker.cli import sharing
from anyworker.errors import OutboxError

if TYPE_CHECKING:
    from anyworker.configuration import Configuration

F = TypeVar("F", bound=Callable[..., object])

_keys = click.argument("keys", nargs=-1, type=int, metavar="[ID]...")


def _place(command: F) -> F:
    path = click.option(
        "--path",
        "given",
        metavar="FILE",
        type=click.Path(),
        help="The outbox; by default CONDUCTOR_OUTBOX, or that of the settings file.",
    )
    return path(sharing.config(command))


@click.group()
def outbox() -> None:
    """Look into the file of an outbox: results that could not be delivered, and what became of them.

    Example: anyworker outbox list --path /var/lib/app/results.db
    """


@outbox.command("list")
@_place
@click.option("--state", type=click.Choice(["ahead", "waiting", "refused"]), help="Only those in this state.")
@sharing.as_json
def list_results(given: str | None, path: str | None, state: str | None, *, as_json: bool) -> None:
    """List results, the oldest first, without what they hold.

    \b
    ahead    a process makes the first attempts to send it
    waiting  is sent again in the background
    refused  the server will never take it; the line below says why

    \b
    Exit status:
      0  printed
      2  the command line is wrong
      3  the settings are, or the file cannot be used

    Example: anyworker outbox list --state refused
    """
    from anyworker.runner.outbox.listing import existing, listing  # noqa: PLC0415 - `--help` need not wait

    with _refusing(), existing(_path(given, path)[0]) as file:
        rows = file.ask(partial(listing, state=state))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['id']}  {row['state']}  {_when(row['stored_at'])}  {row['task_type']}  {row['status']}  "
            f"task {row['task_id']}  workflow {row['workflow_id']}  {row['bytes']} bytes  "
            f"{row['attempts']} attempts"
        )
        if row["error"]:
            click.echo(f"    {row['error']}")
    if not rows:
        click.echo("There is none.")


@outbox.command()
@_place
@click.argument("key", type=int, metavar="ID")
def show(given: str | None, path: str | None, key: int) -> None:
    """Print one result as JSON, with all that it holds.

    \b
    Exit status:
      0  printed
      2  the command line is wrong
      3  the settings are, or the file cannot be used

    Example: anyworker outbox show 17
    """
    from anyworker.runner.outbox.listing import existing, whole  # noqa: PLC0415 - as above

    with _refusing(), existing(_path(given, path)[0]) as file:
        found = file.ask(partial(whole, key=key))
        if found is None:
            raise OutboxError(file.path, f"it has no result {key}")
    click.echo(json.dumps({**found, "stored_at": _when(found["stored_at"])}, indent=2))


@outbox.command()
@_place
@_keys
@sharing.as_json
def replay(given: str | None, path: str | None, keys: Sequence[int], *, as_json: bool) -> None:
    """Send what waits, now. Refused results are sent again where their IDs are given.

    Where a process of workers replays the file already, it does so, within seconds. As JSON that is
    `is_left_to_another`, beside the rows of `waiting` results and the number of `refused` ones.

    \b
    Exit status:
      0  nothing waits any more, or another process sees to it
      1  something could not be sent
      2  the command line is wrong
      3  the settings are, or the file cannot be used

    Example: anyworker outbox replay
    """
    from anyworker.runner.outbox.listing import existing, listing, reviving  # noqa: PLC0415 - as above

    place, configuration = _path(given, path)
    with _refusing():
        with existing(place) as file:
            _check(file, keys)
            file.apply([reviving(keys)])
            count = len(file.ask(partial(listing, state="waiting")))
        with sharing.progress("Results", count) as told:
            is_ours = anyio.run(_replay, place, configuration, told)
        with existing(place) as file:
            left = file.ask(listing)
    waiting = [row for row in left if row["state"] == "waiting"]
    refused = sum(row["state"] == "refused" for row in left)
    if as_json:
        told_as_json = {"is_left_to_another": not is_ours, "waiting": waiting, "refused": refused}
        click.echo(json.dumps(told_as_json, indent=2))
    elif not is_ours:
        click.echo(f"Another process replays this outbox; {len(waiting)} results wait for it.")
    else:
        click.echo(f"{len(waiting)} results still wait, {refused} are refused.")
        for row in waiting:
            click.echo(f"    {row['id']}: {row['error']}")
    sys.exit(1 if is_ours and waiting else 0)


@outbox.command()
@_place
@_keys
@click.option("--all", "is_all", is_flag=True, help="Also what waits to be sent, which is lost by that.")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Only what is older.")
@sharing.as_json
def purge(
    given: str | None,
    path: str | None,
    keys: Sequence[int],
    *,
    is_all: bool,
    older_than: float | None,
    as_json: bool,
) -> None:
    """Delete refused results, or those with the given IDs.

    As JSON the number of them is `deleted`.

    \b
    Exit status:
      0  deleted
      2  the command line is wrong
      3  the settings are, or the file cannot be used

    Example: anyworker outbox purge --older-than 7
    """
    from anyworker.runner.outbox.listing import Purge, days_before, existing  # noqa: PLC0415 - as above

    before = None if older_than is None else days_before(datetime.now(UTC).timestamp(), older_than)
    doomed = Purge(keys, ("refused", "waiting") if is_all else ("refused",), before)
    counts: list[int] = []
    with _refusing(), existing(_path(given, path)[0]) as file:
        _check(file, keys)
        file.apply([lambda connection: counts.append(doomed(connection))])
    deleted = sum(counts)
    click.echo(json.dumps({"deleted": deleted}) if as_json else f"{deleted} results deleted.")


class _Progress:
    """Hears of results that are settled."""

    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told

    def on_result_replayed(self, event: object) -> None:
        """The server took one."""
        self._told(1)

    def on_result_refused(self, event: object) -> None:
        """The server will never take one."""
        self._told(1)


async def _replay(path: str, configuration: "Configuration", told: Callable[[int], None]) -> bool:
    from random import random  # noqa: PLC0415 - as above

    from anyworker.conductor.client import ConductorClient  # noqa: PLC0415 - as above
    from anyworker.events import Publisher  # noqa: PLC0415 - as above
    from anyworker.outbox_settings import OutboxSettings  # noqa: PLC0415 - as above
    from anyworker.runner.outbox.outbox import Outbox  # noqa: PLC0415 - as above
    from anyworker.runner.process_id import process_worker_id  # noqa: PLC0415 - as above
    from anyworker.runner.threads import thread_runner  # noqa: PLC0415 - as above

    async with ConductorClient(configuration) as client:
        box = Outbox(client, Publisher([_Progress(told)]), OutboxSettings(path), draw=random)
        server = configuration.server_api_url
        await box.open(server=server, owner=process_worker_id(), run_sync=thread_runner())
        try:
            return await box.replay()
        finally:
            await box.finish()


def _path(given: str | None, settings: str | None) -> "tuple[str, Configuration]":
    """Return where the outbox is, and the server."""
    from anyworker.outbox_settings import OutboxSettings  # noqa: PLC0415 - as above

    configuration = sharing.configured(sharing.read_file(settings))
    with sharing.refusing():
        found = given or OutboxSettings.of(None, os.environ, configuration).path
    if found is None:
        message = "Name the outbox by --path, CONDUCTOR_OUTBOX, or [outbox] path in a settings file."
        raise click.UsageError(message)
    return os.fspath(found), configuration


def _check(file: Any, keys: Sequence[int]) -> None:
    from anyworker.runner.outbox.listing import missing  # noqa: PLC0415 - as above

    if unknown := file.ask(partial(missing, keys=keys)):
        raise OutboxError(file.path, f"it has no result {', '.join(map(str, unknown))}")


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OutboxError as error:
        raise sharing.CouldNotStart(str(error)) from None


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
