"""Every option of a worker, declared once: name, range, default, meaning.

What a declaration accepts, the environment's keys, the resolved values and the documentation are derived
from ``OPTIONS``.
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict

import attrs

from anyworker.option_kinds import Flag, Kind, Level, Millis, PerTime, Seconds, Text, Whole, shown
from anyworker.spelling import nearest

FIRST_POLL_TIMEOUT = 0.1
"""Seconds that the server holds the first polls of an adaptive ``poll_timeout``, as in the official SDK."""

LONGEST_POLL_MS = 5000
"""The server answers 400 to a poll that would wait longer."""


@attrs.frozen
class Option:
    """One option."""

    name: str
    """The parameter in code and the property in environment keys."""
    kind: Kind
    default: object
    help: str
    field: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True), kw_only=True)
    """The attribute of the resolved options; also a property name, read where ``name`` is not set."""
    is_optional: bool = attrs.field(default=False, kw_only=True)
    """Whether None is accepted, spelled as an empty text in the environment."""
    is_outside_only: bool = attrs.field(default=False, kw_only=True)

    @property
    def properties(self) -> tuple[str, ...]:
        """The names in environment keys, the one that wins first."""
        return (self.name,) if self.field == self.name else (self.name, self.field)

    @property
    def accepted(self) -> str:
        """The accepted values, as a phrase that follows "expected"."""
        return self.kind.accepted + (", or None (in the environment: empty)" if self.is_optional else "")

    def check(self, value: object) -> object:
        """Return a value given in code in its plain type.

        Raises:
            ValueError: It is not accepted.
        """
        return None if value is None and self.is_optional else self.kind.check(value)

    def read(self, text: str) -> object:
        """Return the value of a text from the environment.

        Raises:
            ValueError: It is not accepted.
        """
        if self.is_optional and not text.strip():
            return None
        # White space around a text is refused, around anything else it means nothing.
        value = self.kind.parse(text if isinstance(self.kind, Text) else text.strip())
        return self.kind.check(value)

    def resolve(self, value: object) -> object:
        """Return an accepted value as the runner uses it, durations in seconds."""
        return None if value is None else self.kind.resolve(value)


OPTIONS = (
    Option(
        "poll_interval_millis",
        Millis(1),
        100,
        "Longest wait between two polls that brought nothing.",
        field="poll_interval",
    ),
    Option("thread_count", Whole(1), 1, "Most tasks in hand at once."),
    Option(
        "domain",
        # A workflow names the domains of a type as a list with commas, NO_DOMAIN being the plain queue.
        Text(refused_characters=",", refused_value="NO_DOMAIN"),
        None,
        "Poll the queue of this domain only.",
        is_optional=True,
    ),
    Option(
        "worker_id",
        Text(),
        None,
        "Name under which tasks are taken; None makes one that is the process's own.",
        is_optional=True,
    ),
    Option(
        "poll_timeout",
        Millis(0, LONGEST_POLL_MS),
        None,
        "How long the server holds a poll that finds nothing; None adapts from 100 ms to idle_poll_timeout.",
        is_optional=True,
    ),
    Option(
        "idle_poll_timeout",
        Millis(1, LONGEST_POLL_MS),
        1000,
        "Longest hold that the adaptive poll_timeout reaches while there is no work.",
    ),
    Option(
        "timeout",
        Seconds(),
        None,
        "Longest time that one execution may take; None sets no limit.",
        is_optional=True,
    ),
    Option(
        "rate_limit",
        PerTime(),
        None,
        "Most tasks that each process takes in any second, minute or hour; None sets no limit.",
        is_optional=True,
    ),
    Option("lease_extend_enabled", Flag(), False, "Extend the lease of tasks that run long."),
    Option(
        "restartable",
        Flag(),
        None,
        "Whether a task whose function has begun may be given to another worker when this one shuts down or "
        "dies; None: if the definition allows another attempt.",
        is_optional=True,
    ),
    Option("register_task_def", Flag(), False, "Register the task definition and its JSON schemas at start."),
    Option("overwrite_task_def", Flag(), True, "Let the registration replace a definition that exists."),
    Option(
        "strict_schema", Flag(), False, "Refuse keys that nothing takes, in inputs and in registered schemas."
    ),
    Option("lax", Flag(), False, "Take text for numbers and booleans in inputs, '12' for 12."),
    Option(
        "output_warning_kb",
        Whole(1),
        3072,
        "Output above so many KiB gets a warning in the process's log and in the task's; None warns of none.",
        is_optional=True,
    ),
    Option(
        "output_limit_kb",
        Whole(1),
        10240,
        "Output above so many KiB fails its task with the size in the reason; None leaves it to the server.",
        is_optional=True,
    ),
    Option(
        "forward_logs",
        Level(),
        None,
        "Also put what the function logs, from this level on, into its task's log; None does not.",
        is_optional=True,
    ),
    Option("paused", Flag(), False, "Poll nothing.", is_outside_only=True),
)
DECLARABLE = tuple(option for option in OPTIONS if not option.is_outside_only)
PROPERTIES = {name: option for option in OPTIONS for name in option.properties}
"""Property name in environment keys -> option."""


class Settings(TypedDict, total=False):
    """The options that a declaration may give, as a type checker sees them."""

    poll_interval_millis: int
    thread_count: int
    domain: str | None
    worker_id: str | None
    poll_timeout: int | None
    idle_poll_timeout: int
    timeout: float | None
    rate_limit: str | None
    lease_extend_enabled: bool
    restartable: bool | None
    register_task_def: bool
    overwrite_task_def: bool
    strict_schema: bool
    lax: bool
    output_warning_kb: int | None
    output_limit_kb: int | None
    forward_logs: int | str | None


def check_settings(settings: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Check the options of a declaration.

    Returns:
        The accepted values in their plain types, and a sentence about each value that is not accepted.

    Raises:
        TypeError: There is no such option, or the environment alone sets it.
    """
    declarable = {option.name: option for option in DECLARABLE}
    accepted: dict[str, object] = {}
    problems: list[str] = []
    for name, value in settings.items():
        option = declarable.get(name)
        if option is None:
            complaint = f"unexpected keyword argument {name!r}{_remedy(name, declarable)}"
            raise TypeError(complaint)
        try:
            accepted[name] = option.check(value)
        except ValueError:
            problems.append(f"{name}={shown(value)}: expected {option.accepted}")
    return accepted, problems


def _remedy(name: str, known: Iterable[str]) -> str:
    if name in PROPERTIES and PROPERTIES[name].is_outside_only:
        return f": set it from the environment, as conductor.worker.<name>.{name}, or in a settings file"
    match = nearest(name.lower(), known)
    return f": did you mean {match!r}?" if match else ""


def options_table() -> str:
    """Return the options as a Markdown table."""
    rows = ["| option | default | accepted | meaning |", "|---|---|---|---|"]
    for option in OPTIONS:
        names = " or ".join(f"`{name}`" for name in option.properties)
        place = " (not in code)" if option.is_outside_only else ""
        rows.append(f"| {names}{place} | `{option.default}` | {option.accepted} | {option.help} |")
    return "\n".join(rows) + "\n"
