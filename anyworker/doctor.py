"""What stands between workers and their server, found by asking; nothing is changed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.greeting import Greeting
from anyworker.configuration import Configuration
from anyworker.errors import AnyworkerError, AuthorizationError, ConductorError, NotFoundError
from anyworker.events import Publisher
from anyworker.fleet.declarations import declared
from anyworker.options import ResolvedWorker, WorkerOptions
from anyworker.policy.definitions import DEFAULT_RESPONSE_TIMEOUT, Registration
from anyworker.runner.registration import Registrar

LARGEST_SKEW = 5.0
"""Seconds by which the clocks may differ."""
STALE_SECONDS = 60.0
"""After so long without a poll nobody is at work."""

_ANY_TYPE = "anyworker"
"""A task type that need not exist."""

Verdict = Literal["ok", "warning", "wrong"]


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    subject: str
    """``server``, ``clock``, ``key``, or a worker."""
    verdict: Verdict
    report: str
    remedy: str = ""
    """What to do about it."""


async def examine(
    workers: Sequence[ResolvedWorker],
    configuration: Configuration | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Finding]:
    """Look at the server, the clocks, the key and, with these in order, at each worker.

    Args:
        workers: Theirs are the definitions and queues.
        configuration: Which server; by default what the environment says.
        now: This machine's clock.

    Raises:
        DeclarationError: A worker whose task type no server can be asked for.
    """
    configuration = Configuration() if configuration is None else configuration
    async with ConductorClient(configuration) as client:
        findings = await _look_at_server(client, now)
        if findings[0].verdict != "wrong":
            findings.append(await _look_at_key(client, workers))
        if all(finding.verdict != "wrong" for finding in findings):
            for worker in workers:
                findings += await _look_at_worker(client, worker, now())
    return findings


async def _look_at_server(client: ConductorClient, now: Callable[[], datetime]) -> list[Finding]:
    configuration = client.configuration
    source = configuration.sources["server_api_url"]
    place = f"at {configuration.server_api_url} ({source})"
    before = now()
    try:
        greeting = await _greeting(client)
    except ConductorError as error:
        return [
            Finding(
                "server",
                "wrong",
                f"no Conductor answers {place}: {error}",
                "start it, or correct its URL, in CONDUCTOR_SERVER_URL or under [server] in a settings file",
            )
        ]
    after = now()
    version = (
        f"Conductor {greeting.version}" if greeting.version else "a server that does not tell its version"
    )
    findings = [Finding("server", "ok", f"{version} {place}")]
    if greeting.date is not None:
        findings.append(_clock(greeting.date, before, after))
    return findings


async def _greeting(client: ConductorClient) -> Greeting:
    """Return what the server says of itself; one that lacks the call may still be Conductor."""
    try:
        return await client.greet()
    except ConductorError as error:
        if error.status != 404:
            raise
        try:
            await client.queue_sizes([_ANY_TYPE])
        except AuthorizationError:
            pass
        except ConductorError:
            raise error from None
        return Greeting(None, None)


def _clock(date: datetime, before: datetime, after: datetime) -> Finding:
    # The header is cut off to whole seconds, so that half a second more is the best guess.
    skew = (date - before).total_seconds() + 0.5 - (after - before).total_seconds() / 2
    if abs(skew) <= LARGEST_SKEW:
        return Finding("clock", "ok", f"within {LARGEST_SKEW:g} s of the server's")
    direction = "behind" if skew > 0 else "ahead of"
    return Finding(
        "clock",
        "warning",
        f"this machine's is {abs(skew):.0f} s {direction} the server's: times in logs, deadlines and the "
        "expiry of tokens do not agree",
        "set both by NTP",
    )


async def _look_at_key(client: ConductorClient, workers: Sequence[ResolvedWorker]) -> Finding:
    configuration = client.configuration
    source = configuration.sources["authentication_settings"]
    has_key = configuration.authentication_settings is not None
    is_given = has_key or configuration.token_provider is not None
    called = f"key and secret ({source})" if has_key else "the token provider's token"
    types = [worker.worker.task_definition_name for worker in workers] or [_ANY_TYPE]
    try:
        await client.queue_sizes(types)
    except AuthorizationError as error:
        remedy = (
            "correct them, or let the application that they belong to read and poll tasks"
            if is_given
            else "set CONDUCTOR_AUTH_KEY and CONDUCTOR_AUTH_SECRET, or [server.auth] in a settings file"
        )
        refused = f"{called} refused" if is_given else "the server asks for a key, and none is configured"
        return Finding("key", "wrong", f"{refused}: {error}", remedy)
    except ConductorError as error:
        return Finding("key", "wrong", f"the API cannot be used: {error}", "see the server's log")
    if not is_given:
        return Finding("key", "ok", "none configured, none asked for")
    if not client.has_token:
        return Finding("key", "warning", f"{called} not used: the server gives no tokens", "leave them out")
    return Finding("key", "ok", f"{called} accepted")


async def _look_at_worker(client: ConductorClient, worker: ResolvedWorker, now: datetime) -> list[Finding]:
    subject, task_type = _name(worker), worker.worker.task_definition_name
    try:
        existing: dict[str, Any] | None = await client.get_task_def_fields(task_type)
    except NotFoundError:
        existing = None
    except AnyworkerError as error:
        return [Finding(subject, "wrong", str(error), "see the server's log")]
    try:
        planned = await Registrar(client, Publisher(), ()).plan(declared(worker))
        findings = [_definition(subject, worker.options, planned)]
        coming = planned.definition if worker.options.register_task_def else {}
        findings.append(_time(subject, worker.options, coming or existing or {}))
    except AnyworkerError as error:
        findings = [Finding(subject, "wrong", str(error), "correct its task_def")]
    findings.append(await _queue(client, worker, now))
    return findings


def _name(worker: ResolvedWorker) -> str:
    domain = worker.options.domain
    return worker.worker.task_definition_name + (f" in domain {domain!r}" if domain else "")


def _definition(subject: str, options: WorkerOptions, planned: Registration) -> Finding:
    """Say whether the server has the definition that the code declares."""
    changes = ", ".join(sorted(planned.changes))
    reports = {
        "created": "the server has no definition of it and uses its defaults",
        "updated": f"the server's definition differs from the code's in {changes}",
        "unchanged": "the server's definition is the code's",
        "kept": "the server has a definition, which the code leaves alone (overwrite_task_def is off)",
    }
    report = reports[planned.outcome]
    if planned.outcome in {"unchanged", "kept"}:
        return Finding(subject, "ok", report)
    if options.register_task_def:
        return Finding(subject, "ok", f"{report}; a start registers it")
    return Finding(
        subject, "warning", report, "turn register_task_def on, or register it by the server's API"
    )


def _time(subject: str, options: WorkerOptions, definition: Mapping[str, Any]) -> Finding:
    """Hold the time that an execution may take against the time that the server gives it."""
    response = definition.get("responseTimeoutSeconds", DEFAULT_RESPONSE_TIMEOUT)
    whole, limit = definition.get("timeoutSeconds", 0), options.timeout
    if limit is not None and 0 < whole <= limit:
        end = f"after timeoutSeconds={whole} its task is timed out"
        return _too_long(
            subject, options, end, f"raise timeoutSeconds of the task definition above {limit:g}"
        )
    if options.lease_extend_enabled:
        report = f"leases are extended ({options.sources['lease_extend_enabled']}); a task whose worker died"
        return Finding(subject, "ok", f"{report} waits {response} s (responseTimeoutSeconds)")
    if limit is not None and response <= limit:
        end = f"after responseTimeoutSeconds={response} its task is given to another worker"
        remedy = f"turn lease_extend_enabled on, raise that above {limit:g}"
        return _too_long(subject, options, end, remedy)
    if limit is not None:
        return Finding(subject, "ok", f"timeout={limit:g} s is below responseTimeoutSeconds={response}")
    report = f"an execution may take {response} s (responseTimeoutSeconds); after that its task is given to"
    return Finding(subject, "ok", f"{report} another worker, unless lease_extend_enabled is on")


def _too_long(subject: str, options: WorkerOptions, end: str, remedy: str) -> Finding:
    limit = f"an execution may take timeout={options.timeout:g} s ({options.sources['timeout']})"
    return Finding(subject, "wrong", f"{limit}, but {end}", f"{remedy}, or lower timeout")


async def _queue(client: ConductorClient, worker: ResolvedWorker, now: datetime) -> Finding:
    """Say how many tasks wait, and why nobody may take them."""
    subject, task_type, options = _name(worker), worker.worker.task_definition_name, worker.options
    own = f"{options.domain}:{task_type}" if options.domain else task_type
    try:
        sizes = await client.queue_sizes({own, task_type})
        polls = await client.poll_data(task_type)
    except AnyworkerError as error:
        return Finding(subject, "wrong", f"its queue cannot be read: {error}", "see the server's log")
    waiting = sizes.get(own, 0)
    told = f"{waiting} task{' waits' if waiting == 1 else 's wait'}"
    if waiting and options.paused:
        return Finding(subject, "warning", f"{told}, and it is paused", f"unset {options.sources['paused']}")
    last = max((poll.last_poll_time for poll in polls if (poll.domain or None) == options.domain), default=0)
    idle = now.timestamp() - last / 1000
    if waiting and idle > STALE_SECONDS:
        since = f"for {idle:.0f} s" if last else "yet"
        return Finding(subject, "warning", f"{told}, and nobody has polled {since}", "start its workers")
    if own != task_type and sizes.get(task_type, 0):
        report = f"{told} in its domain, {sizes[task_type]} outside of any, which it does not poll"
        return Finding(
            subject, "warning", report, "start the workflows with taskToDomain, or drop the domain"
        )
    return Finding(subject, "ok", told)
