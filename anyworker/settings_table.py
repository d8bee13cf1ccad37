"""What a settings file may say, apart from the options of workers: each key declared once."""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import attrs

BACKENDS = ("asyncio", "uvloop", "trio")
PER_WORKER: Literal["per-worker"] = "per-worker"


@attrs.frozen
class Entry:
    """One key of a settings file."""

    accepted: str
    """The accepted values, as a phrase that follows "expected"."""
    is_accepted: Callable[[object], bool]
    is_path: bool = False
    """Whether a relative one is meant from the file's directory."""
    default: object = None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object, *, least: float = 0, is_above: bool = False) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return value > least if is_above else value >= least


def _is_positive(value: object) -> bool:
    return _is_number(value, is_above=True)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_list_of(is_item: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_item, value))


_POSITIVE = "a number of seconds above 0"
_NAMED = "what to import, as MODULE:NAME or FILE.py:NAME"
_COUNT = "a whole number, 1 or more"

RUN: Mapping[str, Entry] = {
    "backend": Entry(f"one of {', '.join(BACKENDS)}", lambda value: value in BACKENDS, default="asyncio"),
    "modules": Entry("a list of modules and .py files", _is_list_of(_is_text), default=()),
    "processes": Entry(
        f"a number of processes, 1 or more, or {PER_WORKER!r}",
        lambda value: value == PER_WORKER or _is_count(value),
        default=1,
    ),
    "lifespan": Entry(_NAMED, _is_text),
    "middleware": Entry(f"a list, each {_NAMED}", _is_list_of(_is_text), default=()),
    "grace": Entry("a number of seconds, 0 or more", _is_number, default=25.0),
    "update_retry_delays": Entry(
        "a list of numbers of seconds, 0 or more", _is_list_of(_is_number), default=(10.0, 20.0, 30.0)
    ),
    "max_tasks": Entry(_COUNT, _is_count),
    "watchdog": Entry(
        "a number of seconds above 0, or false for any time",
        lambda value: value is False or _is_positive(value),
        default=60.0,
    ),
    "restart_max_attempts": Entry(_COUNT, _is_count),
    "max_tasks_per_process": Entry(_COUNT, _is_count),
    "max_rss_mb": Entry("a number of MB above 0", _is_positive),
}
"""Keys at the top, which but for ``modules`` are parameters of `anyworker.run`."""

SERVER: Mapping[str, Entry] = {
    "url": Entry("the API's URL, such as http://localhost:8080/api", _is_text),
    "auth_token_ttl_min": Entry("a number of minutes above 0", _is_positive),
    "verify_ssl": Entry("true or false", lambda value: isinstance(value, bool)),
    "ssl_ca_cert": Entry("the path of a file or directory", _is_text, is_path=True),
    "cert_file": Entry("the path of a file", _is_text, is_path=True),
    "key_file": Entry("the path of a file", _is_text, is_path=True),
    "proxy": Entry("a proxy's URL, or an empty text for none", lambda value: isinstance(value, str)),
    "connect_timeout": Entry(_POSITIVE, _is_positive),
    "read_timeout": Entry(_POSITIVE, _is_positive),
    "write_timeout": Entry(_POSITIVE, _is_positive),
}
"""Keys of ``[server]``, by the names of the parameters of `Configuration`, but for ``url``."""

AUTH: Mapping[str, Entry] = {
    "key_id": Entry("a text", _is_text),
    "key_id_env": Entry("the name of an environment variable", _is_text),
    "key_id_file": Entry("the path of a file", _is_text, is_path=True),
    "key_secret_env": Entry("the name of an environment variable", _is_text),
    "key_secret_file": Entry("the path of a file", _is_text, is_path=True),
}
"""Keys of ``[server.auth]``. The secret itself has no place in a file that others read."""

OUTBOX: Mapping[str, Entry] = {
    "path": Entry("the path of a file", _is_text, is_path=True),
    "write_ahead": Entry("true or false", lambda value: isinstance(value, bool)),
    "retention_days": Entry("a number of days above 0", _is_positive),
    "max_results": Entry(_COUNT, _is_count),
    "max_bytes": Entry(_COUNT, _is_count),
    "max_deaths": Entry("a whole number, 0 for any", lambda value: type(value) is int and value >= 0),
}
"""Keys of ``[outbox]``, by the names of the fields of `OutboxSettings`."""

METRICS: Mapping[str, Entry] = {
    "http_port": Entry(
        "a port, 0 for a free one", lambda value: type(value) is int and value in range(65536)
    ),
    "http_host": Entry("an address to listen on", _is_text),
    "directory": Entry("the path of a directory", _is_text, is_path=True),
    "file_name": Entry("a file's name", _is_text),
    "update_interval": Entry(_POSITIVE, _is_positive),
    "ui_url": Entry("the Conductor UI's URL", _is_text),
    "histograms": Entry("true or false", lambda value: isinstance(value, bool)),
}
"""Keys of ``[metrics]``, by the names of the fields of `MetricsSettings`."""
